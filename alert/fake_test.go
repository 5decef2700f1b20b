package alert

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/alert/notify"
	"outcry/post"
)

// voice is one post in the fake store.
type voice struct {
	at       time.Time
	agency   string
	issue    string // or empty
	author   uint64
	negative bool
}

// memory is a Store that keeps everything in memory, and fails on demand.
type memory struct {
	mu      sync.Mutex
	voices  []voice // ordered by time once sorted
	sorted  bool
	health  []post.SourceHealth
	changes map[post.Key]post.AlertChange
	notes   []post.Notification

	fail    map[string]error // by method
	answers map[post.SeriesQuery][]post.Point
}

func newMemory() *memory {
	return &memory{changes: map[post.Key]post.AlertChange{}, fail: map[string]error{}, answers: map[post.SeriesQuery][]post.Point{}}
}

var errStore = errors.New("the store is down")

func (m *memory) add(v ...voice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.voices = append(m.voices, v...)
	m.sorted = false
	clear(m.answers)
}

func (m *memory) breakdown(method string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail[method] = err
}

func (m *memory) failing(method string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fail[method]
}

func (m *memory) Points(_ context.Context, q post.SeriesQuery) ([]post.Point, error) {
	if err := m.failing("Points"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.sorted {
		slices.SortFunc(m.voices, func(a, b voice) int { return a.at.Compare(b.at) })
		m.sorted = true
	}
	if known, ok := m.answers[q]; ok {
		return known, nil
	}
	type slot struct {
		series post.Series
		at     int64
	}
	step := int64(max(q.Step, time.Minute).Seconds())
	points := map[slot]*post.Point{}
	authors := map[slot]map[uint64]bool{}
	from, _ := slices.BinarySearchFunc(m.voices, q.From, func(v voice, t time.Time) int { return v.at.Compare(t) })
	for _, v := range m.voices[from:] {
		if !v.at.Before(q.To) {
			break
		}
		if q.Agency != "" && v.agency != q.Agency || q.Issue != "" && v.issue != q.Issue || q.By.Issue && v.issue == "" {
			continue
		}
		s := slot{post.Series{Agency: v.agency}, v.at.Unix() / step * step}
		if q.By.Issue {
			s.series.Issue = v.issue
		}
		p := points[s]
		if p == nil {
			p = &post.Point{Series: s.series, Minute: time.Unix(s.at, 0).UTC()}
			points[s], authors[s] = p, map[uint64]bool{}
		}
		p.Posts++
		if v.negative {
			p.Negative++
		}
		authors[s][v.author] = true
		p.Authors = uint64(len(authors[s]))
	}
	out := make([]post.Point, 0, len(points))
	for _, s := range slices.SortedFunc(maps.Keys(points), func(a, b slot) int {
		return cmpOr(strings.Compare(a.series.Agency, b.series.Agency), strings.Compare(a.series.Issue, b.series.Issue), int(a.at-b.at))
	}) {
		out = append(out, *points[s])
	}
	m.answers[q] = out
	return out, nil
}

func cmpOr(vs ...int) int {
	for _, v := range vs {
		if v != 0 {
			return v
		}
	}
	return 0
}

func (m *memory) EachPoint(ctx context.Context, q post.SeriesQuery, fn func(post.Point) error) error {
	points, err := m.Points(ctx, q)
	for _, p := range points {
		if err := fn(p); err != nil {
			return err
		}
	}
	return err
}

func (m *memory) InsertAlerts(_ context.Context, changes []post.AlertChange) error {
	if err := m.failing("InsertAlerts"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range changes {
		m.changes[c.ID] = c
	}
	return nil
}

func (m *memory) AlertLog(_ context.Context, since time.Time) ([]post.AlertChange, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []post.AlertChange
	for _, c := range m.changes {
		if !c.At.Before(since) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b post.AlertChange) int {
		return cmpOr(a.At.Compare(b.At), strings.Compare(a.Summary, b.Summary))
	})
	return out, nil
}

func (m *memory) InsertNotifications(ctx context.Context, n []post.Notification) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := m.failing("InsertNotifications"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, n...)
	return nil
}

func (m *memory) Notifications(context.Context, time.Time) ([]post.Notification, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.notes), nil
}

func (m *memory) SourceHealth(context.Context) ([]post.SourceHealth, error) {
	if err := m.failing("SourceHealth"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.health), nil
}

func (m *memory) Exemplars(_ context.Context, s post.Series, from, to time.Time, n int) ([]post.StoredMention, error) {
	if err := m.failing("Exemplars"); err != nil {
		return nil, err
	}
	var out []post.StoredMention
	for i := range n {
		out = append(out, post.StoredMention{Mention: post.Mention{Post: post.Post{Key: post.Key(i + 1)}}, Agency: s.Agency})
	}
	return out, nil
}

// log gives the transitions so far, in order, as "rule issue FROM => TO".
func (m *memory) log() []string {
	changes, _ := m.AlertLog(context.Background(), time.Time{})
	var out []string
	for _, c := range changes {
		what := c.Series.Issue
		if c.Labels[labelSource] != "" {
			what = c.Labels[labelSource]
		}
		out = append(out, strings.TrimSpace(c.Rule+" "+what)+" "+transition(c.From, c.State))
	}
	return out
}

// ears is a receiver that remembers what it was told.
type ears struct {
	mu    sync.Mutex
	heard []post.AlertChange
	err   error
}

func (e *ears) Notify(_ context.Context, c post.AlertChange) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	e.heard = append(e.heard, c)
	return nil
}

