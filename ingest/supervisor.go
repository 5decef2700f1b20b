package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/post"
)

// Cursors keep where each source instance has read to.
type Cursors interface {
	Load(ctx context.Context, instance string) (string, error) // empty when there is none
	Save(ctx context.Context, instance, cursor string) error
}

// Deps are what the Supervisor works with.
type Deps struct {
	Log      *slog.Logger
	Metrics  *Metrics // nil counts nothing
	Sources  []Named  // with distinct names
	Agencies *Agencies
	Secret   []byte // keys the hashes of authors
	// Publish returns nil when Kafka has every post, and an error only when ctx
	// ended or the posts can never be published. It must keep the order of
	// events with the same key.
	Publish func(ctx context.Context, posts []post.Post) error
	// DeadLetters publishes refused input, like Publish.
	DeadLetters func(ctx context.Context, letters []post.DeadLetter) error
	// Cursors may be nil: then sources begin anew after a restart of the process.
	Cursors Cursors
	// Health stores rows of source health. It may be nil.
	Health func(ctx context.Context, rows []post.SourceHealth) error
}

// Supervisor keeps every source running and its posts flowing to Kafka.
type Supervisor struct {
	cfg     Config
	runners []*runner
	health  *healthLog
}

// New makes a Supervisor; nothing starts before Run.
func New(cfg Config, deps Deps) *Supervisor {
	if deps.Metrics == nil {
		deps.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	log := deps.Log.With("component", "ingest")
	s := &Supervisor{cfg: cfg, health: newHealthLog(log, deps.Health, deps.Metrics.healthLost)}
	for _, id := range deps.Agencies.ids {
		deps.Metrics.mentions.WithLabelValues(id)
	}
	for _, named := range deps.Sources {
		s.runners = append(s.runners, newRunner(cfg, deps, named, log.With("source", named.Name), s.health.note))
	}
	return s
}

// Run reads all sources until ctx ends or every one of them has been read to its
// end. A failing source is restarted and never stops another. The error joins
// the faults of the sources that ended because no restart could mend them; it
// is nil when ctx ended.
func (s *Supervisor) Run(ctx context.Context) error {
	healthCtx, stopHealth := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHealth()
	var health, sources sync.WaitGroup
	health.Go(func() { s.health.run(healthCtx, s.cfg.HealthEvery, s.snapshot) })

	errs := make([]error, len(s.runners))
	for i, r := range s.runners {
		sources.Go(func() {
			if err := r.run(ctx); err != nil {
				errs[i] = fmt.Errorf("source %s: %w", r.Name, err)
			}
		})
	}
	sources.Wait()
	stopHealth()
	health.Wait()
	return errors.Join(errs...)
}

// snapshot gives one row of health for each source.
func (s *Supervisor) snapshot(at time.Time) []post.SourceHealth {
	rows := make([]post.SourceHealth, len(s.runners))
	for i, r := range s.runners {
		rows[i] = r.status.row(at)
	}
	return rows
}
