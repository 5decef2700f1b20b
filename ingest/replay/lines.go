package replay

import (
	"bufio"
	"errors"
	"io"

	"outcry/ingest"
)

// lineReader reads lines of bounded memory. Lines end in \n or \r\n.
type lineReader struct {
	r    *bufio.Reader
	line int // number of the line last read, from 1
	buf  []byte
}

func newLineReader(r *bufio.Reader) *lineReader { return &lineReader{r: r} }

// next gives the next line without its end, valid until the following call. Of
// a line that is longer than ingest.MaxRaw the beginning is given and long is
// true. At the end of the input it gives io.EOF; an error of the input loses
// the line that it cut off.
func (l *lineReader) next() (line []byte, long bool, err error) {
	l.buf = l.buf[:0]
	l.line++
	for {
		part, err := l.r.ReadSlice('\n')
		if room := ingest.MaxRaw + 2 - len(l.buf); len(part) > room {
			long = true
			l.buf = append(l.buf, part[:room]...)
		} else {
			l.buf = append(l.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil, errors.Is(err, io.EOF) && len(l.buf) > 0:
			line = trimEnd(l.buf)
			return line, long || len(line) > ingest.MaxRaw, nil
		}
		return nil, false, err
	}
}

// trimEnd removes the end of a line.
func trimEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	return b
}
