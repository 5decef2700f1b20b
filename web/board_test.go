package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"outcry/post"
)

// hostile posts try to be more than text.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`</template></li></ol></section><script src=//evil.example></script>`,
	`{{.Author}} {{template "demo"}} ${alert(1)} javascript:alert(1)`,
	"\u202Eright to left\u2066 zero\u200Bwidth \x00\x07",
	`<a href="https://evil.example/@jane">click</a> [x](javascript:alert(1))`,
	strings.Repeat("W", 10_000),
	"\xff\xfe not UTF-8",
}

func hostileStore() *fakeStore {
	store := &fakeStore{health: []post.SourceHealth{{At: noon, Source: `<b onclick=x>`, State: post.SourceStalled, LastEvent: noon, Detail: "<i>"}}}
	for i, text := range hostile {
		m := said(post.Key(i+1), noon.Add(-time.Duration(i)*time.Second), text)
		m.Platform = text
		m.DetectedLanguage = `en" onfocus="alert(1)`
		store.mentions = append(store.mentions, m)
		store.alerts = append(store.alerts, post.AlertChange{
			ID: post.Key(i + 1), Fingerprint: post.Key(i + 1), At: noon, Started: noon.Add(-time.Hour), State: post.Firing, Severity: text,
			Rule: text, RuleVersion: text, Series: post.Series{Agency: "tax", Platform: text}, Summary: text,
			Annotations: map[string]string{text: text},
		})
	}
	return store
}

// Nothing of a post is ever HTML: the page with hostile posts has the same
// elements, with the same names of attributes, as one with harmless posts.
func TestHostilePostsAreOnlyText(t *testing.T) {
	harmless := hostileStore()
	for i := range harmless.mentions {
		harmless.mentions[i].Text, harmless.mentions[i].Platform, harmless.mentions[i].DetectedLanguage = "calm", "calm", ""
	}
	for i := range harmless.alerts {
		c := &harmless.alerts[i]
		c.Severity, c.Rule, c.RuleVersion, c.Series.Platform, c.Summary = "warning", "calm", "calm", "calm", "calm"
		c.Annotations = map[string]string{"calm": "calm"}
	}
	harmless.health[0].Source, harmless.health[0].Detail = "calm", ""

	for _, path := range []string{"/", "/?agency=tax&issue=down"} {
		got := skeleton(parse(t, get(t, newTestServer(t, hostileStore(), nil), path).Body.String()))
		want := skeleton(parse(t, get(t, newTestServer(t, harmless, nil), path).Body.String()))
		if !slices.Equal(got, want) {
			for i := range got {
				if i >= len(want) || got[i] != want[i] {
					t.Fatalf("%s: hostile posts change the page: element %d is %s", path, i, got[i])
				}
			}
			t.Fatalf("%s: hostile posts remove elements from the page", path)
		}
	}
}

// skeleton lists the elements of a page with the names of their attributes.
func skeleton(doc *html.Node) []string {
	var out []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		line := n.Data
		for _, a := range n.Attr {
			line += " " + a.Key
		}
		out = append(out, line)
	}
	return out
}

func TestPagesHaveNothingInline(t *testing.T) {
	s := newTestServer(t, hostileStore(), nil)
	for _, path := range []string{"/", "/?agency=nobody", "/nowhere"} {
		doc := parse(t, get(t, s, path).Body.String())
		for _, n := range find(doc, func(*html.Node) bool { return true }) {
			if n.Data == "style" || n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil) {
				t.Errorf("%s has an inline <%s>", path, n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s> has %s", path, n.Data, a.Key)
				}
				if (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s: <%s> points to %q", path, n.Data, a.Val)
				}
			}
		}
	}
}

// A runbook is the one link that leads away: the rules name it, and only the web.
func TestOnlyRunbooksLeadAway(t *testing.T) {
	for address, want := range map[string]bool{
		"https://wiki.example/portal?x=1": true, "http://wiki.example/": true,
		"javascript:alert(1)": false, "//wiki.example/": false, "data:text/html,x": false, "wiki": false, "": false,
	} {
		store := &fakeStore{alerts: []post.AlertChange{{
			ID: 1, Fingerprint: 1, At: noon, Started: noon, State: post.Firing, Series: post.Series{Agency: "tax"},
			Annotations: map[string]string{runbookURL: address},
		}}}
		s := newTestServer(t, store, nil)
		doc := parse(t, get(t, s, "/").Body.String())
		links := find(byID(t, doc, "open-alerts"), func(n *html.Node) bool { return attr(n, "data-f") == "runbook" && attr(n, "href") != "" })
		if got := len(links) == 1 && attr(links[0], "href") == address; got != want {
			t.Errorf("runbook %q: link %t, want %t", address, got, want)
		}
	}
}

