package embedded

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/google/uuid"
)

// query is one request, understood.
type query struct {
	id        string
	sql       string // of a statement; of an insert: what came in the URL or before the data
	params    []param
	settings  []param
	database  string
	format    string // where the statement names none
	stall     time.Duration
	readonly  bool // asked by GET
	whole     bool // answer only when the query is over (wait_end_of_query)
	revision  bool // the client speaks a revision of the protocol
	body      *bufio.Reader
	out       *output // set when the answer begins
	transport transport
}

// transport is how the bytes of a request and of its answer are packed.
type transport struct {
	compress   bool   // answer in blocks of ClickHouse's own compression
	zstdBlocks bool   // … zstd instead of lz4
	encoding   string // Content-Encoding of the answer, or empty
}

// Parameters of the URL that are no settings of the engine. Sessions, quotas
// and roles do not exist here and are accepted in silence, as clients send
// them by habit.
var urlParameters = map[string]bool{
	"query": true, "database": true, "default_format": true, "query_id": true, "user": true, "password": true,
	"session_id": true, "session_timeout": true, "session_check": true, "close_session": true, "quota_key": true, "role": true,
	"compress": true, "decompress": true, "buffer_size": true, "wait_end_of_query": true, "stacktrace": true,
	"client_protocol_version": true, "enable_http_compression": true, "http_zlib_compression_level": true,
	"log_comment": true, // the front's own, see kill
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// newQuery reads the URL and the headers of a request; its body is read later.
// stall is how long a client may send nothing.
func newQuery(w http.ResponseWriter, r *http.Request, stall time.Duration) (*query, error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		return nil, refuse(proto.ErrNotImplemented, "the embedded engine takes no external tables")
	}
	values := r.URL.Query()
	header := func(name, header string) string {
		if v := values.Get(name); v != "" {
			return v
		}
		return r.Header.Get(header)
	}
	q := &query{
		id:       values.Get("query_id"),
		sql:      values.Get("query"),
		database: header("database", "X-ClickHouse-Database"),
		format:   header("default_format", "X-ClickHouse-Format"),
		stall:    stall,
		readonly: r.Method != http.MethodPost,
		whole:    isSet(values.Get("wait_end_of_query")),
		revision: values.Get("client_protocol_version") != "",
	}
	if q.id == "" {
		q.id = uuid.NewString()
	}
	if q.format == "" {
		q.format = "TabSeparated"
	}
	if isSet(values.Get("enable_http_compression")) {
		q.transport.encoding = acceptedEncoding(r.Header.Get("Accept-Encoding"))
	}
	q.transport.compress = isSet(values.Get("compress"))
	q.transport.zstdBlocks = strings.EqualFold(values.Get("network_compression_method"), "zstd")
	if err := q.takeSettings(values); err != nil {
		return nil, err
	}
	slow := &patientReader{r.Body, http.NewResponseController(w), stall}
	body, err := requestBody(slow, r.Header.Get("Content-Encoding"), isSet(values.Get("decompress")))
	q.body = bufio.NewReaderSize(body, bodyBuffer)
	return q, err
}

func isSet(v string) bool { return v != "" && v != "0" && !strings.EqualFold(v, "false") }

func (q *query) takeSettings(values map[string][]string) error {
	for name, v := range values {
		value := v[len(v)-1]
		if p, ok := strings.CutPrefix(name, "param_"); ok {
			q.params = append(q.params, param{p, value})
			continue
		}
		if urlParameters[name] {
			continue
		}
		// Another dialect would not mean what the guard reads.
		if !settingName.MatchString(name) || name == "dialect" {
			return refuse(proto.ErrUnknownSetting, "Unknown setting '%s'", name)
		}
		q.settings = append(q.settings, param{name, value})
	}
	return nil
}

