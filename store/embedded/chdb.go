package embedded

import (
	"errors"
	"runtime"
	"unsafe"
)

// chdb is libchdb, loaded. Its functions are those of chdb.h; handles are
// opaque addresses. There is one engine in a process, and one data directory.
type chdb struct {
	connect         func(argc int32, argv **byte) uintptr
	closeConn       func(conn uintptr)
	setSignals      func(enabled int32)
	query           func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, params uintptr) uintptr
	streamQuery     func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, params uintptr) uintptr
	streamFetch     func(conn, result uintptr) uintptr
	streamCancel    func(conn, result uintptr)
	insert          func(conn uintptr, sql *byte, sqlLen uintptr, format *byte, formatLen uintptr, names **byte, nameLens *uintptr, values **byte, valueLens *uintptr, params uintptr) uintptr
	insertAppend    func(stream uintptr, data *byte, dataLen uintptr) int32
	insertDone      func(stream uintptr) uintptr
	insertCancel    func(stream uintptr)
	insertError     func(stream uintptr) string
	insertDestroy   func(stream uintptr)
	classify        func(conn uintptr, sql *byte, sqlLen uintptr, database *byte, databaseLen uintptr, out *analysis) int32
	resultBuffer    func(result uintptr) *byte
	resultLength    func(result uintptr) uintptr
	resultError     func(result uintptr) string
	resultDestroy   func(result uintptr)
	resultRowsRead  func(result uintptr) uint64
	resultBytesRead func(result uintptr) uint64
	storageRows     func(result uintptr) uint64
	storageBytes    func(result uintptr) uint64
	rowsWritten     func(result uintptr) uint64
	bytesWritten    func(result uintptr) uint64
}

// analysis is chdb_query_analysis_v1.
type analysis struct {
	size       uint32
	statements uint32
	_          [2]uint32 // flags and class
}

// open connects with the given arguments. The first connection of the process
// starts the engine, and the arguments that concern the engine count only then.
func (lib *chdb) open(args ...string) (*conn, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]*byte, 0, len(args)+2)
	for _, arg := range append([]string{"clickhouse"}, args...) {
		c := append([]byte(arg), 0)
		pin.Pin(&c[0])
		argv = append(argv, &c[0])
	}
	argv = append(argv, nil)
	pin.Pin(&argv[0])
	handle := lib.connect(int32(len(argv)-1), &argv[0])
	if handle == 0 {
		return nil, errors.New("the ClickHouse engine refused the connection")
	}
	// chdb_connect returns a pointer to the connection; calls take the
	// connection itself.
	inner := **(**uintptr)(unsafe.Pointer(&handle))
	return &conn{lib: lib, outer: handle, inner: inner}, nil
}

// conn is one connection: it runs one statement at a time and is not safe for
// concurrent use.
type conn struct {
	lib          *chdb
	outer, inner uintptr
}

func (c *conn) close() {
	if c.outer != 0 {
		c.lib.closeConn(c.outer)
		c.outer = 0
	}
}

// param is a value for {name:Type} in a statement, escaped as on a server.
type param struct{ name, value string }

// statementArgs are the arguments the three ways to run a statement share.
type statementArgs struct {
	sql, format           *byte
	sqlLen, formatLen     uintptr
	names, values         **byte
	nameLens, valueLens   *uintptr
	count                 uintptr
	pin                   runtime.Pinner
	nameTable, valueTable []*byte
	nameSizes, valueSizes []uintptr
}

func newStatementArgs(sql, format string, params []param) *statementArgs {
	a := &statementArgs{sqlLen: uintptr(len(sql)), formatLen: uintptr(len(format)), count: uintptr(len(params))}
	a.sql, a.format = a.bytes(sql), a.bytes(format)
	if len(params) == 0 {
		return a
	}
	for _, p := range params {
		a.nameTable = append(a.nameTable, a.bytes(p.name))
		a.nameSizes = append(a.nameSizes, uintptr(len(p.name)))
		a.valueTable = append(a.valueTable, a.bytes(p.value))
		a.valueSizes = append(a.valueSizes, uintptr(len(p.value)))
	}
	a.names, a.values = &a.nameTable[0], &a.valueTable[0]
	a.nameLens, a.valueLens = &a.nameSizes[0], &a.valueSizes[0]
	a.pin.Pin(a.names)
	a.pin.Pin(a.values)
	return a
}

// bytes pins s in memory; never nil, because the engine dereferences it.
func (a *statementArgs) bytes(s string) *byte {
	if s == "" {
		s = "\x00"
	}
	p := unsafe.StringData(s)
	a.pin.Pin(p)
	return p
}

// query runs a statement to its end and returns its whole result.
func (c *conn) query(sql, format string, params []param) (*result, error) {
	a := newStatementArgs(sql, format, params)
	defer a.pin.Unpin()
	return c.result(c.lib.query(c.inner, a.sql, a.sqlLen, a.format, a.formatLen, a.names, a.nameLens, a.values, a.valueLens, a.count))
}

