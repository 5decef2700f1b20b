package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func compileOne(t *testing.T, query string) *Set {
	t.Helper()
	s, err := Compile([]Query{{ID: "q", Text: query}})
	if err != nil {
		t.Fatalf("Compile(%s): %v", query, err)
	}
	return s
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		query string
		yes   []string
		no    []string
	}{
		{`tax`, []string{"tax", "TAX!", "my #tax", "@tax hello", "tax-free", "(tax)", "ｔａｘ", "example.org/tax", "a tax\nb", "\x00tax\x00"},
			[]string{"taxi", "syntax", "#taxday", "ta x", "tax1", ""}},
		{`tax office`, []string{"office of tax", "tax office"}, []string{"tax", "office"}},
		{`tax AND office`, []string{"office of tax"}, []string{"tax"}},
		{`"tax office"`, []string{"the Tax  Office", "tax-office", "tax, office", "tax\toffice."}, []string{"office tax", "tax my office", "taxoffice", "syntax office"}},
		{`tax OR office`, []string{"tax", "office"}, []string{"taxi"}},
		{`a OR b c`, []string{"a", "c b", "a c"}, []string{"b", "c"}},
		{`(a OR b) c`, []string{"a c", "b c"}, []string{"a", "c", "a b"}},
		{`a NOT b c`, []string{"a c"}, []string{"a b c", "a", "c"}},
		{`a NOT (b OR c)`, []string{"a d"}, []string{"a b", "a c"}},
		{`a NOT NOT b`, []string{"a b"}, []string{"a"}},
		{`("tax office" OR @taxoffice) NOT jobs`, []string{"tax office closed", "hey @TaxOffice"}, []string{"tax office jobs", "@taxoffice jobs", "jobs"}},

		{`@taxoffice`, []string{"@taxoffice", ".@TaxOffice help", "thanks @taxoffice.", "thanks @taxoffice.Really", "(@taxoffice)", "＠taxoffice", "@taxoffice's fault", "https://m.example/@taxoffice"},
			[]string{"@taxofficeuk", "me@taxoffice", "me@taxoffice.example", "taxoffice", "@taxoffice_uk", "@taxoffice.example.org", "@taxoffice@example.org", "x_@taxoffice", "#taxoffice", "@ taxoffice"}},
		{`@tax.example.org`, []string{"@tax.example.org", "@tax.example.org."}, []string{"@tax", "@tax.example.org.uk", "tax.example.org"}},
		{`@tax@example.org`, []string{"hey @tax@example.org!"}, []string{"@tax", "tax@example.org"}},
		{`@tax_office`, []string{"@tax_office"}, []string{"@tax", "@taxoffice"}},
		{`#taxday`, []string{"#TaxDay", "so #taxday!", "＃taxday", "#taxday#x"}, []string{"taxday", "#taxdays", "page#taxday", "@taxday"}},
		{`#税金`, []string{"#税金 です", "＃税金"}, []string{"税金", "#税金は"}},

		{`café`, []string{"CAFE", "cafe\u0301", "café"}, []string{"caf"}},
		{`Straße`, []string{"STRASSE", "strasse"}, []string{"strase"}},
		{`impôts`, []string{"les impots", "l’impôts", "l'impôts"}, nil},
		{`"can't log in"`, []string{"cant log in", "I CAN’T log in", "can't log-in"}, []string{"can log in", "can t log in"}},
		{`amtrak`, []string{"Amtrak's late", "amtrak’s", "Am\u00adtrak", "am\u200btrak"}, []string{"amtraks"}},
		{`税務署`, []string{"今日は税務署へ行く", "税務署"}, []string{"税務", "税 務 所"}},
		{`สรรพากร`, []string{"ไปสรรพากรมา"}, []string{"สรร"}},
		{`tax*`, []string{"taxi", "tax", "#taxes", "a taxation"}, []string{"syntax", "ta"}},
		{`"income tax*"`, []string{"income taxes", "income tax"}, []string{"income ta", "tax income"}},
		{`@tax*`, []string{"@taxoffice", "@tax"}, []string{"tax", "me@tax"}},
		{`gov.uk`, []string{"see gov.uk", "https://www.gov.uk/x", "gov uk"}, []string{"govuk"}},
		{`500`, []string{"error 500!", "http500 500"}, []string{"5000", "http500"}},
		{`“tax office”`, []string{"tax office"}, []string{"office"}},
		{`"or"`, []string{"this or that"}, []string{"nor"}},
	} {
		m := compileOne(t, c.query).NewMatcher()
		for _, text := range c.yes {
			if got := m.Match(&Doc{Text: text}); !slices.Equal(got, []int{0}) {
				t.Errorf("%s does not match %q", c.query, text)
			}
		}
		for _, text := range c.no {
			if got := m.Match(&Doc{Text: text}); len(got) != 0 {
				t.Errorf("%s matches %q", c.query, text)
			}
		}
	}
}

