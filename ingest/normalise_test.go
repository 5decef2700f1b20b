package ingest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"outcry/post"
)

var arrived = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)

// normalising gives a normaliser and the changes it has counted.
func normalising(archive bool) (*normaliser, map[string]int) {
	counts := map[string]int{}
	return &normaliser{
		source: "s", archive: archive, authors: newPseudonymiser([]byte("0123456789abcdef")),
		changed: func(c change) { counts[changeNames[c]]++ },
	}, counts
}

func TestNormaliseText(t *testing.T) {
	long := strings.Repeat("é", maxText)
	for name, test := range map[string]struct {
		in, want string
		changes  string
	}{
		"plain":            {"hello\n\tworld", "hello\n\tworld", ""},
		"empty":            {"", "", ""},
		"carriage returns": {"a\r\nb", "a\nb", ""},
		"NUL":              {"a\x00b", "ab", "control_characters"},
		"escape":           {"a\x1b[31mb\u0085c\x7f", "a[31mbc", "control_characters"},
		"invalid UTF-8":    {"a\xff\xfeb", "a\uFFFDb", "invalid_utf8"},
		"cut rune":         {"caf\xc3", "caf\uFFFD", "invalid_utf8"},
		"surrogate":        {"\xed\xa0\x80x", "\uFFFDx", "invalid_utf8"},
		"decomposed":       {"cafe\u0301", "café", ""},
		"emoji kept":       {"👩‍👧 🇩🇪 ok", "👩‍👧 🇩🇪 ok", ""},
		"too long":         {long, long[:maxText], "text_truncated"},
		"cut at a rune":    {"x" + long, "x" + long[:maxText-2], "text_truncated"},
		"10 MB":            {strings.Repeat("a", 10<<20), strings.Repeat("a", maxText), "text_truncated"},
		"right to left":    {"\u202eabc", "\u202eabc", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, counts := normalising(false)
			if got := n.text(test.in, false); got != test.want {
				t.Errorf("got %.60q, want %.60q", got, test.want)
			}
			for _, c := range changeNames {
				want := 0
				if c == test.changes {
					want = 1
				}
				if counts[c] != want {
					t.Errorf("%s was counted %d times", c, counts[c])
				}
			}
		})
	}
}

func TestNormaliseTime(t *testing.T) {
	at := arrived.Truncate(time.Millisecond)
	for name, test := range map[string]struct {
		in            time.Time
		live, archive time.Time // zero is refused
		change        string    // of the live one
	}{
		"missing":       {time.Time{}, at, at, "time_missing"},
		"past":          {at.Add(-time.Hour), at.Add(-time.Hour), at.Add(-time.Hour), ""},
		"old":           {at.AddDate(-9, 0, 0), at.Add(-24 * time.Hour), at.AddDate(-9, 0, 0), "time_past"},
		"before 1970":   {time.Date(1789, 7, 14, 0, 0, 0, 0, time.UTC), at.Add(-24 * time.Hour), time.Time{}, "time_past"},
		"slightly fast": {at.Add(30 * time.Second), at.Add(30 * time.Second), at.Add(30 * time.Second), ""},
		"future":        {at.Add(time.Hour), at.Add(time.Minute), at.Add(time.Minute), "time_future"},
		"far future":    {time.Date(22026, 1, 1, 0, 0, 0, 0, time.UTC), at.Add(time.Minute), at.Add(time.Minute), "time_future"},
		"zone":          {time.Date(2026, 3, 1, 10, 0, 0, 999_999, time.FixedZone("", -3600)), time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for archive, want := range map[bool]time.Time{false: test.live, true: test.archive} {
				n, counts := normalising(archive)
				p, refusal := n.post(&Event{Platform: "x", ID: "1", Text: "t", Time: test.in}, arrived)
				switch {
				case want.IsZero():
					if refusal == nil || refusal.Reason != ReasonBadTime {
						t.Errorf("archive %v: got %v, %v", archive, p.Time, refusal)
					}
				case refusal != nil:
					t.Errorf("archive %v: refused: %v", archive, refusal)
				case !p.Time.Equal(want) || p.Time.Location() != time.UTC || !p.Arrived.Equal(at):
					t.Errorf("archive %v: time %v, arrived %v, want %v", archive, p.Time, p.Arrived, want)
				}
				if !archive && test.change != "" && counts[test.change] != 1 {
					t.Errorf("counted %v", counts)
				}
			}
		})
	}
}

func TestNormaliseEdit(t *testing.T) {
	published := arrived.Add(-time.Hour).Truncate(time.Millisecond)
	for name, test := range map[string]struct{ edited, want time.Time }{
		"given":           {arrived.Add(-time.Minute), arrived.Add(-time.Minute).Truncate(time.Millisecond)},
		"missing":         {time.Time{}, arrived.Truncate(time.Millisecond)},
		"future":          {arrived.Add(time.Hour), arrived.Add(time.Minute).Truncate(time.Millisecond)},
		"before its post": {published.Add(-time.Hour), published},
	} {
		n, _ := normalising(false)
		p, refusal := n.post(&Event{Kind: post.KindEdit, Platform: "x", ID: "1", Text: "t", Time: published, Edited: test.edited}, arrived)
		if refusal != nil || !p.Edited.Equal(test.want) {
			t.Errorf("%s: edited %v, want %v (%v)", name, p.Edited, test.want, refusal)
		}
	}
}

