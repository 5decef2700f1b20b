package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"outcry/alert/notify"
	"outcry/detect"
	"outcry/post"
)

// History gives the series of the store.
type History interface {
	// Points gives the points of a short time at once.
	Points(ctx context.Context, q post.SeriesQuery) ([]post.Point, error)
	// EachPoint hands over the points of a long time one by one.
	EachPoint(ctx context.Context, q post.SeriesQuery, fn func(post.Point) error) error
}

// Log is the append-only log of changes.
type Log interface {
	InsertAlerts(ctx context.Context, changes []post.AlertChange) error
	// AlertLog gives the changes since a time, each once, in the order of time.
	AlertLog(ctx context.Context, since time.Time) ([]post.AlertChange, error)
}

// Notes is the log of notifications.
type Notes interface {
	InsertNotifications(ctx context.Context, n []post.Notification) error
	Notifications(ctx context.Context, since time.Time) ([]post.Notification, error)
}

// Evidence is what else the store knows.
type Evidence interface {
	// SourceHealth gives the latest row of each source.
	SourceHealth(ctx context.Context) ([]post.SourceHealth, error)
	// Exemplars gives up to n differing posts of a series.
	Exemplars(ctx context.Context, s post.Series, from, to time.Time, n int) ([]post.StoredMention, error)
}

// Store is all that the evaluator asks of ClickHouse.
type Store interface {
	History
	Log
	Notes
	Evidence
}

// Deps are what an Evaluator works with.
type Deps struct {
	Log     *slog.Logger
	Metrics *Metrics
	Store   Store
	// Own runs fn while this process is the one that evaluates; its context ends
	// with the ownership. Own returns when ctx ends.
	Own func(ctx context.Context, fn func(context.Context) error) error
	// Publish puts changes on the topic of alerts.
	Publish func(ctx context.Context, changes []post.AlertChange) error
	// Receivers are told of what opens and closes.
	Receivers []notify.Receiver
	// Retry says how receivers are tried again; the default when zero.
	Retry notify.RetryConfig
	// Rules, validated.
	Rules []Rule
	// Name gives what people call an agency, issue or touch point; nil: its id.
	Name func(id string) string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Evaluator evaluates the rules while it owns them.
type Evaluator struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	params detect.Params

	owned atomic.Bool
	last  atomic.Int64 // Unix milliseconds of the last successful evaluation in this ownership; 0 before the first
}

// New returns an Evaluator; it starts nothing.
func New(cfg Config, deps Deps) (*Evaluator, error) {
	location, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("alert: time zone: %w", err)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Name == nil {
		deps.Name = func(id string) string { return id }
	}
	if deps.Retry == (notify.RetryConfig{}) {
		deps.Retry = notify.DefaultRetryConfig()
	}
	params := detect.DefaultParams()
	params.Location = location
	return &Evaluator{cfg: cfg, deps: deps, log: deps.Log.With("component", "alert"), params: params}, nil
}

var errNotReady = errors.New("the history is being read: nothing is evaluated yet")

// Run evaluates whenever this process owns the alerts, until ctx ends.
func (e *Evaluator) Run(ctx context.Context) error {
	return e.deps.Own(ctx, e.serve)
}

// Check is a health check: it fails while this process owns the alerts and has
// not managed an evaluation for a minute and two intervals.
func (e *Evaluator) Check(context.Context) error {
	if !e.owned.Load() {
		return nil
	}
	last := e.last.Load()
	if last == 0 {
		return errNotReady
	}
	if age := e.deps.Now().Sub(time.UnixMilli(last)); age > time.Minute+2*e.cfg.Interval {
		return fmt.Errorf("no successful evaluation for %s", age.Round(time.Second))
	}
	return nil
}

// serve is one ownership: take over what is there, then evaluate until ctx ends.
func (e *Evaluator) serve(ctx context.Context) error {
	e.owned.Store(true)
	e.last.Store(0)
	e.deps.Metrics.own(true)
	defer func() {
		e.owned.Store(false)
		e.deps.Metrics.own(false)
	}()
	s := newShift(e)
	e.log.Info("took over the alerts", "rules", len(s.rules))
	defer e.log.Info("left the alerts")

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); s.desk.run(ctx) }()
	defer func() { cancel(); <-done }()

	if !e.untilDone(ctx, "restore the alerts", s.restore) {
		return ctx.Err()
	}
	if !e.untilDone(ctx, "read the history", func(ctx context.Context) error { return s.load(ctx, false) }) {
		return ctx.Err()
	}
	ticker := time.NewTicker(e.cfg.Interval)
	defer ticker.Stop()
	for {
		e.tick(ctx, s)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// tick is one evaluation.
func (e *Evaluator) tick(ctx context.Context, s *shift) {
	start := e.deps.Now()
	err := s.evaluate(ctx, start.UTC().Truncate(time.Millisecond))
	if ctx.Err() != nil {
		return
	}
	e.deps.Metrics.evaluated(start, e.deps.Now(), err)
	if err != nil {
		s.suspendAll()
		e.log.Error("evaluation failed: no alert changes", "error", err)
		return
	}
	e.last.Store(start.UnixMilli())
}

// untilDone tries until it succeeds, with pauses from one second to half a
// minute; false when ctx ended.
func (e *Evaluator) untilDone(ctx context.Context, what string, do func(context.Context) error) bool {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := do(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		e.log.Warn("cannot "+what+", will try again", "error", err)
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}
