package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// cursorTimeout bounds one load or save of a cursor.
const cursorTimeout = 10 * time.Second

// cursorKeeper holds the cursor of one source: how far Kafka has its posts, and
// how far that is saved.
type cursorKeeper struct {
	instance string
	store    Cursors // may be nil: then the cursor lives as long as the process
	log      *slog.Logger
	metrics  *sourceMetrics

	mu     sync.Mutex
	loaded bool
	acked  string
	saved  string
}

// load gives the cursor to go on from. The store is asked once; from then on
// the process knows better.
func (k *cursorKeeper) load(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.loaded || k.store == nil {
		return k.acked, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cursorTimeout)
	defer cancel()
	cursor, err := k.store.Load(ctx, k.instance)
	if err != nil {
		return "", fmt.Errorf("load cursor: %w", err)
	}
	k.loaded, k.acked, k.saved = true, cursor, cursor
	return cursor, nil
}

// advance moves the cursor; empty leaves it.
func (k *cursorKeeper) advance(cursor string) {
	if cursor == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acked = cursor
}

// saveEvery saves the cursor at intervals. The function it returns saves it a
// last time and stops.
func (k *cursorKeeper) saveEvery(ctx context.Context, every time.Duration) (stop func()) {
	if k.store == nil {
		return func() {}
	}
	saving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-saving.Done():
				last := context.WithoutCancel(ctx)
				k.save(last)
				return
			case <-ticker.C:
				k.save(saving)
			}
		}
	}()
	return func() {
		cancel()
		<-stopped
	}
}

// save saves the cursor if it moved. A failure is tried again at the next
// interval: an old cursor costs repetition, never a post.
func (k *cursorKeeper) save(ctx context.Context) {
	k.mu.Lock()
	acked, moved := k.acked, k.acked != k.saved
	k.mu.Unlock()
	if !moved {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cursorTimeout)
	defer cancel()
	if err := k.store.Save(ctx, k.instance, acked); err != nil {
		if ctx.Err() != context.Canceled {
			k.log.Warn("cannot save cursor, will try again", "error", err)
			k.metrics.cursorFailures.Inc()
		}
		return
	}
	k.metrics.cursorSaved.Set(float64(time.Now().UnixMilli()) / 1e3)
	k.mu.Lock()
	k.saved = acked
	k.mu.Unlock()
}
