package embedded

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// Limits of the front. Nothing a client does may hold a query slot, or the
// front's memory, for longer or larger than this.
const (
	stallTimeout   = 30 * time.Second // a client that sends or takes nothing for so long is cut off
	queueTimeout   = 30 * time.Second // how long a query waits for a slot
	maxStatement   = 16 << 20         // bytes of SQL, inserted data not counted
	maxInsertHead  = 1 << 20          // bytes within which an INSERT in a body must reach its data
	bodyBuffer     = 16 << 10         // bytes of a body read at once, and enough for the head of nearly every INSERT
	chunkSize      = 256 << 10        // bytes of inserted data handed to the engine at once
	drainOnError   = 16 << 20         // bytes of a failed insert read and thrown away, so that the client gets to read the answer
	killRetryPause = 200 * time.Millisecond
)

// front is the ClickHouse HTTP interface before the engine: a connection of
// the engine for each request, so that no request sees the settings of another.
type front struct {
	lib   *chdb
	dir   string // of the engine: every connection has to name it
	token string
	slots chan struct{} // one for each query that may run at once
	stall time.Duration
	guard *guard
	about about
	log   *slog.Logger
}

// about is what the engine says of itself.
type about struct{ name, version, timezone string }

// newFront asks the engine for what the front has to know. root stays the
// caller's.
func newFront(lib *chdb, root *conn, dir, token string, queries int, log *slog.Logger) (*front, error) {
	f := &front{lib: lib, dir: dir, token: token, slots: make(chan struct{}, queries), stall: stallTimeout, log: log}
	row, err := list(root, "SELECT arrayJoin([displayName(), version(), timezone()])")
	if err != nil || len(row) != 3 {
		return nil, fmt.Errorf("ask the engine for its version: %w", err)
	}
	f.about = about{name: row[0], version: row[1], timezone: row[2]}
	functions, err := list(root, "SELECT name FROM system.table_functions")
	if err != nil {
		return nil, fmt.Errorf("list table functions: %w", err)
	}
	engines, err := list(root, "SELECT name FROM system.table_engines UNION ALL SELECT name FROM system.database_engines")
	if err != nil {
		return nil, fmt.Errorf("list engines: %w", err)
	}
	f.guard = newGuard(functions, engines)
	return f, nil
}

// list returns the lines of a query's only column.
func list(c *conn, sql string) ([]string, error) {
	r, err := c.query(sql, "TabSeparated", nil)
	if err != nil {
		return nil, err
	}
	defer r.close()
	return strings.Fields(string(r.data())), nil
}

// ServeHTTP answers /ping to everybody, and queries to who has the token.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/ping", r.URL.Path == "/" && r.Method == http.MethodGet && r.URL.RawQuery == "":
		_, _ = io.WriteString(w, "Ok.\n")
		return
	case r.URL.Path != "/":
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("X-ClickHouse-Server-Display-Name", f.about.name)
	h.Set("X-ClickHouse-Timezone", f.about.timezone)
	if err := f.authorise(r); err != nil {
		fail(w, err)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	default:
		http.Error(w, "only GET, HEAD and POST", http.StatusMethodNotAllowed)
		return
	}
	q, err := newQuery(w, r, f.stall)
	if err != nil {
		fail(w, err)
		return
	}
	h.Set("X-ClickHouse-Query-Id", q.id)
	if err := f.serve(w, r, q); err != nil {
		// What was sent already cannot be taken back: tell in the body, then
		// break the connection, so that even who does not look notices.
		if q.out != nil && q.out.begun {
			q.out.fail(asException(err))
			panic(http.ErrAbortHandler)
		}
		_, _ = io.CopyN(io.Discard, q.body, drainOnError)
		fail(w, err)
	}
}

// authorise accepts the token as the password of any user, in each of the ways
// ClickHouse clients send one.
func (f *front) authorise(r *http.Request) error {
	given := r.Header.Get("X-ClickHouse-Key")
	if given == "" {
		_, given, _ = r.BasicAuth()
	}
	if given == "" {
		given, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	if given == "" {
		given = r.URL.Query().Get("password")
	}
	if given == "" {
		return refuse(proto.ErrRequiredPassword, "the embedded engine needs its token as the password")
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(f.token)) != 1 {
		return refuse(proto.ErrAuthenticationFailed, "the password is not the token of the embedded engine")
	}
	return nil
}

// serve runs the query of a request and answers it. An error is not answered yet.
func (f *front) serve(w http.ResponseWriter, r *http.Request, q *query) error {
	insert, isInsert, err := q.readStatement()
	if err != nil {
		return err
	}
	if f.isHello(q) {
		return f.hello(w, q)
	}
	text := q.sql
	if isInsert {
		text = insert.head
	}
	st, err := f.guard.inspect(text)
	if err != nil {
		return err
	}
	release, err := f.slot(r.Context())
	if err != nil {
		return err
	}
	defer release()

	c, err := f.lib.open("--path=" + f.dir)
	if err != nil {
		return err
	}
	defer c.close()
	tag := "outcry-" + q.id
	if err := q.configure(c, tag); err != nil {
		return err
	}
	// The client goes away: so does its query. An insert that has all its data
	// is not killed: it is about to be stored.
	if !isInsert {
		defer f.killOnDisconnect(r.Context(), tag)()
		return f.run(w, c, q, st)
	}
	return f.insert(w, c, q, insert)
}

// slot waits until one more query may run.
func (f *front) slot(ctx context.Context) (release func(), err error) {
	timeout := time.NewTimer(queueTimeout)
	defer timeout.Stop()
	select {
	case f.slots <- struct{}{}:
		return func() { <-f.slots }, nil
	case <-timeout.C:
		return nil, refuse(proto.ErrTooManySimultaneousQueries, "%d queries run already and none ended within %s", cap(f.slots), queueTimeout)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// killOnDisconnect kills the query tagged tag when ctx ends before the returned
// function is called, which waits until no more killing is under way.
func (f *front) killOnDisconnect(ctx context.Context, tag string) (stop func()) {
	over, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-over:
			return
		case <-ctx.Done():
		}
		// More than once, for the query may not have begun when the first comes.
		for {
			f.kill(tag)
			select {
			case <-over:
				return
			case <-time.After(killRetryPause):
			}
		}
	}()
	return func() { close(over); <-gone }
}

func (f *front) kill(tag string) {
	c, err := f.lib.open("--path=" + f.dir)
	if err != nil {
		return
	}
	defer c.close()
	r, err := c.query("KILL QUERY WHERE Settings['log_comment'] = {tag:String} ASYNC", "Null", []param{{"tag", tag}})
	if err != nil {
		f.log.Warn("kill a query whose client is gone", "error", err)
		return
	}
	r.close()
}

// fail answers with an error, as a server does.
func fail(w http.ResponseWriter, err error) {
	e := asException(err)
	if errors.Is(err, context.Canceled) {
		return // nobody is left to be told
	}
	h := w.Header()
	h.Set("X-ClickHouse-Exception-Code", fmt.Sprint(int(e.code)))
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Del("Content-Encoding")
	h.Del("X-ClickHouse-Format")
	if e.status() == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Basic realm="ClickHouse"`)
	}
	text := e.text + "\n"
	h.Set("Content-Length", fmt.Sprint(len(text)))
	w.WriteHeader(e.status())
	_, _ = io.WriteString(w, text)
}
