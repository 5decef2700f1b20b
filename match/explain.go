package match

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// Explain gives every place in a document that counts in favour of a query
// that matches it, ordered by query, text and place. It allocates; it is for
// people who try a query, not for the stream.
func (m *Matcher) Explain(doc *Doc) []Hit {
	matched := slices.Clone(m.Match(doc))
	if len(matched) == 0 {
		return nil
	}
	places := m.places(doc.Text, -1, nil)
	for i, link := range doc.Links {
		places = m.places(link, i, places)
	}
	var hits []Hit
	for _, q := range matched {
		for _, n := range m.set.queries[q].names {
			for _, p := range places[n.term] {
				hits = append(hits, Hit{Query: q, Term: n.text, Link: p.Link, Start: p.Start, End: p.End})
			}
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(a.Query, b.Query), cmp.Compare(a.Link, b.Link),
			cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Term, b.Term))
	})
	return slices.Compact(hits)
}

// places adds to found, by term, where each term occurs in text.
func (m *Matcher) places(text string, link int, found map[int32][]Hit) map[int32][]Hit {
	if found == nil {
		found = make(map[int32][]Hit)
	}
	m.fold.reset(true)
	m.fold.add(text)
	m.fold.endWord(len(text))
	m.locate(m.fold.words, m.fold.wordFrom, func(term int32, start, end int) {
		found[term] = append(found[term], Hit{Link: link, Start: start, End: endOf(text, end)})
	})
	m.locate(m.fold.tags, m.fold.tagFrom, func(term int32, start, end int) {
		found[term] = append(found[term], Hit{Link: link, Start: start, End: endOf(text, end)})
	})
	return found
}

// locate runs the automaton over folded bytes and yields, for each hit, the
// offsets in the source of the first rune and of the last.
func (m *Matcher) locate(folded []byte, from []int32, yield func(term int32, first, last int)) {
	a := &m.set.auto
	state := int32(root)
	for i, c := range folded {
		state = a.next(state, c)
		for h := a.cell[state].hit; h != 0; h = a.also[h] {
			t := m.set.terms[a.term[h]]
			first, last := i-len(t.pattern)+2, i-1 // past the boundary before, before the one after
			if t.prefix {
				for last = i; folded[last+1] != space && folded[last+1] != mark; {
					last++ // to the end of the word that begins so
				}
			}
			yield(a.term[h], int(from[first]), int(from[last]))
		}
	}
}

// endOf gives where the rune at last ends, with the accents that follow it.
func endOf(text string, last int) int {
	_, n := utf8.DecodeRuneInString(text[last:])
	end := last + n
	for end < len(text) {
		r, n := utf8.DecodeRuneInString(text[end:])
		if !dropped(r) {
			break
		}
		end += n
	}
	return end
}
