package match

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits on one query: a query is written by people, and compiled in memory.
const (
	maxQuery = 64 << 10 // bytes
	maxDepth = 64       // nested parentheses and NOTs
)

// op is what a node of a query does.
type op uint8

const (
	opTerm op = iota
	opNot
	opAnd
	opOr
)

// opNode is a node of a query's expression.
type opNode struct {
	op   op
	term int32   // of opTerm: index into Set.terms
	kids []int32 // of the others: indexes of nodes
}

// program is a compiled query.
type program struct {
	nodes []opNode
	root  int32
	names []name // what the query calls its terms, for Explain
}

// name is a term that counts in favour of a query, as the query writes it.
type name struct {
	term int32
	text string
}

// eval evaluates node n, given which terms were hit.
func (p *program) eval(n int32, hit func(term int32) bool) bool {
	node := &p.nodes[n]
	switch node.op {
	case opTerm:
		return hit(node.term)
	case opNot:
		return !p.eval(node.kids[0], hit)
	case opAnd:
		for _, k := range node.kids {
			if !p.eval(k, hit) {
				return false
			}
		}
		return true
	default:
		for _, k := range node.kids {
			if p.eval(k, hit) {
				return true
			}
		}
		return false
	}
}

// builder collects the terms and programs of a Set.
type builder struct {
	set  *Set
	byID map[string]int32 // by pattern: index into set.terms
	fold folder
}

func (b *builder) addAll(queries []Query) error {
	b.fold.table = b.set.folds
	var faults []error
	for _, q := range queries {
		p := parser{builder: b, query: q.Text}
		if err := p.run(); err != nil {
			err.ID = q.ID
			faults = append(faults, err)
			continue
		}
		index := int32(len(b.set.queries))
		b.set.queries = append(b.set.queries, p.program)
		used := make(map[int32]bool)
		for _, n := range p.program.nodes {
			if n.op == opTerm && !used[n.term] {
				used[n.term] = true
				b.set.users[n.term] = append(b.set.users[n.term], index)
			}
		}
	}
	return errors.Join(faults...)
}

// termOf gives the index of a pattern.
func (b *builder) termOf(t term) int32 {
	i, ok := b.byID[t.pattern]
	if !ok {
		i = int32(len(b.set.terms))
		b.byID[t.pattern] = i
		b.set.terms = append(b.set.terms, t)
		b.set.users = append(b.set.users, nil)
	}
	return i
}

// parser parses one query by recursive descent. The first fault is kept and
// ends the token stream, so that everything above returns by itself.
type parser struct {
	*builder
	query   string
	tok     token
	depth   int
	negated int // enclosing NOTs
	err     *SyntaxError
	program program
}

// run parses the query into p.program.
func (p *parser) run() *SyntaxError {
	if len(p.query) > maxQuery {
		p.fail(0, "the query is longer than %d bytes", maxQuery)
		return p.err
	}
	if i := invalidUTF8(p.query); i >= 0 {
		p.fail(i, "the query is not valid UTF-8")
		return p.err
	}
	p.next(0)
	if p.tok.kind == tokEnd {
		p.fail(0, "the query is empty")
		return p.err
	}
	p.program.root = p.or()
	if p.tok.kind == tokClose {
		p.fail(p.tok.pos, "this ) closes nothing")
	}
	if p.err == nil && p.program.eval(p.program.root, func(int32) bool { return false }) {
		p.fail(0, "the query would match everything that does not contain what it excludes; add what to look for")
	}
	return p.err
}

func (p *parser) fail(pos int, format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{Query: p.query, Pos: pos, Msg: fmt.Sprintf(format, args...)}
	}
	p.tok = token{kind: tokEnd, pos: len(p.query), end: len(p.query)}
}

func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// add appends a node. A list of one is that one.
func (p *parser) add(op op, kids []int32) int32 {
	if len(kids) == 1 && op != opNot {
		return kids[0]
	}
	p.program.nodes = append(p.program.nodes, opNode{op: op, kids: kids})
	return int32(len(p.program.nodes) - 1)
}