func (e *ears) said() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, c := range e.heard {
		out = append(out, c.Summary)
	}
	return out
}

func (e *ears) refuse(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

// world is an evaluator with everything around it, under a clock that a test
// moves by hand.
type world struct {
	t         *testing.T
	now       time.Time
	store     *memory
	ears      *ears
	published []post.AlertChange
	publish   error
	registry  *prometheus.Registry
	rules     []Rule
	cfg       Config
	evaluator *Evaluator
	shift     *shift
	stop      func()
	rng       *rand.Rand
	author    uint64
}

var testRules = []Rule{
	{Name: "issue-burst", Kind: KindBurst, By: []string{"agency", "issue"}, FalseAlarmsPerWeek: 0.02, MinVoices: 5, Severity: "critical", KeepFiringFor: 15 * time.Minute},
	{Name: "agency-burst", Kind: KindBurst, By: []string{"agency"}, FalseAlarmsPerWeek: 0.05, MinVoices: 8, Severity: "warning", For: time.Minute, KeepFiringFor: 15 * time.Minute},
	{Name: "source-blind", Kind: KindBlind, Severity: "warning", For: time.Minute, KeepFiringFor: 2 * time.Minute},
}

// newWorld has four days behind it in which the agency was mentioned by two
// voices a minute, one in twenty of which said that something was down.
func newWorld(t *testing.T) *world {
	w := &world{t: t, now: noon, store: newMemory(), ears: &ears{}, rules: slices.Clone(testRules), cfg: DefaultConfig(), rng: rand.New(rand.NewPCG(1, 2))}
	w.cfg.History = 5 * day
	w.talk("tax", noon.Add(-4*day), noon, 2)
	return w
}

// talk adds ordinary mentions, so many a minute.
func (w *world) talk(agency string, from, to time.Time, perMinute float64) {
	var out []voice
	pause := func() time.Duration { return time.Duration(w.rng.ExpFloat64() / perMinute * float64(time.Minute)) }
	for at := from.Add(pause()); at.Before(to); at = at.Add(pause()) {
		v := voice{at: at, agency: agency, author: w.someone(), negative: w.rng.IntN(3) == 0}
		if w.rng.IntN(20) == 0 {
			v.issue = "down"
		}
		out = append(out, v)
	}
	w.store.add(out...)
}

// complain adds reports of an issue, so many a minute, nine in ten negative.
func (w *world) complain(agency, issue string, from, to time.Time, perMinute int) {
	var out []voice
	for at, i := from, 0; at.Before(to); at, i = at.Add(time.Minute/time.Duration(perMinute)), i+1 {
		out = append(out, voice{at: at, agency: agency, issue: issue, author: w.someone(), negative: i%10 != 0})
	}
	w.store.add(out...)
}

func (w *world) someone() uint64 { w.author++; return w.author }

// takeOver starts an ownership: what the evaluator knows comes from the store.
func (w *world) takeOver() {
	w.t.Helper()
	w.leave()
	w.registry = prometheus.NewRegistry()
	receivers := []notify.Receiver{{Name: "ops", Notifier: w.ears}}
	e, err := New(w.cfg, Deps{
		Log:     slog.New(slog.DiscardHandler),
		Metrics: NewMetrics(w.registry, receivers),
		Store:   w.store,
		Publish: func(_ context.Context, c []post.AlertChange) error {
			if w.publish != nil {
				return w.publish
			}
			w.published = append(w.published, c...)
			return nil
		},
		Receivers: receivers,
		Rules:     w.rules,
		Now:       func() time.Time { return w.now },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.evaluator, w.shift = e, newShift(e)
	if err := w.shift.restore(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.shift.load(w.t.Context(), false); err != nil {
		w.t.Fatal(err)
	}
	w.stop = func() {}
}

// leave ends the ownership: everything that was not written is forgotten.
func (w *world) leave() {
	if w.stop != nil {
		w.stop()
	}
	w.shift, w.stop = nil, nil
}

// deliver lets the receivers be told of what waits for them.
func (w *world) deliver() {
	for _, name := range w.shift.desk.names {
		q := w.shift.desk.counters[name]
		for c, _, ok := q.waiting.take(); ok; c, _, ok = q.waiting.take() {
			w.shift.desk.deliver(w.t.Context(), q.receiver, c)
		}
	}
}

// run evaluates every five seconds for so long, and delivers.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(w.cfg.Interval)
		w.tick()
	}
}

func (w *world) tick() {
	w.evaluator.tick(w.t.Context(), w.shift)
	w.deliver()
}

// live lets life go on as usual for so long.
func (w *world) live(d time.Duration) {
	w.talk("tax", w.now, w.now.Add(d), 2)
	w.run(d)
}

// metric reads a counter or gauge by name and, if given, one label value.
func (w *world) metric(name string, label ...string) float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if slices.Equal(values, label) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	w.t.Fatalf("no metric %s %v", name, label)
	return 0
}

func (w *world) expectLog(want ...string) {
	w.t.Helper()
	if got := w.store.log(); !slices.Equal(got, want) {
		w.t.Errorf("alert log:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (w *world) expectHeard(prefixes ...string) {
	w.t.Helper()
	got := w.ears.said()
	ok := len(got) == len(prefixes)
	for i := range min(len(got), len(prefixes)) {
		ok = ok && strings.HasPrefix(got[i], prefixes[i])
	}
	if !ok {
		w.t.Errorf("receiver heard:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(prefixes, "\n  "))
	}
}