// result wraps what the engine returned: a result, or the error in it.
func (c *conn) result(handle uintptr) (*result, error) {
	if handle == 0 {
		return nil, errors.New("the ClickHouse engine returned no result")
	}
	r := &result{lib: c.lib, handle: handle}
	if msg := c.lib.resultError(handle); msg != "" {
		r.close()
		return nil, newException(msg)
	}
	return r, nil
}

// result is what a statement gave, or one chunk of it. Its memory is the
// engine's, until close.
type result struct {
	lib    *chdb
	handle uintptr
}

func (r *result) close() {
	if r.handle != 0 {
		r.lib.resultDestroy(r.handle)
		r.handle = 0
	}
}

// data is valid until close.
func (r *result) data() []byte {
	n := r.lib.resultLength(r.handle)
	if n == 0 {
		return nil
	}
	return unsafe.Slice(r.lib.resultBuffer(r.handle), n)
}

// summary counts what a statement did, in the fields of X-ClickHouse-Summary.
type summary struct {
	readRows, readBytes, writtenRows, writtenBytes, resultRows, resultBytes uint64
}

func (r *result) summary() summary {
	return summary{
		readRows: r.lib.storageRows(r.handle), readBytes: r.lib.storageBytes(r.handle),
		writtenRows: r.lib.rowsWritten(r.handle), writtenBytes: r.lib.bytesWritten(r.handle),
		resultRows: r.lib.resultRowsRead(r.handle), resultBytes: r.lib.resultBytesRead(r.handle),
	}
}

// stream begins a statement whose result is fetched chunk by chunk.
func (c *conn) stream(sql, format string, params []param) (*stream, error) {
	a := newStatementArgs(sql, format, params)
	defer a.pin.Unpin()
	r, err := c.result(c.lib.streamQuery(c.inner, a.sql, a.sqlLen, a.format, a.formatLen, a.names, a.nameLens, a.values, a.valueLens, a.count))
	if err != nil {
		return nil, err
	}
	return &stream{conn: c, head: r}, nil
}

// stream is a running query.
type stream struct {
	conn *conn
	head *result
	done bool
}

// next returns the next chunk, which the caller closes, or nil at the end.
func (s *stream) next() (*result, error) {
	chunk, err := s.conn.result(s.conn.lib.streamFetch(s.conn.inner, s.head.handle))
	if err != nil {
		s.done = true
		return nil, err
	}
	if s.conn.lib.resultLength(chunk.handle) == 0 {
		chunk.close()
		s.done = true
		return nil, nil
	}
	return chunk, nil
}

// close stops the query where it has not ended.
func (s *stream) close() {
	if !s.done {
		s.conn.lib.streamCancel(s.conn.inner, s.head.handle)
	}
	s.head.close()
}

// insert begins an insert whose data, in format, is appended afterwards. The
// statement has neither FORMAT nor data.
func (c *conn) insert(sql, format string, params []param) (*inserter, error) {
	a := newStatementArgs(sql, format, params)
	defer a.pin.Unpin()
	in := &inserter{conn: c, handle: c.lib.insert(c.inner, a.sql, a.sqlLen, a.format, a.formatLen, a.names, a.nameLens, a.values, a.valueLens, a.count)}
	if err := in.err(); err != nil {
		in.cancel()
		return nil, err
	}
	return in, nil
}

// inserter is a running insert: append, then finish or cancel.
type inserter struct {
	conn   *conn
	handle uintptr
}

func (in *inserter) err() error {
	if in.handle == 0 {
		return errors.New("the ClickHouse engine began no insert")
	}
	if msg := in.conn.lib.insertError(in.handle); msg != "" {
		return newException(msg)
	}
	return nil
}

// append hands a piece of the data over; it waits while the engine is behind.
func (in *inserter) append(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if in.conn.lib.insertAppend(in.handle, &data[0], uintptr(len(data))) == 0 {
		return nil
	}
	if err := in.err(); err != nil {
		return err
	}
	return errors.New("the ClickHouse engine refused more of the insert")
}

// finish stores what was appended.
func (in *inserter) finish() (summary, error) {
	r, err := in.conn.result(in.conn.lib.insertDone(in.handle))
	in.conn.lib.insertDestroy(in.handle)
	in.handle = 0
	if err != nil {
		return summary{}, err
	}
	defer r.close()
	return r.summary(), nil
}

// cancel forgets what was appended. It does nothing after finish.
func (in *inserter) cancel() {
	if in.handle == 0 {
		return
	}
	in.conn.lib.insertCancel(in.handle)
	in.conn.lib.insertDestroy(in.handle)
	in.handle = 0
}

// statements parses sql without running it and says how many statements it
// holds: 0 where it does not parse.
func (c *conn) statements(sql string) int {
	a := newStatementArgs(sql, "", nil)
	defer a.pin.Unpin()
	out := analysis{size: uint32(unsafe.Sizeof(analysis{}))}
	if c.lib.classify(c.inner, a.sql, a.sqlLen, nil, 0, &out) != 0 {
		return 0
	}
	return int(out.statements)
}