func TestBoardHasNoAuthorAndNoPermalink(t *testing.T) {
	store := &fakeStore{mentions: []post.StoredMention{said(1, noon, "hello @jane")}}
	s := newTestServer(t, store, nil)
	for _, path := range []string{"/", "/?agency=tax", "/api/v1/mentions", "/api/v1/alerts"} {
		body := get(t, s, path).Body.String()
		for _, secret := range []string{"987654321", "the-author", "jane"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s tells %q", path, secret)
			}
		}
	}
}

func TestDemoIsSaidOnEveryPage(t *testing.T) {
	for _, demo := range []bool{true, false} {
		s := newTestServer(t, &fakeStore{}, func(_ *Config, d *Deps) { d.Demo = demo })
		for _, path := range []string{"/", "/?agency=tax&hours=24", "/?agency=nobody", "/nowhere"} {
			doc := parse(t, get(t, s, path).Body.String())
			banners := find(doc, func(n *html.Node) bool { return attr(n, "class") == "demo" })
			titles := find(doc, func(n *html.Node) bool { return n.Data == "title" })
			if got := len(banners) == 1 && strings.Contains(text(banners[0]), "DEMO"); got != demo {
				t.Errorf("demo %t, %s: banner %t", demo, path, got)
			}
			if got := strings.HasPrefix(text(titles[0]), "DEMO"); got != demo {
				t.Errorf("demo %t, %s: title %q", demo, path, text(titles[0]))
			}
		}
	}
}

// Agencies that need a person come first, and say why.
func TestAgenciesAreOrderedByNeed(t *testing.T) {
	heard := func(id string, voices uint64) post.AgencySummary {
		return post.AgencySummary{Agency: id, TenMinutes: post.Activity{Posts: voices, Voices: voices}, Hour: post.Activity{Posts: voices, Negative: .5}}
	}
	alertOf := func(key post.Key, agency, severity string, state post.AlertState) post.AlertChange {
		return post.AlertChange{ID: key, Fingerprint: key, At: noon, Started: noon.Add(-time.Minute), State: state, Severity: severity, Series: post.Series{Agency: agency}}
	}
	store := &fakeStore{
		summaries: []post.AgencySummary{heard("busy", 15), heard("raised", 16), heard("critical", 1), heard("warned", 3), heard("pending", 2)},
		alerts:    []post.AlertChange{alertOf(1, "critical", "critical", post.Firing), alertOf(2, "warned", "warning", post.Firing), alertOf(3, "pending", "critical", post.Pending)},
	}
	s := newTestServer(t, store, func(_ *Config, d *Deps) {
		d.Agencies = []post.Agency{{ID: "silent"}, {ID: "busy"}, {ID: "raised"}, {ID: "pending"}, {ID: "warned"}, {ID: "critical"}}
	})
	doc := parse(t, get(t, s, "/").Body.String())
	var got []string
	for _, row := range find(byID(t, doc, "agency-rows"), func(n *html.Node) bool { return n.Data == "tr" }) {
		got = append(got, attr(row, "data-key")+":"+attr(row, "data-level"))
	}
	want := []string{"critical:alert", "warned:alert", "pending:normal", "raised:raised", "busy:normal", "silent:quiet"}
	if !slices.Equal(got, want) {
		t.Errorf("agencies are in the order %v, want %v", got, want)
	}
}

