package analyze

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"outcry/analyze/issue"
	"outcry/analyze/language"
	"outcry/configs"
	"outcry/post"
)

// fakeScorer finds the word bad bad, and panics at the word boom.
type fakeScorer struct{}

func (fakeScorer) Score(text string) post.Sentiment {
	if strings.Contains(text, "boom") {
		panic("boom")
	}
	s := post.Sentiment{Label: post.Neutral, Scorer: "fake-1"}
	if strings.Contains(text, "bad") {
		s = post.Sentiment{Label: post.Negative, Score: -0.8, Confidence: 0.9, Scorer: "fake-1"}
	}
	return s
}

var testIssues = sync.OnceValue(func() *issue.Classifier {
	data, err := configs.Files.ReadFile("issues.yaml")
	if err != nil {
		panic(err)
	}
	cfg, err := issue.Load("issues.yaml", data)
	if err != nil {
		panic(err)
	}
	c, err := issue.New(cfg)
	if err != nil {
		panic(err)
	}
	return c
})

func testEnricher() *Enricher {
	return NewEnricher(EnricherConfig{Scorer: fakeScorer{}, Issues: testIssues(), Languages: language.New()})
}

// fakeStore keeps what it is given, and fails as often as it is told.
type fakeStore struct {
	mu       sync.Mutex
	failures map[string]int // what → failures left
	calls    []string
	mentions []post.Mention
	deletes  []post.Post
	letters  []post.DeadLetter
}

func (f *fakeStore) call(what string) error {
	f.calls = append(f.calls, what)
	if f.failures[what] > 0 {
		f.failures[what]--
		return errors.New("connection refused")
	}
	return nil
}

func (f *fakeStore) InsertMentions(_ context.Context, m []post.Mention) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.call(whatMentions)
	if err == nil {
		f.mentions = append(f.mentions, m...)
	}
	return err
}

func (f *fakeStore) InsertDeletes(_ context.Context, d []post.Post) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.call(whatDeletes)
	if err == nil {
		f.deletes = append(f.deletes, d...)
	}
	return err
}

func (f *fakeStore) DeadLetters(_ context.Context, l []post.DeadLetter) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.call(whatLetters)
	if err == nil {
		f.letters = append(f.letters, l...)
	}
	return err
}

