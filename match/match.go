// Package match is Outcry's query language and its compiled matcher. A Set
// holds many queries; a Matcher tells in one pass over a text which of them
// match, at a cost that does not grow with the number of queries.
//
// # The language
//
//	tax office            both words, anywhere in the text
//	"tax office"          the exact phrase
//	tax OR customs        either
//	tax NOT (bus OR taxi) tax, and neither bus nor taxi
//	@taxoffice #taxday    a handle, a hashtag, as a whole
//	tax*                  every word that begins with tax; also @tax*, #tax*, "income tax*"
//
// A space means AND. NOT binds tighter than AND, AND tighter than OR;
// parentheses group. Operators are written in capitals.
//
// # What matches
//
// Letter case, accents and width do not matter: "café" matches "CAFE". Words
// are compared whole, between Unicode word boundaries: tax matches "tax-free",
// "#tax", "@tax" and "example.org/tax", not "taxi". Whatever separates words
// (spaces, punctuation, an emoji) counts as one space, so "time out" matches
// "time-out". The apostrophe of n't is ignored: "can't" matches "cant". Scripts
// that do not put spaces between words match anywhere.
//
// A handle ends where the platforms end it: @taxoffice matches neither
// @taxofficeuk nor @taxoffice.example.org nor me@taxoffice.
package match

import "slices"

// Query is one query and the id by which errors name it.
type Query struct{ ID, Text string }

// Doc is what a query is tried on.
type Doc struct {
	Text  string
	Links []string // addresses the post links to; matched like text, phrases do not cross from one to the next
}

// Hit is one place in a document that made a query match.
type Hit struct {
	Query      int    // index of the query
	Term       string // the term as the query writes it
	Link       int    // index into Doc.Links, or -1 for Doc.Text
	Start, End int    // byte offsets into that text
}

// Set is a compiled set of queries. It is immutable and safe for concurrent use.
type Set struct {
	auto    automaton
	folds   *foldTable
	terms   []term
	users   [][]int32 // by term: the queries that contain it
	queries []program
}

// term is a distinct pattern of the automaton.
type term struct {
	pattern string // folded, with its boundaries
	prefix  bool   // ends in *
}

// Compile compiles queries. Its error joins one *SyntaxError for each query
// that is wrong.
func Compile(queries []Query) (*Set, error) {
	b := builder{
		set:  &Set{folds: folds()},
		byID: make(map[string]int32),
	}
	if err := b.addAll(queries); err != nil {
		return nil, err
	}
	patterns := make([]string, len(b.set.terms))
	for i, t := range b.set.terms {
		patterns[i] = t.pattern
	}
	b.set.auto = buildAutomaton(patterns)
	return b.set, nil
}

// Len gives the number of queries.
func (s *Set) Len() int { return len(s.queries) }

// keepBuffer is the largest folded text whose buffer a Matcher keeps for the
// next one, so that one huge document does not pin its memory for good.
const keepBuffer = 1 << 18

// Matcher matches documents against a Set. It is not safe for concurrent use;
// make one for each goroutine.
type Matcher struct {
	set        *Set
	fold       folder
	epoch      uint32
	seenTerm   []uint32 // by term: epoch of its last hit
	seenQuery  []uint32 // by query: epoch in which it became a candidate
	candidates []int
	matched    []int
}

// NewMatcher makes a Matcher for one goroutine.
func (s *Set) NewMatcher() *Matcher {
	return &Matcher{
		set:       s,
		fold:      folder{table: s.folds},
		seenTerm:  make([]uint32, len(s.terms)),
		seenQuery: make([]uint32, len(s.queries)),
	}
}

// Match gives the indexes of the queries that match, in ascending order. The
// slice is valid until the next call.
func (m *Matcher) Match(doc *Doc) []int {
	m.begin()
	m.fold.reset(false)
	m.fold.add(doc.Text)
	for _, link := range doc.Links {
		m.fold.cut()
		m.fold.add(link)
	}
	m.fold.finish()
	m.scan(m.fold.words)
	m.scan(m.fold.tags)
	m.fold.shrink(keepBuffer)
	return m.evaluate()
}

// begin forgets the previous document.
func (m *Matcher) begin() {
	m.epoch++
	if m.epoch == 0 { // wrapped around: old stamps would look fresh
		clear(m.seenTerm)
		clear(m.seenQuery)
		m.epoch = 1
	}
	m.candidates = m.candidates[:0]
	m.matched = m.matched[:0]
}

// scan runs the automaton over folded text and notes the terms it hits.
func (m *Matcher) scan(text []byte) {
	a := &m.set.auto
	state := int32(root)
	for i := 0; i < len(text); i++ {
		state = a.next(state, text[i])
		if state == root { // no pattern begins inside a word: skip its rest
			for i+1 < len(text) && text[i+1] > space {
				i++
			}
			continue
		}
		for h := a.cell[state].hit; h != 0; h = a.also[h] {
			m.note(a.term[h])
		}
	}
}

// note records a hit of term t and makes its queries candidates.
func (m *Matcher) note(t int32) {
	if m.seenTerm[t] == m.epoch {
		return
	}
	m.seenTerm[t] = m.epoch
	for _, q := range m.set.users[t] {
		if m.seenQuery[q] != m.epoch {
			m.seenQuery[q] = m.epoch
			m.candidates = append(m.candidates, int(q))
		}
	}
}

// evaluate decides the candidates. Compile refuses queries that are true of a
// text without any of their terms, so no other query can match.
func (m *Matcher) evaluate() []int {
	for _, q := range m.candidates {
		p := &m.set.queries[q]
		if p.eval(p.root, m.hitTerm) {
			m.matched = append(m.matched, q)
		}
	}
	slices.Sort(m.matched)
	return m.matched
}

func (m *Matcher) hitTerm(t int32) bool { return m.seenTerm[t] == m.epoch }
