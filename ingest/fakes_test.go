package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/post"
)

// tape is a source that plays steps: the n-th step of the tape is what the n-th
// Read gives. Its cursor is the number of the next step, so that opening it
// again goes on where the cursor says.
type tape struct {
	mu      sync.Mutex
	steps   []step
	next    int
	opens   []string    // the cursors it was opened with
	opened  []time.Time // and when
	closes  int
	openErr func(n int) error // of the n-th Open, from 1; may be nil
	more    chan struct{}
}

// step is what one Read gives.
type step struct {
	batch  Batch
	err    error
	within time.Duration // how long the Read takes
}

func newTape(steps ...step) *tape { return &tape{steps: steps, more: make(chan struct{}, 100)} }

func (s *tape) Open(_ context.Context, cursor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens = append(s.opens, cursor)
	s.opened = append(s.opened, time.Now())
	if s.openErr != nil {
		if err := s.openErr(len(s.opens)); err != nil {
			return err
		}
	}
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil {
			return err
		}
		s.next = n
	} else {
		s.next = 0
	}
	return nil
}

func (s *tape) Read(ctx context.Context) (Batch, error) {
	for {
		s.mu.Lock()
		if s.next < len(s.steps) {
			st := s.steps[s.next]
			s.next++
			cursor := strconv.Itoa(s.next)
			s.mu.Unlock()
			if st.within > 0 {
				select {
				case <-ctx.Done():
					return Batch{}, ctx.Err()
				case <-time.After(st.within):
				}
			}
			if st.err != nil {
				return Batch{}, st.err
			}
			st.batch.Cursor = cursor
			return st.batch, nil
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-s.more:
		}
	}
}

func (s *tape) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closes++
	return nil
}

// add lets the tape go on.
func (s *tape) add(steps ...step) {
	s.mu.Lock()
	s.steps = append(s.steps, steps...)
	s.mu.Unlock()
	s.more <- struct{}{}
}

// about makes an event that concerns the agency of the tests.
func about(id string) Event {
	return Event{Platform: "test", ID: id, Text: "northmark is down", Time: time.Now(), Author: "a" + id}
}

func events(ids ...string) step {
	var b Batch
	for _, id := range ids {
		b.Events = append(b.Events, about(id))
	}
	return step{batch: b}
}

// world is everything around the Supervisor.
type world struct {
	mu        sync.Mutex
	published []post.Post
	letters   []post.DeadLetter
	rows      []post.SourceHealth
	cursors   map[string]string
	saves     []string

	publish func(ctx context.Context, posts []post.Post) error // before recording; may be nil
	lettersErr, healthErr,
	loadErr error
	reg *prometheus.Registry
}

func newWorld() *world {
	return &world{cursors: map[string]string{}, reg: prometheus.NewRegistry()}
}

func (w *world) Publish(ctx context.Context, posts []post.Post) error {
	if w.publish != nil {
		if err := w.publish(ctx, posts); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.published = append(w.published, posts...)
	return nil
}

func (w *world) DeadLetters(_ context.Context, letters []post.DeadLetter) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lettersErr != nil {
		return w.lettersErr
	}
	w.letters = append(w.letters, letters...)
	return nil
}

func (w *world) Health(ctx context.Context, rows []post.SourceHealth) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.healthErr != nil {
		return w.healthErr
	}
	w.rows = append(w.rows, rows...)
	return nil
}

func (w *world) Load(_ context.Context, instance string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cursors[instance], w.loadErr
}

func (w *world) Save(ctx context.Context, instance, cursor string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cursors[instance] = cursor
	w.saves = append(w.saves, cursor)
	return nil
}

// deps are the dependencies of a Supervisor in this world.
func (w *world) deps(t testing.TB, sources ...Named) Deps {
	t.Helper()
	agencies, err := CompileAgencies([]post.Agency{{ID: "northmark", Query: "northmark"}})
	if err != nil {
		t.Fatal(err)
	}
	return Deps{
		Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(w.reg), Sources: sources, Agencies: agencies,
		Secret: []byte("0123456789abcdef"), Publish: w.Publish, DeadLetters: w.DeadLetters, Cursors: w, Health: w.Health,
	}
}

// ids gives the keys of what was published, in order, as the ids among known.
func (w *world) ids(known ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := map[post.Key]string{}
	for _, id := range known {
		names[Key("test", id)] = id
	}
	var ids []string
	for i := range w.published {
		ids = append(ids, names[w.published[i].Key])
	}
	return ids
}

func (w *world) cursor(instance string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cursors[instance]
}

// states gives the states that a source went through, without repetitions.
func (w *world) states(source string) []post.SourceState {
	w.mu.Lock()
	defer w.mu.Unlock()
	var states []post.SourceState
	for _, r := range w.rows {
		if r.Source == source && (len(states) == 0 || states[len(states)-1] != r.State) {
			states = append(states, r.State)
		}
	}
	return states
}

// value gives the value of a counter or gauge with the given labels.
func (w *world) value(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "outcry_ingest_"+name {
			continue
		}
	metric:
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for i := 0; i < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue metric
				}
			}
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s %v", name, labels)
	return 0
}

// run starts a Supervisor inside a synctest bubble; the function it returns
// stops it and gives what Run returned.
func run(t *testing.T, cfg Config, deps Deps) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(cfg, deps).Run(ctx) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-done
	}
}

var errNet = errors.New("connection reset")

func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return ids
}
