package embedded

import "strings"

// tokenKind tells the few kinds of token that matter here apart.
type tokenKind int

const (
	tokenWord   tokenKind = iota // identifier or keyword, or a number
	tokenQuoted                  // `identifier` or "identifier"
	tokenString                  // 'text' or $tag$text$tag$
	tokenSign                    // one byte of punctuation
)

// token is a piece of SQL; blanks and comments are none.
type token struct {
	kind       tokenKind
	text       string // of a quoted identifier: what is between the quotes, as written
	start, end int    // offsets in the SQL
}

// is tells whether the token is the bare keyword, in any case.
func (t token) is(keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, keyword)
}

func (t token) sign(c byte) bool { return t.kind == tokenSign && t.text[0] == c }

// lexer splits SQL into tokens as ClickHouse does. It never fails: what is
// unfinished ends with the text, and the engine reports it.
type lexer struct {
	sql string
	pos int
}

// next returns the next token, and false at the end.
func (l *lexer) next() (token, bool) {
	l.skipBlank()
	if l.pos >= len(l.sql) {
		return token{}, false
	}
	start := l.pos
	switch c := l.sql[start]; {
	case c == '\'':
		l.quoted(c)
		return token{tokenString, l.sql[start:l.pos], start, l.pos}, true
	case c == '`' || c == '"':
		l.quoted(c)
		return token{tokenQuoted, strings.Trim(l.sql[start:l.pos], string(c)), start, l.pos}, true
	case strings.HasPrefix(l.sql[start:], "‘"):
		l.skipPast("’")
		return token{tokenString, l.sql[start:l.pos], start, l.pos}, true
	case strings.HasPrefix(l.sql[start:], "“"):
		l.skipPast("”")
		return token{tokenQuoted, strings.Trim(l.sql[start:l.pos], "“”"), start, l.pos}, true
	case c == '$' && l.heredoc():
		return token{tokenString, l.sql[start:l.pos], start, l.pos}, true
	case wordByte(c):
		for l.pos < len(l.sql) && wordByte(l.sql[l.pos]) {
			l.pos++
		}
		return token{tokenWord, l.sql[start:l.pos], start, l.pos}, true
	default:
		l.pos++
		return token{tokenSign, l.sql[start:l.pos], start, l.pos}, true
	}
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// skipBlank goes past blanks and comments. Characters outside ASCII are blanks
// to the engine or mistakes, but for the curly quotes.
func (l *lexer) skipBlank() {
	for l.pos < len(l.sql) {
		rest := l.sql[l.pos:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v\x00", rest[0]) >= 0:
			l.pos++
		case rest[0] >= 0x80 && !strings.HasPrefix(rest, "‘") && !strings.HasPrefix(rest, "“"):
			l.pos++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
			l.skipPast("\n")
		case strings.HasPrefix(rest, "/*"):
			l.pos += 2
			l.skipPast("*/")
		default:
			return
		}
	}
}

func (l *lexer) skipPast(end string) {
	if i := strings.Index(l.sql[l.pos:], end); i >= 0 {
		l.pos += i + len(end)
	} else {
		l.pos = len(l.sql)
	}
}

// quoted goes past a quoted text: a backslash escapes, a doubled quote is one.
func (l *lexer) quoted(quote byte) {
	for l.pos++; l.pos < len(l.sql); l.pos++ {
		switch c := l.sql[l.pos]; {
		case c == '\\':
			l.pos++
		case c == quote && l.pos+1 < len(l.sql) && l.sql[l.pos+1] == quote:
			l.pos++
		case c == quote:
			l.pos++
			return
		}
	}
	l.pos = len(l.sql)
}

// heredoc goes past $tag$…$tag$ and tells whether there was one.
func (l *lexer) heredoc() bool {
	end := l.pos + 1
	for end < len(l.sql) && wordByte(l.sql[end]) {
		end++
	}
	if end >= len(l.sql) || l.sql[end] != '$' {
		return false
	}
	tag := l.sql[l.pos : end+1]
	close := strings.Index(l.sql[end+1:], tag)
	if close < 0 {
		return false
	}
	l.pos = end + 1 + close + len(tag)
	return true
}
