package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/html"

	"outcry/post"
)

// noon is the time of every test that does not need another.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// fakeStore is a store in memory. Its fields may be changed under mu.
type fakeStore struct {
	mu        sync.Mutex
	mentions  []post.StoredMention // in the order in which they were stored
	points    []post.Point
	summaries []post.AgencySummary
	alerts    []post.AlertChange
	health    []post.SourceHealth
	fail      map[string]error // by the read constants of metrics.go
	reads     map[string]int
	queries   []post.MentionQuery
	series    []post.SeriesQuery
}

func (f *fakeStore) read(what string) error {
	if f.reads == nil {
		f.reads = make(map[string]int)
	}
	f.reads[what]++
	return f.fail[what]
}

func (f *fakeStore) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads[what]
}

func (f *fakeStore) store(m ...post.StoredMention) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mentions = append(f.mentions, m...)
}

func (f *fakeStore) AgencySummaries(context.Context, time.Time) ([]post.AgencySummary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.summaries), f.read(readSummaries)
}

func (f *fakeStore) Points(_ context.Context, q post.SeriesQuery) ([]post.Point, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.series = append(f.series, q)
	if err := f.read(readSeries); err != nil {
		return nil, err
	}
	var out []post.Point
	for _, p := range f.points {
		if (q.Agency == "" || p.Agency == q.Agency) && !p.Minute.Before(q.From) && p.Minute.Before(q.To) && q.By.Issue == (p.Issue != "") {
			out = append(out, p)
		}
	}
	return out, nil
}

func (f *fakeStore) Mentions(_ context.Context, q post.MentionQuery) ([]post.StoredMention, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queries = append(f.queries, q)
	if err := f.read(readMentions); err != nil {
		return nil, err
	}
	var out []post.StoredMention
	for _, m := range f.mentions {
		after := q.After == nil || m.StoredAt.After(q.After.StoredAt) || m.StoredAt.Equal(q.After.StoredAt) && m.Key > q.After.Key
		if after && (q.Agency == "" || q.Agency == m.Agency) && (q.To.IsZero() || m.Time.Before(q.To)) {
			out = append(out, m)
		}
	}
	if q.After == nil {
		slices.SortStableFunc(out, func(a, b post.StoredMention) int { return b.Time.Compare(a.Time) })
	}
	return out[:min(len(out), q.Limit)], nil
}

func (f *fakeStore) Exemplars(_ context.Context, s post.Series, _, _ time.Time, n int) ([]post.StoredMention, error) {
	return f.Mentions(context.Background(), post.MentionQuery{Agency: s.Agency, Limit: n})
}

func (f *fakeStore) AlertLog(_ context.Context, since time.Time) ([]post.AlertChange, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []post.AlertChange
	for _, c := range f.alerts {
		if !c.At.Before(since) {
			out = append(out, c)
		}
	}
	return out, f.read(readAlerts)
}

func (f *fakeStore) SourceHealth(context.Context) ([]post.SourceHealth, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.health), f.read(readSources)
}

// said is a stored post about the agency "tax".
func said(key post.Key, stored time.Time, text string) post.StoredMention {
	m := post.StoredMention{Agency: "tax", StoredAt: stored}
	m.Key, m.Kind, m.Platform, m.Time, m.Text = key, post.KindPost, "bluesky", stored.Add(-time.Second), text
	m.Author, m.Permalink = 987654321, "https://example.org/the-author/1"
	m.Links = []string{"https://example.org/linked-by-the-author"}
	m.DetectedLanguage = "en"
	m.Sentiment = post.Sentiment{Label: post.Negative, Score: -.5, Confidence: .9, Scorer: "fake-1"}
	m.Issues = []post.Label{{ID: "down", Score: .8}}
	return m
}

// bands expects ten voices a step, between five and fifteen.
type bands struct {
	mu    sync.Mutex
	asked int
	err   error
}

func (b *bands) Expected(_ context.Context, _ post.Series, from, to time.Time, step time.Duration) ([]Band, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	var out []Band
	for t := from; t.Before(to); t = t.Add(step) {
		out = append(out, Band{Time: t, Mean: 10, Low: 5, High: 15})
	}
	return out, b.err
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// newTestServer is a board over store at noon; change alters its dependencies.
func newTestServer(t *testing.T, store Store, change func(*Config, *Deps)) *Server {
	t.Helper()
	reg := prometheus.NewRegistry()
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	deps := Deps{
		Store: store, Expected: &bands{}, Log: quietLog(), Registry: reg, Metrics: NewMetrics(reg),
		Agencies: []post.Agency{{ID: "tax", Name: "Tax Office", Country: "GB"}, {ID: "water", Name: "Water Works"}},
		Issues:   map[string]string{"down": "Website down", "wait": "Waiting"},
		Now:      func() time.Time { return noon },
	}
	if change != nil {
		change(&cfg, &deps)
	}
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get asks the board for a path.
func get(t *testing.T, s *Server, path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "127.0.0.1:8080"
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// parse reads a page as a browser would.
func parse(t *testing.T, page string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// find gives the elements below n for which is holds.
func find(n *html.Node, is func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && is(d) {
			out = append(out, d)
		}
	}
	return out
}

func byID(t *testing.T, doc *html.Node, id string) *html.Node {
	t.Helper()
	found := find(doc, func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) != 1 {
		t.Fatalf("%d elements have the id %q, not one", len(found), id)
	}
	return found[0]
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
