package embedded

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// run runs a statement that brings no data and answers with its result.
func (f *front) run(w http.ResponseWriter, c *conn, q *query, st statement) error {
	if c.statements(q.sql) > 1 {
		return refuse(proto.ErrSyntaxError, "Multi-statements are not allowed")
	}
	format := q.format
	if st.format != "" {
		format = st.format
	}
	if st.selects && !q.whole && streamable[strings.ToLower(format)] {
		return f.runStream(w, c, q, format)
	}
	begun := time.Now()
	r, err := c.query(q.sql, q.format, q.params)
	if err != nil {
		return err
	}
	defer r.close()
	return q.send(w, format, r.summary(), time.Since(begun), r.data())
}

// send answers with a result that is there as a whole.
func (q *query) send(w http.ResponseWriter, format string, sum summary, elapsed time.Duration, data []byte) error {
	out, err := q.answer(w, format, sum, elapsed)
	if err != nil {
		return err
	}
	if q.transport == (transport{}) || len(data) == 0 {
		// An answer without a body has to say so: the driver takes an empty
		// chunked one for a broken block.
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		if len(data) == 0 {
			w.Header().Del("Content-Encoding")
			w.WriteHeader(http.StatusOK)
			return nil
		}
	}
	if _, err := out.data.Write(data); err != nil {
		return err
	}
	return out.encoder.Close()
}

// runStream fetches a result piece by piece, one piece ahead: a small result,
// and an error before the second piece, are answered as a whole.
func (f *front) runStream(w http.ResponseWriter, c *conn, q *query, format string) error {
	begun := time.Now()
	s, err := c.stream(q.sql, q.format, q.params)
	if err != nil {
		return err
	}
	defer s.close()
	var pieces [2]*result
	defer func() {
		for _, p := range pieces {
			if p != nil {
				p.close()
			}
		}
	}()
	for i := range pieces {
		if pieces[i], err = s.next(); err != nil {
			return err
		}
		if pieces[i] == nil {
			break
		}
	}
	if pieces[1] == nil {
		var sum summary
		var data []byte
		if pieces[0] != nil {
			sum, data = pieces[0].summary(), pieces[0].data()
		}
		return q.send(w, format, sum, time.Since(begun), data)
	}
	out, err := q.answer(w, format, pieces[0].summary(), time.Since(begun))
	if err != nil {
		return err
	}
	for pieces[0] != nil {
		if _, err := out.data.Write(pieces[0].data()); err != nil {
			return err
		}
		pieces[0].close()
		pieces[0], pieces[1] = pieces[1], nil
		if pieces[0] == nil {
			break
		}
		if err := out.encoder.Flush(); err != nil {
			return err
		}
		if pieces[1], err = s.next(); err != nil {
			return err
		}
	}
	return out.encoder.Close()
}

var chunks = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}

// insert hands the data of an insert to the engine as it arrives. The engine
// collects up to a million rows or 256 MB before it writes; so an insert of
// this size at most is stored as a whole or not at all, and one whose body
// breaks off is forgotten.
func (f *front) insert(w http.ResponseWriter, c *conn, q *query, in insertion) error {
	begun := time.Now()
	into, err := c.insert(in.head, in.format, q.params)
	if err != nil {
		return err
	}
	defer into.cancel()
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	for over := false; !over; {
		n, err := fill(q.body, *buf)
		// Only io.EOF is the end: a body that broke off ends in another error.
		if over = errors.Is(err, io.EOF); err != nil && !over {
			return badBody(err)
		}
		if err := into.append((*buf)[:n]); err != nil {
			return err
		}
	}
	sum, err := into.finish()
	if err != nil {
		return err
	}
	return q.send(w, q.format, sum, time.Since(begun), nil)
}

// fill reads until buf is full or r has an error, which it returns as it is
// (io.ReadFull turns the end of the data into the error of a cut body).
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}