// Blind is not calm: the all-clear needs sources that report.
func TestAllClearIsWithheld(t *testing.T) {
	running := post.SourceHealth{At: noon, Source: "a", State: post.SourceRunning, LastEvent: noon}
	with := func(change func(*post.SourceHealth)) []post.SourceHealth {
		h := running
		change(&h)
		return []post.SourceHealth{running, h}
	}
	for _, c := range []struct {
		name   string
		health []post.SourceHealth
		fail   string
		clear  bool
	}{
		{"all run", []post.SourceHealth{running}, "", true},
		{"a file was read to its end long ago", with(func(h *post.SourceHealth) { h.State, h.At = post.SourceFinished, noon.Add(-time.Hour) }), "", true},
		{"none reported", nil, "", false},
		{"one is silent", with(func(h *post.SourceHealth) { h.State = post.SourceStalled }), "", false},
		{"one failed", with(func(h *post.SourceHealth) { h.State = post.SourceBackoff }), "", false},
		{"one failed for good", with(func(h *post.SourceHealth) { h.State = post.SourceFailed }), "", false},
		{"one has a gap", with(func(h *post.SourceHealth) { h.State, h.GapFrom = post.SourceGap, noon.Add(-time.Hour) }), "", false},
		{"one stopped reporting", with(func(h *post.SourceHealth) { h.At = noon.Add(-4 * time.Minute) }), "", false},
		{"alerts are not known", []post.SourceHealth{running}, readAlerts, false},
		{"sources are not known", []post.SourceHealth{running}, readSources, false},
	} {
		store := &fakeStore{health: c.health, fail: map[string]error{c.fail: errors.New("down")}}
		doc := parse(t, get(t, newTestServer(t, store, nil), "/").Body.String())
		calm := byID(t, doc, "no-alerts")
		if got := attr(calm, "data-clear") == "true"; got != c.clear {
			t.Errorf("%s: all-clear %t: %q", c.name, got, text(calm))
		}
		blind := byID(t, doc, "blind")
		if shown := !slices.ContainsFunc(blind.Attr, func(a html.Attribute) bool { return a.Key == "hidden" }); shown != strings.HasPrefix(c.name, "one ") {
			t.Errorf("%s: banner %t", c.name, shown)
		}
	}
}

// A store that does not answer leaves a page that says so, and tells no secrets.
func TestPageWithoutStore(t *testing.T) {
	secret := errors.New("dial clickhouse.internal:9000: password hunter2 refused")
	store := &fakeStore{fail: map[string]error{}}
	for _, read := range []string{readSummaries, readSeries, readMentions, readAlerts, readSources} {
		store.fail[read] = secret
	}
	s := newTestServer(t, store, nil)
	w := get(t, s, "/")
	if w.Code != http.StatusOK {
		t.Errorf("the page is answered with %d", w.Code)
	}
	if strings.Contains(w.Body.String(), "hunter2") {
		t.Error("the page tells why the store failed")
	}
	doc := parse(t, w.Body.String())
	if got, want := text(byID(t, doc, "unknown")), "alerts, mentions, series, sources, summaries"; !strings.Contains(got, want) {
		t.Errorf("the page says %q, want it to name %s", got, want)
	}
	if rows := find(byID(t, doc, "agency-rows"), func(n *html.Node) bool { return n.Data == "tr" }); len(rows) != 2 {
		t.Errorf("%d agencies are listed, want both", len(rows))
	}
}

// What was known stays on the board when the store stops answering.
func TestOverviewKeepsWhatWasKnown(t *testing.T) {
	store := &fakeStore{
		summaries: []post.AgencySummary{{Agency: "tax", TenMinutes: post.Activity{Voices: 7}}},
		health:    []post.SourceHealth{{At: noon, Source: "bluesky", State: post.SourceRunning}},
		fail:      map[string]error{},
	}
	now := noon
	s := newTestServer(t, store, func(_ *Config, d *Deps) { d.Now = func() time.Time { return now } })
	s.overview.get(t.Context())
	now = now.Add(time.Minute)
	store.fail[readSummaries], store.fail[readSources] = errors.New("down"), errors.New("down")
	o := s.overview.get(t.Context())
	if o.Agencies[0].TenMinutes.Voices != 7 || len(o.Sources) != 1 {
		t.Errorf("the board forgot: %+v, %+v", o.Agencies[0], o.Sources)
	}
	if !slices.Equal(o.Unknown, []string{readSources, readSummaries}) {
		t.Errorf("the board does not say what is old: %v", o.Unknown)
	}
}

// One question serves many viewers.
func TestOverviewIsTakenOnce(t *testing.T) {
	store := &fakeStore{}
	s := newTestServer(t, store, nil)
	for range 20 {
		get(t, s, "/api/v1/agencies")
	}
	if n := store.count(readSummaries); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
}

