package replay

import (
	"errors"

	"outcry/ingest"
)

// csvReader reads RFC 4180 records of bounded memory and never loses more than
// the line that is broken: a quote that is not closed makes encoding/csv swallow
// the rest of a file as one field, here it costs one row.
//
// A record that turns out broken is refused from its first line on, and reading
// goes on at its second. That costs no more than reading the file twice: only a
// line with an odd number of quotes opens a long record, and the next such line
// ends it.
type csvReader struct {
	lines   *lineReader
	ahead   [][]byte // lines read already, with their ends
	used    int      // of ahead, by the record last read
	line    int      // number of the first line of the record last read
	fields  []string
	buf     []byte
	ends    []int
	lastErr error // why there is no line after ahead
}

// What can be wrong with a record; the reader goes on at its second line.
var (
	errQuote = errors.New(`a quote inside or after a field; quotes in a field are doubled`)
	errOpen  = errors.New(`a quote that is opened and not closed within 1 MiB`)
	errLong  = errors.New(`longer than 1 MiB`)
)

func newCSVReader(lines *lineReader) *csvReader { return &csvReader{lines: lines, line: 1} }

// next gives the fields of the next record and its raw bytes, both valid until
// the following call. An error with raw bytes concerns that line alone.
func (c *csvReader) next() (fields []string, raw []byte, err error) {
	for {
		c.drop()
		if len(c.ahead) == 0 && !c.more() {
			return nil, nil, c.lastErr
		}
		if len(c.ahead[0]) > 0 {
			break
		}
		c.used = 1 // an empty line is no record
	}
	c.buf, c.ends = c.buf[:0], c.ends[:0]
	state, size := fieldStart, 0
	for c.used = 0; ; c.used++ {
		if c.used == len(c.ahead) && !c.more() {
			return c.broken(errOpen) // lastErr follows when the lines ahead are used up
		}
		line := c.ahead[c.used]
		if size += len(line) + 1; size > ingest.MaxRaw {
			if c.used == 0 {
				return c.broken(errLong)
			}
			return c.broken(errOpen)
		}
		if state, err = c.parse(state, line); err != nil {
			return c.broken(err)
		}
		if state != quoted {
			c.used++
			return c.record(), c.ahead[0], nil
		}
		c.buf = append(c.buf, '\n')
	}
}

// more reads one line ahead.
func (c *csvReader) more() bool {
	if c.lastErr != nil {
		return false
	}
	line, _, err := c.lines.next()
	if err != nil {
		c.lastErr = err
		return false
	}
	c.ahead = append(c.ahead, append([]byte(nil), line...))
	return true
}

// drop forgets the lines of the record last read.
func (c *csvReader) drop() {
	c.ahead = c.ahead[c.used:]
	c.line += c.used
	c.used = 0
}

// broken refuses the first line of the record.
func (c *csvReader) broken(err error) ([]string, []byte, error) {
	c.used = 1
	return nil, c.ahead[0], err
}

// States between two bytes of a record.
const (
	fieldStart = iota
	plain
	quoted
	quoteInQuoted // the field is over, or a doubled quote follows
)

// parse reads one line of a record, starting in a state, and gives the state it
// ends in.
func (c *csvReader) parse(state int, line []byte) (int, error) {
	for _, b := range line {
		switch {
		case state == quoted:
			if b == '"' {
				state = quoteInQuoted
			} else {
				c.buf = append(c.buf, b)
			}
		case b == ',':
			c.ends = append(c.ends, len(c.buf))
			state = fieldStart
		case b == '"':
			switch state {
			case plain:
				return 0, errQuote
			case quoteInQuoted:
				c.buf = append(c.buf, '"')
			}
			state = quoted
		case state == quoteInQuoted:
			return 0, errQuote
		default:
			c.buf = append(c.buf, b)
			state = plain
		}
	}
	if state != quoted {
		c.ends = append(c.ends, len(c.buf))
	}
	return state, nil
}

// record cuts the parsed bytes into fields.
func (c *csvReader) record() []string {
	all, start := string(c.buf), 0
	c.fields = c.fields[:0]
	for _, end := range c.ends {
		c.fields = append(c.fields, all[start:end])
		start = end
	}
	return c.fields
}
