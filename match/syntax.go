package match

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// SyntaxError says what is wrong with a query and where.
type SyntaxError struct {
	ID    string // of the query; may be empty
	Query string
	Pos   int // byte offset into Query
	Msg   string
}

// Error prints the reason, the line of the query it concerns, and a caret under
// the place.
func (e *SyntaxError) Error() string {
	line, column := e.Query, e.Pos
	if i := strings.LastIndexByte(line[:column], '\n'); i >= 0 {
		line, column = line[i+1:], column-i-1
	}
	if i := strings.IndexByte(line[column:], '\n'); i >= 0 {
		line = line[:column+i]
	}
	line, column = window(line, column)
	var name string
	if e.ID != "" {
		name = fmt.Sprintf("query %q: ", e.ID)
	}
	return fmt.Sprintf("%sposition %d: %s\n  %s\n  %s^", name, utf8.RuneCountInString(e.Query[:e.Pos])+1, e.Msg,
		printable(line), strings.Repeat(" ", utf8.RuneCountInString(line[:column])))
}

// window cuts a long line to what surrounds column.
func window(line string, column int) (string, int) {
	const around = 60
	start, end := max(0, column-around), min(len(line), column+around)
	for start > 0 && !utf8.RuneStart(line[start]) {
		start--
	}
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end++
	}
	return line[start:end], column - start
}

// printable replaces what would break the line or move the caret.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