func TestViewLivesInItsAddress(t *testing.T) {
	s := newTestServer(t, &fakeStore{points: []post.Point{{Series: post.Series{Agency: "water", Issue: "wait"}, Minute: noon.Add(-30 * time.Minute), Posts: 4}}}, nil)
	doc := parse(t, get(t, s, "/?agency=water&hours=24&until=2026-03-04T12:00:00Z").Body.String())
	if got := text(byID(t, doc, "timeline-title")); got != "Water Works" {
		t.Errorf("the timeline is of %q", got)
	}
	body := find(doc, func(n *html.Node) bool { return n.Data == "body" })[0]
	if got := fmt.Sprint(attr(body, "data-agency"), attr(body, "data-hours"), attr(body, "data-until")); got != "water242026-03-04T12:00:00.000Z" {
		t.Errorf("the scripts are told %q", got)
	}
	for _, want := range []string{
		"/?agency=water&hours=24#timeline",                                           // now
		"/?agency=water&hours=24&until=2026-03-03T12%3A00%3A00Z#timeline",            // earlier
		"/?agency=water&hours=24&issue=wait&until=2026-03-04T12%3A00%3A00Z#timeline", // one issue
		"/?agency=water&until=2026-03-04T12%3A00%3A00Z#timeline",                     // six hours, the default
	} {
		if links := find(doc, func(n *html.Node) bool { return n.Data == "a" && attr(n, "href") == want }); len(links) == 0 {
			t.Errorf("no link leads to %s", want)
		}
	}
	for _, bad := range []string{"/?agency=nobody", "/?hours=7", "/?hours=x", "/?until=yesterday", "/?nonsense=1", "/?agency=tax&agency=water", "/?issue=<script>"} {
		w := get(t, s, bad)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Header().Get("Content-Type"), "text/html") || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%s is answered with %d %s", bad, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

// Every chart has a table with the same numbers, and one row for each step.
func TestChartHasItsTable(t *testing.T) {
	store := &fakeStore{points: []post.Point{{Series: post.Series{Agency: "tax"}, Minute: noon.Add(-10 * time.Minute), Posts: 50, Negative: 31, Authors: 42}}}
	doc := parse(t, get(t, newTestServer(t, store, nil), "/?agency=tax&hours=1").Body.String())
	rows := find(byID(t, doc, "points"), func(n *html.Node) bool { return n.Data == "tr" })[1:]
	if len(rows) != 60 {
		t.Errorf("the table of an hour has %d rows", len(rows))
	}
	if got, want := text(rows[50]), "4 Mar 11:50 UTC4210 (5–15)5031"; got != want {
		t.Errorf("the row says %q, want %q", got, want)
	}
	if got := text(byID(t, doc, "chart-caption")); !strings.Contains(got, "42 at 4 Mar 11:50 UTC, expected 10") {
		t.Errorf("the caption says %q", got)
	}
}

func TestAssetsNeverChangeUnderOneAddress(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, nil)
	doc := parse(t, get(t, s, "/").Body.String())
	n := 0
	for _, link := range find(doc, func(n *html.Node) bool { return n.Data == "script" || n.Data == "link" }) {
		path := attr(link, "src") + attr(link, "href")
		w := get(t, s, path)
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, Cache-Control %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
		n++
	}
	if n < 5 {
		t.Errorf("the page names %d files", n)
	}
	for _, path := range []string{"/static/older/board.css", s.pages.assets + "/", s.pages.assets + "/js", s.pages.assets + "/../templates/board.html", s.pages.assets + "/%2e%2e/templates/board.html"} {
		if w := get(t, s, path); w.Code == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

// Numbers that JSON cannot hold do not stop the board.
func TestImpossibleNumbers(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m := said(1, noon, "text")
		m.Sentiment.Score, m.Sentiment.Confidence, m.Complaint, m.Issues[0].Score = float32(f), float32(f), float32(f), float32(f)
		activity := post.Activity{Posts: 1, Voices: 1, Negative: f}
		store := &fakeStore{
			mentions:  []post.StoredMention{m},
			points:    []post.Point{{Series: post.Series{Agency: "tax"}, Minute: noon.Add(-time.Hour), Posts: 1, Authors: 1, Score: f}},
			summaries: []post.AgencySummary{{Agency: "tax", TenMinutes: activity, Hour: activity, Day: activity}},
			alerts:    []post.AlertChange{{ID: 1, Fingerprint: 1, At: noon, Started: noon, State: post.Firing, Series: post.Series{Agency: "tax"}, Observed: f, Expected: f, Surprise: f, Negative: f}},
		}
		s := newTestServer(t, store, func(_ *Config, d *Deps) { d.Expected = impossible(f) })
		for _, path := range []string{"/?agency=tax", "/api/v1/agencies", "/api/v1/series?agency=tax", "/api/v1/mentions", "/api/v1/alerts"} {
			if w := get(t, s, path); w.Code != http.StatusOK {
				t.Errorf("%v: %s is answered with %d", f, path, w.Code)
			}
		}
		newEvent(eventSummary, s.overview.get(t.Context()))
		s.mentionEvent(&m)
		s.alertEvent(store.alerts[0])
	}
}

type impossible float64

func (f impossible) Expected(_ context.Context, _ post.Series, from, _ time.Time, _ time.Duration) ([]Band, error) {
	return []Band{{Time: from, Mean: float64(f), Low: float64(f), High: float64(f)}}, nil
}