// configure prepares the engine's connection for the query. What libchdb
// switches on for people at a prompt is switched off, as on a server.
func (q *query) configure(c *conn, tag string) error {
	var set strings.Builder
	set.WriteString("SET implicit_select=0, allow_introspection_functions=0, log_comment=" + quote(tag))
	readonly := "0"
	for _, s := range q.settings {
		if s.name == "readonly" {
			readonly = s.value
		} else {
			set.WriteString(", " + s.name + "=" + quote(s.value))
		}
	}
	if q.readonly && readonly == "0" {
		readonly = "2"
	}
	statements := []string{set.String()}
	if q.database != "" && q.database != "default" {
		statements = append(statements, "USE "+quoteIdentifier(q.database))
	}
	if readonly != "0" { // last, for after it nothing can be set
		statements = append(statements, "SET readonly="+quote(readonly))
	}
	for _, sql := range statements {
		r, err := c.query(sql, "Null", nil)
		if err != nil {
			return err
		}
		r.close()
	}
	return nil
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteIdentifier(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

// readStatement completes q.sql from the body. Of an insert it leaves the data
// in the body, unread; a part of the data that came in the URL is put before it.
func (q *query) readStatement() (insertion, bool, error) {
	if q.sql != "" {
		if in, ok := splitInsert(q.sql); ok {
			if inline := q.sql[in.data:]; strings.TrimSpace(inline) != "" {
				q.prepend(inline + "\n")
			}
			return in, true, nil
		}
		q.sql += "\n"
	} else {
		in, ok, err := q.peekInsert()
		if ok || err != nil {
			return in, ok, err
		}
	}
	rest, err := io.ReadAll(io.LimitReader(q.body, maxStatement+1))
	if err != nil {
		return insertion{}, false, badBody(err)
	}
	if q.sql += string(rest); len(q.sql) > maxStatement {
		return insertion{}, false, refuse(proto.ErrQueryIsTooLarge, "the statement is longer than %d bytes", maxStatement)
	}
	if _, any := (&lexer{sql: q.sql}).next(); !any {
		return insertion{}, false, refuse(proto.ErrSyntaxError, "Empty query")
	}
	return insertion{}, false, nil
}

// peekInsert looks whether the body begins with an INSERT that brings its data,
// and goes to the data where it does.
func (q *query) peekInsert() (insertion, bool, error) {
	// The end of a format's name is certain only before the end of what is seen.
	const margin = 256
	for _, size := range []int{bodyBuffer, maxInsertHead} {
		if q.body.Size() < size {
			q.body = bufio.NewReaderSize(q.body, size)
		}
		head, err := q.body.Peek(size)
		if err != nil && !errors.Is(err, io.EOF) {
			return insertion{}, false, badBody(err)
		}
		in, ok := splitInsert(string(head))
		if ok && (err != nil || in.data < size-margin) {
			q.sql = string(head[:in.data])
			_, _ = q.body.Discard(in.data)
			return in, true, nil
		}
		if first, _ := (&lexer{sql: string(head)}).next(); err != nil || !first.is("INSERT") {
			return insertion{}, false, nil
		}
	}
	return insertion{}, false, nil
}

func (q *query) prepend(s string) {
	q.body = bufio.NewReaderSize(io.MultiReader(strings.NewReader(s), q.body), bodyBuffer)
}

// badBody is the answer to a body that broke off or does not unpack.
func badBody(err error) error {
	return refuse(proto.ErrIncorrectData, "the request's body cannot be read: %v", err)
}

// patientReader reads a body from a client that may be slow but must not stop.
type patientReader struct {
	body  io.Reader
	conn  *http.ResponseController
	stall time.Duration
}

func (p *patientReader) Read(b []byte) (int, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(p.stall)); err != nil {
		return 0, fmt.Errorf("set a deadline: %w", err)
	}
	n, err := p.body.Read(b)
	if err != nil {
		// The body is over: from here on the server watches the connection for
		// its end, and that may take as long as the query does.
		_ = p.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
