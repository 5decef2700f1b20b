package match

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// naive is an independent reading of the language: it cuts texts into slices of
// words with the standard library and compares them one by one.
type naive struct {
	op   op
	kids []naive
	// Of a term:
	words  []string
	sigil  rune // '@' or '#', with the name in words[0]
	prefix bool
}

var stripAccents = transform.Chain(norm.NFKD, runes.Remove(runes.In(unicode.Mn)))

func naiveFold(s string) string {
	out, _, err := transform.String(stripAccents, strings.ToLower(s))
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(out, "ß", "ss")
}

func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func naiveWords(s string) []string {
	return strings.FieldsFunc(naiveFold(s), func(r rune) bool { return !isWordRune(r) })
}

// naiveTags finds handles and hashtags of one part.
func naiveTags(s string, sigil rune) []string {
	var tags []string
	rs := []rune(naiveFold(s))
	for i, r := range rs {
		if r != sigil || i > 0 && (isWordRune(rs[i-1]) || rs[i-1] == '_') {
			continue
		}
		j := i + 1
		for j < len(rs) && (isWordRune(rs[j]) || rs[j] == '_') {
			j++
		}
		if j > i+1 {
			tags = append(tags, string(rs[i+1:j]))
		}
	}
	return tags
}

func (n naive) match(text string) bool {
	switch n.op {
	case opNot:
		return !n.kids[0].match(text)
	case opAnd:
		return !slices.ContainsFunc(n.kids, func(k naive) bool { return !k.match(text) })
	case opOr:
		return slices.ContainsFunc(n.kids, func(k naive) bool { return k.match(text) })
	}
	if n.sigil != 0 {
		return slices.ContainsFunc(naiveTags(text, n.sigil), func(tag string) bool {
			return tag == n.words[0] || n.prefix && strings.HasPrefix(tag, n.words[0])
		})
	}
	have := naiveWords(text)
	for i := 0; i+len(n.words) <= len(have); i++ {
		last := len(n.words) - 1
		if slices.Equal(have[i:i+last], n.words[:last]) &&
			(have[i+last] == n.words[last] || n.prefix && strings.HasPrefix(have[i+last], n.words[last])) {
			return true
		}
	}
	return false
}

// Few letters make collisions, overlaps and shared prefixes likely.
var (
	genWord = rapid.StringOfN(rapid.RuneFrom([]rune("abABéÉßя1")), 1, 3, -1)
	genGap  = rapid.SampledFrom([]string{" ", " ", " ", "  ", ", ", "-", "/", ".", " 😡 ", "\n", "_", "@", "#", " @", " #", "e\u0301 "})
)

var genText = rapid.Custom(func(t *rapid.T) string {
	var b strings.Builder
	for range rapid.IntRange(0, 8).Draw(t, "words") {
		b.WriteString(genGap.Draw(t, "gap"))
		b.WriteString(genWord.Draw(t, "word"))
	}
	return b.String()
})

// genQuery draws a query and its naive reading.
func genQuery(t *rapid.T, depth int) (string, naive) {
	shape := rapid.IntRange(0, 6).Draw(t, "shape")
	if depth == 0 {
		shape = rapid.IntRange(0, 2).Draw(t, "leaf")
	}
	switch shape {
	case 0, 1, 2:
		return genTerm(t, shape)
	case 3:
		q, n := genQuery(t, depth-1)
		return "NOT (" + q + ")", naive{op: opNot, kids: []naive{n}}
	}
	count := rapid.IntRange(2, 3).Draw(t, "count")
	join, n := " OR ", naive{op: opOr}
	if shape >= 5 {
		join, n.op = rapid.SampledFrom([]string{" ", " AND "}).Draw(t, "and"), opAnd
	}
	var parts []string
	for range count {
		q, kid := genQuery(t, depth-1)
		parts = append(parts, "("+q+")")
		n.kids = append(n.kids, kid)
	}
	return strings.Join(parts, join), n
}

func genTerm(t *rapid.T, shape int) (string, naive) {
	word := genWord.Draw(t, "term")
	star, prefix := "", rapid.Bool().Draw(t, "prefix")
	if prefix {
		star = "*"
	}
	switch shape {
	case 0:
		return `"` + word + star + `"`, naive{words: []string{naiveFold(word)}, prefix: prefix}
	case 1:
		sigil := rapid.SampledFrom([]rune("@#")).Draw(t, "sigil")
		return string(sigil) + word + star, naive{words: []string{naiveFold(word)}, sigil: sigil, prefix: prefix}
	}
	words := append([]string{word}, rapid.SliceOfN(genWord, 0, 2).Draw(t, "more")...)
	phrase := `"` + strings.Join(words, " ") + star + `"`
	for i := range words {
		words[i] = naiveFold(words[i])
	}
	return phrase, naive{words: words, prefix: prefix}
}

// The matcher and the naive reading agree on random queries and texts, many
// queries in one automaton.
func TestMatchesLikeTheNaiveReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var queries []Query
		var readings []naive
		for range rapid.IntRange(1, 6).Draw(t, "queries") {
			q, n := genQuery(t, 3)
			if n.match("") { // refused by Compile: true of a text without any term
				if _, err := Compile([]Query{{Text: q}}); err == nil {
					t.Fatalf("%s matches the empty text and is not refused", q)
				}
				continue
			}
			queries, readings = append(queries, Query{Text: q}), append(readings, n)
		}
		s, err := Compile(queries)
		if err != nil {
			t.Fatalf("Compile: %v", err)
		}
		m := s.NewMatcher()
		for range 5 {
			// '@' between words and '.' or '-' after a name make handles of
			// several parts, which TestMatch covers by example.
			text := strings.NewReplacer("-@", " @").Replace(genText.Draw(t, "text"))
			if multipart(text) {
				continue
			}
			var want []int
			for i, n := range readings {
				if n.match(text) {
					want = append(want, i)
				}
			}
			if got := m.Match(&Doc{Text: text}); !slices.Equal(got, want) {
				t.Fatalf("text %q, queries %v: got %v, want %v", text, queries, got, want)
			}
			for _, h := range m.Explain(&Doc{Text: text}) {
				if h.Start < 0 || h.Start >= h.End || h.End > len(text) {
					t.Fatalf("text %q: hit %+v is out of range", text, h)
				}
				again := compileTerm(t, h.Term).NewMatcher()
				if len(again.Match(&Doc{Text: text[h.Start:h.End]})) != 1 {
					t.Fatalf("text %q: hit %+v does not hold its term", text, h)
				}
			}
		}
	})
}

func compileTerm(t *rapid.T, term string) *Set {
	s, err := Compile([]Query{{Text: term}})
	if err != nil {
		t.Fatalf("Compile(%s): %v", term, err)
	}
	return s
}

// multipart tells whether a handle in text goes on after . - or @.
func multipart(text string) bool {
	for i, r := range text {
		if r != '@' {
			continue
		}
		rest := text[i+1:]
		j := strings.IndexFunc(rest, func(r rune) bool { return !isWordRune(r) && r != '_' && !unicode.Is(unicode.Mn, r) })
		if j > 0 && strings.ContainsRune(".-@", rune(rest[j])) {
			return true
		}
	}
	return false
}