func newAnalyzer(store *fakeStore, reg prometheus.Registerer) *Analyzer {
	cfg := DefaultConfig()
	cfg.Workers = 3
	return New(cfg, Deps{
		Log:         slog.New(slog.DiscardHandler),
		Metrics:     NewMetrics(reg),
		Topic:       "posts",
		Sink:        store,
		DeadLetters: store.DeadLetters,
		Enricher:    testEnricher(),
		Now:         func() time.Time { return noon.Add(2 * time.Second) },
	})
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newPost(key post.Key, text string) post.Post {
	return post.Post{Kind: post.KindPost, Key: key, Platform: "test", Source: "test", Time: noon, Arrived: noon,
		Text: text, Agencies: []string{"tax-office"}}
}

func encode(t testing.TB, p post.Post) []byte {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func messages(values ...[]byte) []Message {
	out := make([]Message, len(values))
	for i, v := range values {
		out[i] = Message{Value: v, Partition: 3, Offset: int64(100 + i)}
	}
	return out
}

func TestHandleUnderstandsAndStores(t *testing.T) {
	store := &fakeStore{}
	edited := newPost(2, "The portal is down, bad")
	edited.Kind, edited.Edited = post.KindEdit, noon.Add(time.Minute)
	deleted := post.Post{Kind: post.KindDelete, Key: 3, Platform: "test", Source: "test", Time: noon, Arrived: noon}
	err := newAnalyzer(store, prometheus.NewRegistry()).Handle(t.Context(), messages(
		encode(t, newPost(1, "hello")), encode(t, edited), encode(t, deleted)))
	if err != nil {
		t.Fatal(err)
	}
	if len(store.mentions) != 2 || len(store.deletes) != 1 || len(store.letters) != 0 {
		t.Fatalf("stored %d mentions, %d deletes, %d letters", len(store.mentions), len(store.deletes), len(store.letters))
	}
	m := store.mentions[1]
	if m.Key != 2 || m.Kind != post.KindEdit || m.DetectedLanguage != "en" || m.Sentiment.Label != post.Negative ||
		m.Complaint < issue.ComplaintThreshold || len(m.Issues) == 0 || m.Issues[0].ID != "down" ||
		len(m.TouchPoints) == 0 || m.TouchPoints[0].ID != "web" {
		t.Errorf("understood as %+v", m)
	}
}

// Posts of one key keep their order, and deletes come after the mentions of
// their batch.
func TestHandleKeepsOrder(t *testing.T) {
	store := &fakeStore{}
	var values [][]byte
	for i := range 1000 {
		values = append(values, encode(t, newPost(post.Key(i+1), fmt.Sprint(i))))
	}
	values = append(values, encode(t, post.Post{Kind: post.KindDelete, Key: 1, Time: noon, Arrived: noon}))
	if err := newAnalyzer(store, prometheus.NewRegistry()).Handle(t.Context(), messages(values...)); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(store.mentions, func(a, b post.Mention) int { return int(a.Key) - int(b.Key) }) || len(store.mentions) != 1000 {
		t.Errorf("%d mentions, or out of order", len(store.mentions))
	}
	if want := []string{whatMentions, whatDeletes}; !slices.Equal(store.calls, want) {
		t.Errorf("calls %v, want %v", store.calls, want)
	}
}

func TestPoisonBecomesDeadLetters(t *testing.T) {
	with := func(change func(p *post.Post)) []byte {
		p := newPost(7, "x")
		change(&p)
		return encode(t, p)
	}
	raw := func(s string) []byte { return []byte(s) }
	for _, c := range []struct {
		name, reason string
		value        []byte
	}{
		{"empty", reasonJSON, nil},
		{"not JSON", reasonJSON, raw("hello")},
		{"truncated", reasonJSON, encode(t, newPost(1, "x"))[:40]},
		{"trailing", reasonJSON, append(encode(t, newPost(1, "x")), '{')},
		{"an array", reasonJSON, raw("[]")},
		{"null", reasonKind, raw("null")},
		{"text is a number", reasonJSON, raw(`{"kind":"post","key":"1","text":5}`)},
		{"key is a number", reasonJSON, raw(`{"kind":"post","key":1}`)},
		{"key is negative", reasonJSON, raw(`{"kind":"post","key":"-1"}`)},
		{"time is no time", reasonJSON, raw(`{"kind":"post","key":"1","time":"yesterday"}`)},
		{"deep", reasonJSON, raw(strings.Repeat("[", 100_000))},
		{"not UTF-8", reasonEncoding, raw("{\"kind\":\"post\",\"text\":\"\xff\"}")},
		{"NUL", reasonEncoding, with(func(p *post.Post) { p.Text = "a\x00b" })},
		{"NUL in a link", reasonEncoding, with(func(p *post.Post) { p.Links = []string{"a\x00"} })},
		{"unknown kind", reasonKind, with(func(p *post.Post) { p.Kind = "poke" })},
		{"no key", reasonKey, with(func(p *post.Post) { p.Key = 0 })},
		{"no agency", reasonAgency, with(func(p *post.Post) { p.Agencies = nil })},
		{"empty agency", reasonAgency, with(func(p *post.Post) { p.Agencies = []string{""} })},
		{"many agencies", reasonAgency, with(func(p *post.Post) { p.Agencies = slices.Repeat([]string{"a"}, maxAgencies+1) })},
		{"no time", reasonTime, with(func(p *post.Post) { p.Time = time.Time{} })},
		{"not arrived", reasonTime, with(func(p *post.Post) { p.Arrived = time.Time{} })},
		{"ancient", reasonTime, with(func(p *post.Post) { p.Time = time.Date(1850, 1, 1, 0, 0, 0, 0, time.UTC) })},
		{"far future", reasonTime, with(func(p *post.Post) { p.Time = time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC) })},
		{"edited in the far future", reasonTime, with(func(p *post.Post) { p.Edited = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC) })},
		{"too large", reasonTooLarge, with(func(p *post.Post) { p.Text = strings.Repeat("a", maxMessage) })},
		{"delete without time", reasonTime, raw(`{"kind":"delete","key":"1"}`)},
		{"panic", reasonPanic, with(func(p *post.Post) { p.Text = "the boom and the bang" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, reg := &fakeStore{}, prometheus.NewRegistry()
			a := newAnalyzer(store, reg)
			err := a.Handle(t.Context(), messages(encode(t, newPost(1, "before")), c.value, encode(t, newPost(2, "after"))))
			if err != nil {
				t.Fatal(err)
			}
			if len(store.mentions) != 2 {
				t.Errorf("%d neighbours stored, want 2", len(store.mentions))
			}
			if len(store.letters) != 1 {
				t.Fatalf("%d dead letters, want 1", len(store.letters))
			}
			l := store.letters[0]
			if l.Reason != c.reason || l.Stage != "analyze" || l.Source != "posts/3/101" || l.At.IsZero() || len(l.Raw) > maxLetter {
				t.Errorf("letter %+v, want reason %s", l, c.reason)
			}
			if n := testutil.ToFloat64(a.deps.Metrics.letters.WithLabelValues(c.reason)); n != 1 {
				t.Errorf("counted %v", n)
			}
			if got, want := testutil.ToFloat64(a.deps.Metrics.messages), testutil.ToFloat64(a.deps.Metrics.mentions)+1; got != want {
				t.Errorf("messages %v, mentions and letters %v", got, want)
			}
		})
	}
}

// Whatever fails, the same batch is tried until all of it is stored, each part
// once; nothing is skipped.
func TestHandleRetriesUntilStored(t *testing.T) {
	for _, what := range []string{whatLetters, whatMentions, whatDeletes} {
		synctest.Test(t, func(t *testing.T) {
			store := &fakeStore{failures: map[string]int{what: 20}}
			a := newAnalyzer(store, prometheus.NewRegistry())
			err := a.Handle(t.Context(), messages(encode(t, newPost(1, "x")), []byte("poison"),
				encode(t, post.Post{Kind: post.KindDelete, Key: 1, Time: noon, Arrived: noon})))
			if err != nil {
				t.Fatal(err)
			}
			if len(store.mentions) != 1 || len(store.deletes) != 1 || len(store.letters) != 1 {
				t.Errorf("%s failing: stored %d, %d, %d", what, len(store.mentions), len(store.deletes), len(store.letters))
			}
			if n := testutil.ToFloat64(a.deps.Metrics.failures.WithLabelValues(what)); n != 20 {
				t.Errorf("%s: %v failures counted, want 20", what, n)
			}
		})
	}
}

// When ownership is lost while the store is down, the batch is given up without
// the nil that would commit it.
func TestHandleStopsWithoutCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{failures: map[string]int{whatMentions: 1 << 30}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := newAnalyzer(store, prometheus.NewRegistry()).Handle(ctx, messages(encode(t, newPost(1, "x"))))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if len(store.calls) < 100 {
			t.Errorf("only %d attempts in an hour", len(store.calls))
		}
	})
}