func TestNormaliseRefuses(t *testing.T) {
	good := Event{Platform: "x", ID: "1", Text: "t"}
	for reason, change := range map[string]func(*Event){
		ReasonBadID:       func(e *Event) { e.ID = "" },
		ReasonBadPlatform: func(e *Event) { e.Platform = "my platform" },
		ReasonBadKind:     func(e *Event) { e.Kind = "like" },
	} {
		n, _ := normalising(false)
		ev := good
		change(&ev)
		if _, refusal := n.post(&ev, arrived); refusal == nil || refusal.Reason != reason {
			t.Errorf("wanted %s, got %v", reason, refusal)
		}
	}
	n, _ := normalising(false)
	for _, ev := range []Event{
		{Platform: "x", ID: strings.Repeat("i", maxID+1)}, {Platform: "", ID: "1"},
		{Platform: strings.Repeat("p", maxPlatform+1), ID: "1"}, {Platform: "x\x00y", ID: "1"},
	} {
		if _, refusal := n.post(&ev, arrived); refusal == nil {
			t.Errorf("%.40v was accepted", ev)
		}
	}
}

func TestNormaliseRest(t *testing.T) {
	n, counts := normalising(false)
	ev := Event{
		Platform: "Mastodon", ID: "1", Author: "alice@example.org", Text: "t", Language: "en-US",
		Permalink: "javascript:alert(1)",
		Links: append([]string{"https://example.org/a", "ftp://x/y", "https://user:pw@example.org/", "no link", "http://e.org/\x00",
			"https://" + strings.Repeat("a", maxURL), "http://caf\xff.org"}, make([]string, 1000)...),
	}
	p, refusal := n.post(&ev, arrived)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if p.Platform != "mastodon" || p.Key != Key("mastodon", "1") || p.Kind != post.KindPost || p.Source != "s" {
		t.Errorf("got %+v", p)
	}
	if p.Language != "en" || p.Permalink != "" || len(p.Links) != 1 || p.Links[0] != "https://example.org/a" {
		t.Errorf("language %q, permalink %q, links %q", p.Language, p.Permalink, p.Links)
	}
	if counts["permalink_dropped"] != 1 || counts["link_dropped"] == 0 || counts["link_dropped"] > 10*maxLinks {
		t.Errorf("counted %v", counts)
	}
	for tag, want := range map[string]string{"DE": "de", "pt_BR": "pt", "fil": "fil", "english": "", "e1": "", "": "", "é": ""} {
		if got := n.language(tag); got != want {
			t.Errorf("language %q gives %q", tag, got)
		}
	}
	b, err := json.Marshal(p)
	if err != nil || strings.Contains(string(b), "alice") {
		t.Errorf("what travels is %s (%v)", b, err)
	}
}

func TestDeleteCarriesNothing(t *testing.T) {
	n, _ := normalising(false)
	p, refusal := n.post(&Event{Kind: post.KindDelete, Platform: "x", ID: "1", Author: "a", Text: "secret", Permalink: "https://e.org", Language: "en", Links: []string{"https://e.org"}}, arrived)
	if refusal != nil {
		t.Fatal(refusal)
	}
	if p.Text != "" || p.Permalink != "" || p.Author != 0 || p.Links != nil || p.Language != "" || p.Key != Key("x", "1") {
		t.Errorf("a delete carries %+v", p)
	}
}

// FuzzNormalise feeds anything and wants what every later part relies on.
func FuzzNormalise(f *testing.F) {
	f.Add("x", "1", "a", "text", "en", "https://e.org", int64(0), "post")
	f.Add("X", "\x00", "", "\xff\u0301\u0301e\u0301", "pt-BR", "http://[::1", int64(-1<<60), "edit")
	f.Add("x", "1", "a", strings.Repeat("e\u0301", 90), "", "", int64(1<<60), "delete")
	f.Fuzz(func(t *testing.T, platform, id, author, text, language, link string, unix int64, kind string) {
		for _, archive := range []bool{false, true} {
			n, _ := normalising(archive)
			ev := Event{Kind: post.Kind(kind), Platform: platform, ID: id, Author: author, Text: text, Language: language,
				Permalink: link, Links: []string{link, text}, Time: time.Unix(unix, 0), Edited: time.Unix(-unix, 0)}
			p, refusal := n.post(&ev, arrived)
			if refusal != nil {
				if l := refusal.deadEvent(&ev); len(l.Raw) > maxDeadRaw || l.Reason == "" {
					t.Fatalf("dead letter of %d bytes, reason %q", len(l.Raw), l.Reason)
				}
				continue
			}
			if !utf8.ValidString(p.Text) || !norm.NFC.IsNormalString(p.Text) || len(p.Text) > maxText || strings.ContainsFunc(p.Text, isControl) {
				t.Fatalf("text %.80q", p.Text)
			}
			if again := n.text(p.Text, false); again != p.Text {
				t.Fatalf("normalising twice gives %.80q, then %.80q", p.Text, again)
			}
			for _, u := range append(p.Links, p.Permalink) {
				if u != "" && (len(u) > maxURL || !utf8.ValidString(u) || !strings.HasPrefix(strings.ToLower(u), "http")) {
					t.Fatalf("link %q", u)
				}
			}
			low := arrived.Add(-maxPast).Truncate(time.Millisecond)
			if archive {
				low = time.Unix(0, 0)
			}
			for _, at := range []time.Time{p.Time, p.Arrived} {
				if at.After(arrived.Add(maxFuture)) || at.Before(low) || at.Location() != time.UTC || at.Nanosecond()%1e6 != 0 {
					t.Fatalf("time %v of a post that arrived %v", at, arrived)
				}
			}
			if p.Kind == post.KindEdit && p.Edited.Before(p.Time) {
				t.Fatalf("edited %v, published %v", p.Edited, p.Time)
			}
			b, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var back post.Post
			if err := json.Unmarshal(b, &back); err != nil || back.Text != p.Text || back.Key != p.Key {
				t.Fatalf("does not survive JSON: %v", err)
			}
		}
	})
}
