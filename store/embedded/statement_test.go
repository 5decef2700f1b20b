package embedded

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ClickHouse/ch-go/compress"
)

func TestSplitInsert(t *testing.T) {
	for _, tc := range []struct{ sql, head, format, data string }{
		{"INSERT INTO t FORMAT Native\n\x01\x02", "INSERT INTO t ", "Native", "\x01\x02"},
		{"INSERT INTO t FORMAT Native \r\n\n\x01", "INSERT INTO t ", "Native", "\n\x01"},
		{"INSERT INTO t FORMAT CSV 1,2", "INSERT INTO t ", "CSV", "1,2"},
		{"INSERT INTO t FORMAT CSV;\n1", "INSERT INTO t ", "CSV", "1"},
		{"insert into db.t (a, `b)`) values (1)", "insert into db.t (a, `b)`) ", "Values", " (1)"},
		{"INSERT INTO `values` (format) VALUES(1)", "INSERT INTO `values` (format) ", "Values", "(1)"},
		{"INSERT INTO format.values FORMAT TSV\n1", "INSERT INTO format.values ", "TSV", "1"},
		{"INSERT INTO TABLE t SETTINGS a = 'VALUES' FORMAT TSV\n1", "INSERT INTO TABLE t SETTINGS a = 'VALUES' ", "TSV", "1"},
		{"-- INSERT\nINSERT INTO t VALUES", "-- INSERT\nINSERT INTO t ", "Values", ""},
		{"INSERT INTO t SELECT 1", "", "", ""},
		{"INSERT INTO t (a) WITH 1 AS x SELECT x FORMAT Null", "", "", ""},
		{"INSERT INTO t FROM INFILE 'x' FORMAT CSV", "", "", ""},
		{"INSERT INTO t", "", "", ""},
		{"INSERT", "", "", ""},
		{"SELECT 1 FORMAT Native", "", "", ""},
		{"", "", "", ""},
	} {
		in, ok := splitInsert(tc.sql)
		if ok != (tc.format != "") {
			t.Errorf("%q: an insert with data: %v", tc.sql, ok)
			continue
		}
		if ok && (in.head != tc.head || in.format != tc.format || tc.sql[in.data:] != tc.data) {
			t.Errorf("%q: head %q, format %q, data %q", tc.sql, in.head, in.format, tc.sql[in.data:])
		}
	}
}

func FuzzLexer(f *testing.F) {
	for _, s := range []string{"SELECT 'a\\'b''c' FROM `x\\`` -- c\n/* d */ $e$f$e$ “g” ‘h’", "INSERT INTO t VALUES (1)", "'", "`", "/*", "$$", "“", "\xe2\x80"} {
		f.Add(s)
	}
	g := newGuard([]string{"file", "numbers"}, []string{"Kafka", "MergeTree"})
	f.Fuzz(func(t *testing.T, sql string) {
		l := lexer{sql: sql}
		last := 0
		for {
			tok, ok := l.next()
			if !ok {
				break
			}
			if tok.start < last || tok.end <= tok.start || tok.end > len(sql) || l.pos != tok.end {
				t.Fatalf("%q: token %+v after %d", sql, tok, last)
			}
			last = tok.end
		}
		if in, ok := splitInsert(sql); ok && (in.data > len(sql) || in.data < len(in.head) || !strings.HasPrefix(sql, in.head) || in.format == "") {
			t.Fatalf("%q: %+v", sql, in)
		}
		_, _ = g.inspect(sql)
		// Whatever stands before it, a bare call after a line end is seen,
		// unless it is within a quote, a comment or a heredoc.
		if !strings.ContainsAny(sql, "'`\"/$‘“") && utf8.ValidString(sql) {
			if _, err := g.inspect(sql + "\n, file('x')"); err == nil {
				t.Fatalf("%q hides a call", sql)
			}
		}
	})
}

// A body in ClickHouse's own compression ends well only between two blocks.
func TestCompressedBlocksEndBetweenBlocks(t *testing.T) {
	var packed bytes.Buffer
	var ends []int
	w := newBlockWriter(&packed, false)
	for part := range 5 {
		if _, err := w.Write(bytes.Repeat([]byte{byte(part), 'x'}, 500)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, packed.Len())
	}
	atEnd := map[int]bool{0: true}
	for _, n := range ends {
		atEnd[n] = true
	}
	for n := 0; n <= packed.Len(); n++ {
		checkCut(t, packed.Bytes(), n, atEnd[n])
	}
}

func checkCut(t *testing.T, packed []byte, n int, whole bool) {
	t.Helper()
	r, err := requestBody(bytes.NewReader(packed[:n]), "", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); (err == nil) != whole {
		t.Fatalf("cut at %d of %d: error %v, want whole %v", n, len(packed), err, whole)
	}
}

func FuzzRequestBody(f *testing.F) {
	var packed bytes.Buffer
	w := &blockWriter{&packed, compress.NewWriter(compress.LevelZero, compress.LZ4)}
	_, _ = w.Write([]byte("some text"))
	f.Add(packed.Bytes(), "", true)
	f.Add([]byte("\x1f\x8b\x08"), "gzip", false)
	f.Add([]byte("\x28\xb5\x2f\xfd"), "zstd", false)
	f.Fuzz(func(t *testing.T, body []byte, encoding string, blocks bool) {
		if len(body) > 24 && blocks { // the announced size of a block is memory: keep the fuzzer from spending it all
			body[20], body[21], body[24] = 0, 0, 0
		}
		r, err := requestBody(bytes.NewReader(body), encoding, blocks)
		if err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		}
	})
}

// A client that stops sending in the middle of a statement is cut off.
func TestStalledClientIsCutOff(t *testing.T) {
	f := &front{token: "secret", slots: make(chan struct{}, 1), stall: 20 * time.Millisecond, guard: newGuard(nil, nil)}
	server := httptest.NewServer(f)
	defer server.Close()
	body, more := io.Pipe()
	defer more.Close()
	go func() { _, _ = more.Write([]byte("SELECT ")) }() // and nothing after it
	req, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("default", "secret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return // cut off before the answer could be read
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusBadRequest || !strings.HasPrefix(string(text), "Code: 117.") {
		t.Errorf("status %d, %q", res.StatusCode, text)
	}
}

func TestExceptions(t *testing.T) {
	for _, tc := range []struct {
		err    error
		code   int
		status int
	}{
		{newException("Code: 60. DB::Exception: no table. (UNKNOWN_TABLE)"), 60, 404},
		{newException("Code: 0. nonsense"), 1001, 500},
		{newException("Code: 99999999999999999999. nonsense"), 1001, 500},
		{errors.New("out of luck"), 1001, 500},
		{io.ErrUnexpectedEOF, 1001, 500},
	} {
		e := asException(tc.err)
		if int(e.code) != tc.code || e.status() != tc.status || !strings.HasPrefix(e.text, "Code: ") {
			t.Errorf("%v: %d, status %d, %q", tc.err, e.code, e.status(), e.text)
		}
	}
}
