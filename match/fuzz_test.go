package match

import (
	"errors"
	"testing"
	"unicode/utf8"
)

// Whatever is typed as a query either compiles or is refused with a place
// inside it; what compiles does not match the empty text; matching and
// explaining never fail, on any bytes.
func FuzzCompile(f *testing.F) {
	f.Add(`("tax office" OR @taxoffice) NOT jobs`, "the tax office, @taxoffice")
	f.Add(`#税金 OR straße* "x y"`, "STRASSE ＃税金 x_y")
	f.Add(`a NOT (b OR NOT c)`, "a\x00\xff@b.c-d@e")
	f.Add(`((((`, "")
	f.Add(`“a” « b »`, "can't can’t n't")
	f.Fuzz(func(t *testing.T, query, text string) {
		s, err := Compile([]Query{{Text: query}})
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Pos < 0 || syntax.Pos > len(query) || syntax.Msg == "" {
				t.Fatalf("%q: error %#v", query, err)
			}
			_ = err.Error()
			return
		}
		if !utf8.ValidString(query) {
			t.Fatalf("%q compiled", query)
		}
		m := s.NewMatcher()
		if len(m.Match(&Doc{})) != 0 {
			t.Fatalf("%q matches the empty text", query)
		}
		doc := Doc{Text: text, Links: []string{text}}
		m.Match(&doc)
		for _, h := range m.Explain(&doc) {
			if h.Start < 0 || h.Start >= h.End || h.End > len(text) {
				t.Fatalf("%q on %q: hit %+v", query, text, h)
			}
		}
	})
}
