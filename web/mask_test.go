package web

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDisplayHidesWhoWrote(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"thanks @TaxOffice.", "thanks @•••."},
		{"@a.bsky.social and @b@mastodon.example!", "@••• and @•••!"},
		{"write to jane.doe+tax@example.org, please", "write to @•••, please"},
		{"＠fullwidth and ﹫small", "@••• and @•••"},
		{"@役所の対応がひどい", "@役所の対応がひどい"},
		{"@tax_office役所", "@•••役所"},
		{"price @ 5 pm", "price @ 5 pm"},
		{"see https://x.example/jane/status/1 now", "see x.example/… now"},
		{"see https://example.org", "see example.org"},
		{"https://jane:secret@example.org/x", "example.org/…"},
		{"at bsky.app/profile/jane.example/post/3k", "at bsky.app/…"},
		{"https://jane.bsky.social says", "•••.bsky.social says"},
		{"mail MAILTO:jane@example.org", "mail MAILTO:@•••"},
		{"rated 3.5/10 and and/or", "rated 3.5/10 and and/or"},
		{"@@@", "@•••"},
		{"", ""},
	} {
		if got := display(c.in); got != c.want {
			t.Errorf("display(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDisplayDropsWhatHidesOrReorders(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a\u202Eb\u2066c\u200Bd\u00ADe\uFEFFf\x00g\x1b[31mh\u0085i", "abcdefg[31mhi"},
		{"one\ntwo\tthree\u2028four", "one two three four"},
		{"می\u200Cخواهم", "می\u200Cخواهم"},
		{"👩\u200D🚒", "👩\u200D🚒"},
		{"Z" + strings.Repeat("\u0301", 40) + "x", "Z" + strings.Repeat("\u0301", maxMarks) + "x"},
		{"tag\U000E0041\U000E0042ged", "tagged"},
	} {
		if got := display(c.in); got != c.want {
			t.Errorf("display(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDisplayIsBounded(t *testing.T) {
	if got := display(strings.Repeat("W", 10_000)); utf8.RuneCountInString(got) != maxShown+1 || !strings.HasSuffix(got, "…") {
		t.Errorf("a long post is shown with %d characters, ending in %q", utf8.RuneCountInString(got), got[len(got)-6:])
	}
}

func FuzzDisplay(f *testing.F) {
	for _, s := range []string{"@a@b", "https://a/b", "\xff@\u202E", "a@b.c/d?e#f", "://@", "Z\u0301\u0301", "bsky.social"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := display(s)
		if !utf8.ValidString(got) {
			t.Fatalf("display(%q) is not valid UTF-8: %q", s, got)
		}
		if n := utf8.RuneCountInString(got); n > 4*maxShown {
			t.Fatalf("display of %d bytes has %d characters", len(s), n)
		}
		runes := []rune(got)
		for i, r := range runes {
			if hidden(r) {
				t.Fatalf("display(%q) keeps %U", s, r)
			}
			if i > 0 && isAt(runes[i-1]) && inHandle(r) && r != '.' && r != '-' {
				t.Fatalf("display(%q) = %q shows a handle", s, got)
			}
		}
	})
}