func TestRun(t *testing.T) {
	broken := errors.New("no such topic")
	for _, c := range []struct {
		name    string
		consume func(ctx context.Context, handle Handler) error
		want    error
	}{
		{"ends with its context", func(ctx context.Context, _ Handler) error { return context.Canceled }, nil},
		{"fails with its consumer", func(context.Context, Handler) error { return broken }, broken},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		a := newAnalyzer(&fakeStore{}, prometheus.NewRegistry())
		a.deps.Consume = c.consume
		if c.want == nil {
			cancel()
		}
		if err := a.Run(ctx); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		cancel()
	}
}

func TestNilMetricsCountNothing(t *testing.T) {
	store := &fakeStore{failures: map[string]int{}}
	a := newAnalyzer(store, prometheus.NewRegistry())
	a.deps.Metrics = nil
	if err := a.Handle(t.Context(), messages(encode(t, newPost(1, "x")), []byte("poison"))); err != nil {
		t.Fatal(err)
	}
}

// Every label is there from the start, so that a first rise is seen as one.
func TestMetricsStartAtZero(t *testing.T) {
	reg := prometheus.NewRegistry()
	NewMetrics(reg)
	for name, want := range map[string]int{"outcry_analyze_dead_letters_total": len(reasons()), "outcry_analyze_store_failures_total": 3} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != want {
			t.Errorf("%s has %d labels, want %d (%v)", name, n, want, err)
		}
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestConfigValidate(t *testing.T) {
	if faults := DefaultConfig().Validate(); len(faults) != 0 {
		t.Errorf("the default has faults: %v", faults)
	}
	bad := Config{Scorer: "oracle", Workers: -1, RetryMin: 0, RetryMax: -1, StoreTimeout: 0}
	var keys []string
	for _, f := range bad.Validate() {
		keys = append(keys, f.Key)
	}
	if want := []string{"scorer", "workers", "retry_min", "retry_max", "store_timeout"}; !slices.Equal(keys, want) {
		t.Errorf("faults of %v, want %v", keys, want)
	}
}

// FuzzDecode: whatever comes, decode either refuses it with a known reason or
// yields a post that everything behind it can rely on.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, newPost(1, "hello")))
	f.Add([]byte(`{"kind":"delete","key":"5","time":"2026-01-01T00:00:00Z","arrived":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte("{\"kind\":\"post\",\"text\":\"\\ud800\\u0000\"}"))
	f.Fuzz(func(t *testing.T, value []byte) {
		var m post.Mention
		if poison := decode(value, &m.Post); poison != nil {
			if !slices.Contains(reasons(), poison.reason) {
				t.Fatalf("reason %q", poison.reason)
			}
			return
		}
		p := &m.Post
		if p.Key == 0 || p.Time.Year() < firstYear || p.Time.Year() > lastYear || holdsNUL(p) ||
			p.Kind != post.KindDelete && len(p.Agencies) == 0 || p.Kind == post.KindDelete && p.Text != "" {
			t.Fatalf("decoded %+v", p)
		}
		if p.Kind != post.KindDelete && !strings.Contains(p.Text, "boom") {
			testEnricher().Enrich(&m)
		}
	})
}
