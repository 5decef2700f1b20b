package embedded

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// output is an answer under way.
type output struct {
	w       http.ResponseWriter
	conn    *http.ResponseController
	encoder encoder
	data    io.Writer // what the engine gives goes here
	tag     string    // marks the error in an answer that had begun
	stall   time.Duration
	begun   bool
}

// answer prepares the headers. Nothing is sent before the first write.
func (q *query) answer(w http.ResponseWriter, format string, sum summary, elapsed time.Duration) (*output, error) {
	h := w.Header()
	h.Set("X-ClickHouse-Format", format)
	h.Set("Content-Type", contentType(format))
	h.Set("X-ClickHouse-Summary", sum.header(elapsed))
	o := &output{w: w, conn: http.NewResponseController(w), tag: rand.Text()[:16], stall: q.stall}
	h.Set("X-ClickHouse-Exception-Tag", o.tag)
	var err error
	if o.encoder, err = newEncoder(patientWriter{o}, q.transport.encoding); err != nil {
		return nil, err
	}
	if q.transport.encoding != "" {
		h.Set("Content-Encoding", q.transport.encoding)
	}
	o.data = o.encoder
	if q.transport.compress {
		o.data = newBlockWriter(o.encoder, q.transport.zstdBlocks)
	}
	q.out = o
	return o, nil
}

// fail puts the error in an answer that has begun, framed as a server does it.
func (o *output) fail(e *exception) {
	text := e.text[:min(len(e.text), 16<<10)]
	_, _ = fmt.Fprintf(o.encoder, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", o.tag, text, len(text)+1, o.tag)
	_ = o.encoder.Close()
	_ = o.conn.Flush()
}

// patientWriter writes to a client that may be slow but must not stop.
type patientWriter struct{ *output }

func (p patientWriter) Write(b []byte) (int, error) {
	p.begun = true
	written := 0
	for len(b) > 0 {
		if err := p.conn.SetWriteDeadline(time.Now().Add(p.stall)); err != nil {
			return written, fmt.Errorf("set a deadline: %w", err)
		}
		n, err := p.w.Write(b[:min(len(b), blockSize)])
		written += n
		if err != nil {
			return written, err
		}
		b = b[n:]
	}
	return written, nil
}

// header is the value of X-ClickHouse-Summary: numbers as strings, as on a server.
func (s summary) header(elapsed time.Duration) string {
	return fmt.Sprintf(`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","total_rows_to_read":"0","result_rows":"%d","result_bytes":"%d","elapsed_ns":"%d"}`,
		s.readRows, s.readBytes, s.writtenRows, s.writtenBytes, s.resultRows, s.resultBytes, elapsed.Nanoseconds())
}

// streamable are the formats of which the pieces of a result, one after the
// other, are the result. All others have a beginning and an end and are made
// as a whole.
var streamable = map[string]bool{
	"native": true, "rowbinary": true, "tabseparated": true, "tsv": true, "tabseparatedraw": true, "tsvraw": true, "raw": true,
	"csv": true, "tskv": true, "jsoneachrow": true, "jsonlines": true, "ndjson": true, "jsoncompacteachrow": true, "lineasstring": true, "rawblob": true,
}

func contentType(format string) string {
	switch f := strings.ToLower(format); {
	case strings.HasPrefix(f, "csv"):
		return "text/csv; charset=UTF-8; header=" + map[bool]string{true: "present", false: "absent"}[strings.Contains(f, "withnames")]
	case strings.HasPrefix(f, "tabseparated"), strings.HasPrefix(f, "tsv"):
		return "text/tab-separated-values; charset=UTF-8"
	case f == "jsoneachrow", f == "jsonlines", f == "ndjson":
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(f, "json"):
		return "application/json; charset=UTF-8"
	case f == "native", f == "rowbinary", f == "parquet", strings.HasPrefix(f, "arrow"), f == "orc":
		return "application/octet-stream"
	}
	return "text/plain; charset=UTF-8"
}
