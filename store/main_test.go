package store

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/internal/testenv"
	"outcry/post"
)

func TestMain(m *testing.M) {
	testenv.MaybeRunEngine()
	// Each check of a property asks the engine dozens of times: fewer of them,
	// unless the command line says otherwise.
	if err := flag.Set("rapid.checks", "5"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	testenv.StopSharedEngine()
	os.Exit(code)
}

// openStore gives a store on a database of its own on the shared engine, not
// yet migrated.
func openStore(t testing.TB, deps Deps, change ...func(*Config)) *Store {
	t.Helper()
	engine, database := testenv.Database(t)
	cfg := DefaultConfig()
	cfg.Database = database
	cfg.TextTTL = 10 * 365 * 24 * time.Hour // noon, below, is not today
	for _, f := range change {
		f(&cfg)
	}
	deps.Endpoint = func() (string, string, error) { return engine.Endpoint.URL, engine.Endpoint.Token, nil }
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// newStore gives a store on an empty, migrated database of its own.
func newStore(t testing.TB, change ...func(*Config)) *Store {
	t.Helper()
	s := openStore(t, Deps{}, change...)
	must(t, s.Migrate(t.Context()))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exec runs a statement as an operator would.
func exec(t testing.TB, s *Store, sql string) {
	t.Helper()
	must(t, s.conn.Exec(t.Context(), sql))
}

// lines gives the rows of a query of one String column.
func lines(t testing.TB, s *Store, sql string) []string {
	t.Helper()
	var out []string
	must(t, s.rows(t.Context(), sql, nil, func(rows driver.Rows) error {
		var line string
		err := rows.Scan(&line)
		out = append(out, line)
		return err
	}))
	return out
}

// line gives the only row of a query of one String column.
func line(t testing.TB, s *Store, sql string) string {
	t.Helper()
	out := lines(t, s, sql)
	if len(out) != 1 {
		t.Fatalf("%s: %d rows: %s", sql, len(out), strings.Join(out, ", "))
	}
	return out[0]
}

// noon is the time around which the tests happen.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// mention makes a negative post about tax-office, in English, on x.
func mention(key post.Key, at time.Time, change ...func(*post.Mention)) post.Mention {
	m := post.Mention{
		Post: post.Post{
			Kind: post.KindPost, Key: key, Platform: "x", Source: "test", Time: at, Arrived: at.Add(time.Second),
			Text: fmt.Sprintf("post %d", key), Author: key + 1000, Permalink: "https://example.org/" + key.String(),
			Links: []string{"https://example.org/link"}, Language: "en", Agencies: []string{"tax-office"},
		},
		DetectedLanguage: "en",
		Sentiment:        post.Sentiment{Score: -0.5, Label: post.Negative, Confidence: 0.75, Scorer: "vader-1"},
		Complaint:        0.5,
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

func about(agencies ...string) func(*post.Mention) {
	return func(m *post.Mention) { m.Agencies = agencies }
}

func withIssues(ids ...string) func(*post.Mention) {
	return func(m *post.Mention) { m.Issues = labels(ids) }
}

func withTouchPoints(ids ...string) func(*post.Mention) {
	return func(m *post.Mention) { m.TouchPoints = labels(ids) }
}

func labels(ids []string) []post.Label {
	var out []post.Label
	for i, id := range ids {
		out = append(out, post.Label{ID: id, Score: 1 / float32(i+2)})
	}
	return out
}

// edited makes an edit of a post.
func edited(at time.Time, text string) func(*post.Mention) {
	return func(m *post.Mention) { m.Kind, m.Edited, m.Text = post.KindEdit, at, text }
}

func texts(mentions []post.StoredMention) []string {
	out := []string{}
	for _, m := range mentions {
		out = append(out, m.Text)
	}
	return out
}

func keysOf(mentions []post.StoredMention) []post.Key {
	out := []post.Key{}
	for _, m := range mentions {
		out = append(out, m.Key)
	}
	return out
}