func TestLinks(t *testing.T) {
	m := compileOne(t, `"health care" OR healthcare.gov`).NewMatcher()
	for _, c := range []struct {
		doc  Doc
		want bool
	}{
		{Doc{Text: "see", Links: []string{"https://www.healthcare.gov/plans"}}, true},
		{Doc{Text: "see health", Links: []string{"care"}}, false},
		{Doc{Links: []string{"a/health", "care"}}, false},
		{Doc{Links: []string{"a/health-care"}}, true},
	} {
		if got := len(m.Match(&c.doc)) == 1; got != c.want {
			t.Errorf("%+v: got %v", c.doc, got)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		query string
		pos   int
		msg   string
	}{
		{``, 0, "empty"},
		{"  \n", 0, "empty"},
		{`tax OR`, 6, "instead of the end"},
		{`OR tax`, 0, "instead of OR"},
		{`tax AND AND b`, 8, "instead of AND"},
		{`(tax`, 0, "never closed"},
		{`tax)`, 3, "closes nothing"},
		{`()`, 1, "instead of )"},
		{`"tax`, 0, "never closed"},
		{`a ""`, 2, "no letter"},
		{`a !!! b`, 2, "to exclude"},
		{`a ... b`, 2, "no letter"},
		{`NOT tax`, 0, "match everything"},
		{`a OR NOT b`, 0, "match everything"},
		{`NOT (a NOT b)`, 0, "match everything"},
		{`a or b`, 2, "capitals"},
		{`a | b`, 2, "OR"},
		{`a && b`, 2, "AND"},
		{`a -b`, 2, "NOT b"},
		{`a @`, 2, "expected a name"},
		{`a @b!c`, 2, "only letters"},
		{`a "@b c"`, 2, "outside quotes"},
		{`a b/@c`, 2, "stands alone"},
		{`t*x`, 0, "end of a word"},
		{`a *`, 2, "no letter"},
		{`a tax.*`, 2, "must follow"},
		{`"tax"*`, 5, "inside the quotes"},
		{"a \xff", 2, "UTF-8"},
		{strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100), 64, "inside each other"},
		{strings.Repeat("NOT ", 100) + "a", 256, "inside each other"},
		{strings.Repeat("a ", maxQuery), 0, "longer than"},
		{strings.Repeat("a", maxPattern+1), 0, "too long"},
	} {
		_, err := Compile([]Query{{ID: "q", Text: c.query}})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.40q: error is %v", c.query, err)
			continue
		}
		if syntax.Pos != c.pos || !strings.Contains(syntax.Msg, c.msg) || syntax.ID != "q" {
			t.Errorf("%.40q: got %d %q, want %d %q", c.query, syntax.Pos, syntax.Msg, c.pos, c.msg)
		}
	}
}

func TestSyntaxErrorShowsThePlace(t *testing.T) {
	_, err := Compile([]Query{{ID: "ok", Text: "fine"}, {ID: "irs", Text: "impôts OR\n  steuer OR )"}, {Text: "a OR"}})
	want := `query "irs": position 23: expected a word, a phrase, NOT or ( instead of )
    steuer OR )
              ^
position 5: expected a word, a phrase, NOT or ( instead of the end of the query
  a OR
      ^`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestExplain(t *testing.T) {
	s, err := Compile([]Query{
		{Text: `("tax office" OR @steuer) NOT jobs`},
		{Text: `straße* OR healthcare.gov`},
		{Text: `nothing`},
	})
	if err != nil {
		t.Fatal(err)
	}
	doc := Doc{
		Text:  "Am STRASSENRAND: the Tax — Öffice? no, the táx Office. @Steuer, café\u0301",
		Links: []string{"https://healthcare.gov/x"},
	}
	var got []string
	for _, h := range s.NewMatcher().Explain(&doc) {
		text := doc.Text
		if h.Link >= 0 {
			text = doc.Links[h.Link]
		}
		got = append(got, fmt.Sprintf("%d %s %q", h.Query, h.Term, text[h.Start:h.End]))
	}
	want := []string{`0 "tax office" "Tax — Öffice"`, `0 "tax office" "táx Office"`, `0 @steuer "@Steuer"`,
		`1 straße* "STRASSENRAND"`, `1 healthcare.gov "healthcare.gov"`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A Matcher is used for millions of texts: stamps must not leak from one to the
// next, not even when the stamp wraps around.
func TestMatcherForgets(t *testing.T) {
	m := compileOne(t, `a b`).NewMatcher()
	m.epoch = ^uint32(0) - 1
	for range 4 {
		for _, text := range []string{"a", "b"} {
			if len(m.Match(&Doc{Text: text})) != 0 {
				t.Fatalf("epoch %d: the a and the b of two texts matched together", m.epoch)
			}
		}
	}
	if len(m.Match(&Doc{Text: "b a"})) != 1 {
		t.Fatal("a b does not match after the wrap")
	}
}

func TestMatcherGivesBackHugeBuffers(t *testing.T) {
	m := compileOne(t, `a`).NewMatcher()
	m.Match(&Doc{Text: strings.Repeat("@b ", keepBuffer)})
	if c := cap(m.fold.words) + cap(m.fold.tags); c > 2*keepBuffer {
		t.Errorf("the matcher keeps %d bytes", c)
	}
	if len(m.Match(&Doc{Text: "a"})) != 1 {
		t.Error("the matcher does not match after giving back its buffers")
	}
}

func TestEmptySetMatchesNothing(t *testing.T) {
	s, err := Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.NewMatcher().Match(&Doc{Text: "anything @at #all"}); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}