// or = and { "OR" and }
func (p *parser) or() int32 {
	kids := []int32{p.and()}
	for p.tok.kind == tokOr {
		p.next(p.tok.end)
		kids = append(kids, p.and())
	}
	return p.add(opOr, kids)
}

// and = not { [ "AND" ] not }
func (p *parser) and() int32 {
	kids := []int32{p.not()}
	for {
		switch p.tok.kind {
		case tokAnd:
			p.next(p.tok.end)
		case tokEnd, tokClose, tokOr:
			return p.add(opAnd, kids)
		}
		kids = append(kids, p.not())
	}
}

// not = "NOT" not | "(" or ")" | term
func (p *parser) not() int32 {
	p.depth++
	defer func() { p.depth-- }()
	at := p.tok
	if p.depth > maxDepth {
		p.fail(at.pos, "more than %d parentheses or NOTs inside each other", maxDepth)
		return 0
	}
	switch at.kind {
	case tokNot:
		p.next(at.end)
		p.negated++
		kid := p.not()
		p.negated--
		return p.add(opNot, []int32{kid})
	case tokOpen:
		p.next(at.end)
		n := p.or()
		if p.tok.kind != tokClose {
			p.fail(at.pos, "this ( is never closed")
			return 0
		}
		p.next(p.tok.end)
		return n
	case tokWord, tokPhrase:
		p.next(at.end)
		return p.term(at)
	}
	p.fail(at.pos, "expected a word, a phrase, NOT or ( instead of %s", at.kind)
	return 0
}

// term compiles a word, phrase, handle or hashtag.
func (p *parser) term(t token) int32 {
	text, prefix := strings.CutSuffix(t.text, "*")
	if found := strings.Contains(text, "*"); found {
		p.fail(t.pos, "* can only stand at the end of a word or phrase")
		return 0
	}
	pattern, problem := p.pattern(t.kind, text)
	switch {
	case problem != "":
		p.fail(t.pos, "%s", problem)
		return 0
	case len(pattern) > maxPattern:
		p.fail(t.pos, "the phrase is too long")
		return 0
	}
	if prefix {
		if !endsInWord(text) {
			p.fail(t.pos, "* must follow a letter or digit")
			return 0
		}
		pattern = pattern[:len(pattern)-1]
	}
	n := p.termOf(term{pattern: pattern, prefix: prefix})
	p.program.nodes = append(p.program.nodes, opNode{op: opTerm, term: n})
	if p.negated%2 == 0 {
		p.program.names = append(p.program.names, name{term: n, text: p.query[t.pos:t.end]})
	}
	return int32(len(p.program.nodes) - 1)
}

// maxPattern bounds one folded phrase, in bytes.
const maxPattern = 1 << 10

// pattern folds the text of a term into what the automaton searches, or says
// why it cannot.
func (p *parser) pattern(k tokenKind, text string) (pattern, problem string) {
	p.fold.reset(true)
	p.fold.add(text)
	p.fold.finish()
	words, tags := p.fold.words, p.fold.tags
	first, _ := utf8.DecodeRuneInString(text)
	sigil, _ := p.fold.fold(first)
	isTag := sigil == kindAt || sigil == kindHash
	switch {
	case k == tokPhrase && len(tags) > 1:
		return "", `a handle or hashtag stands outside quotes: @name AND "the phrase"`
	case k == tokWord && isTag && len(tags) == 1:
		return "", fmt.Sprintf("expected a name after %c", first)
	case k == tokWord && isTag:
		if whole := int(p.fold.tagFrom[len(tags)-1]) == len(text); !whole {
			return "", "a handle or hashtag holds only letters, digits and _ (a handle also . - and @ between them)"
		}
		return string(tags), ""
	case len(tags) > 1:
		return "", "a handle or hashtag stands alone, with a space before it"
	case len(words) == 1:
		return "", "there is no letter or digit to look for"
	}
	return string(words), ""
}

// endsInWord tells whether the last rune of s is part of a word, a handle or a
// hashtag.
func endsInWord(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
