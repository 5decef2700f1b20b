package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/post"
)

const (
	maxHealthRows    = 1000            // rows kept while the store is down
	healthTimeout    = 5 * time.Second // for one write
	healthLastChance = 2 * time.Second // for the write at the end
)

// healthLog writes rows of source health beside the stream, so that a store
// that is down never holds up a source. Rows wait, and the oldest go first when
// too many do.
type healthLog struct {
	log   *slog.Logger
	write func(context.Context, []post.SourceHealth) error
	lost  prometheus.Counter
	wake  chan struct{}

	mu      sync.Mutex
	pending []post.SourceHealth
}

func newHealthLog(log *slog.Logger, write func(context.Context, []post.SourceHealth) error, lost prometheus.Counter) *healthLog {
	if write == nil {
		write = func(context.Context, []post.SourceHealth) error { return nil }
	}
	return &healthLog{log: log, write: write, lost: lost, wake: make(chan struct{}, 1)}
}

// note records a change of state; it is written as soon as may be.
func (h *healthLog) note(row post.SourceHealth) {
	h.add(row)
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *healthLog) add(rows ...post.SourceHealth) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = append(h.pending, rows...)
	if over := len(h.pending) - maxHealthRows; over > 0 {
		h.pending = append([]post.SourceHealth(nil), h.pending[over:]...)
		h.lost.Add(float64(over))
	}
}

// run writes a snapshot at every interval and changes as they come, and once
// more when ctx ends.
func (h *healthLog) run(ctx context.Context, every time.Duration, snapshot func(time.Time) []post.SourceHealth) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			h.add(snapshot(time.Now())...)
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), healthLastChance)
			defer cancel()
			h.flush(last)
			return
		case now := <-ticker.C:
			h.add(snapshot(now)...)
		case <-h.wake:
		}
		attempt, cancel := context.WithTimeout(ctx, healthTimeout)
		h.flush(attempt)
		cancel()
	}
}

// flush writes what waits; what cannot be written goes on waiting.
func (h *healthLog) flush(ctx context.Context) {
	h.mu.Lock()
	rows := h.pending
	h.pending = nil
	h.mu.Unlock()
	if len(rows) == 0 {
		return
	}
	if err := h.write(ctx, rows); err != nil {
		h.log.Warn("cannot write source health, will try again", "rows", len(rows), "error", err)
		h.mu.Lock()
		rows, h.pending = append(rows, h.pending...), nil
		h.mu.Unlock()
		h.add(rows...)
	}
}
