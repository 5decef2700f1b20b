package match

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is a kind of token; its text is how errors call it.
type tokenKind string

const (
	tokEnd    tokenKind = "the end of the query"
	tokWord   tokenKind = "a word"
	tokPhrase tokenKind = "a phrase"
	tokOpen   tokenKind = "("
	tokClose  tokenKind = ")"
	tokAnd    tokenKind = "AND"
	tokOr     tokenKind = "OR"
	tokNot    tokenKind = "NOT"
)

// token is a piece of a query, from byte pos to byte end of it.
type token struct {
	kind     tokenKind
	text     string // of a word; of a phrase, what is between the quotes
	pos, end int
}

// next reads the token at or after byte from.
func (p *parser) next(from int) {
	if p.err != nil {
		return
	}
	rest := strings.TrimLeftFunc(p.query[from:], unicode.IsSpace)
	pos := len(p.query) - len(rest)
	if rest == "" {
		p.tok = token{kind: tokEnd, pos: pos, end: pos}
		return
	}
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case r == '(':
		p.tok = token{kind: tokOpen, pos: pos, end: pos + size}
	case r == ')':
		p.tok = token{kind: tokClose, pos: pos, end: pos + size}
	case isQuote(r):
		p.phrase(pos, rest, size)
	default:
		p.word(pos, rest)
	}
}

// isQuote accepts the straight quote and those that word processors make of it.
func isQuote(r rune) bool { return strings.ContainsRune(`"“”„«»`, r) }

func (p *parser) phrase(pos int, rest string, size int) {
	n := strings.IndexFunc(rest[size:], isQuote)
	if n < 0 {
		p.fail(pos, "this quote is never closed")
		return
	}
	text := rest[size : size+n]
	_, closing := utf8.DecodeRuneInString(rest[size+n:])
	end := pos + size + n + closing
	if strings.HasPrefix(p.query[end:], "*") { // "income tax"* reads like "income tax*"
		p.fail(end, "* belongs inside the quotes, after the last word")
		return
	}
	p.tok = token{kind: tokPhrase, text: text, pos: pos, end: end}
}

func (p *parser) word(pos int, rest string) {
	n := strings.IndexFunc(rest, func(r rune) bool {
		return unicode.IsSpace(r) || r == '(' || r == ')' || isQuote(r)
	})
	if n < 0 {
		n = len(rest)
	}
	t := token{kind: tokWord, text: rest[:n], pos: pos, end: pos + n}
	switch t.text {
	case "AND":
		t.kind = tokAnd
	case "OR":
		t.kind = tokOr
	case "NOT":
		t.kind = tokNot
	case "and", "or", "not", "And", "Or", "Not":
		p.fail(pos, `write %s in capitals, or "%s" in quotes to look for the word itself`, strings.ToUpper(t.text), t.text)
		return
	case "|", "||":
		p.fail(pos, "write OR")
		return
	case "&", "&&", "+":
		p.fail(pos, "write AND, or nothing: a space means AND")
		return
	}
	if len(t.text) > 1 && (t.text[0] == '-' || t.text[0] == '!') {
		p.fail(pos, "to exclude a word, write NOT %s", t.text[1:])
		return
	}
	p.tok = t
}
