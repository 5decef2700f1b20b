package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"outcry/post"
)

// Deliver tells the receiver of a change and tries again until it accepts,
// refuses for good, the time of cfg is over, or ctx ends. Each attempt is
// reported with its number, from 1, and its error. The error of Deliver is that
// of the last attempt; after the end of ctx it is that of ctx.
func Deliver(ctx context.Context, cfg RetryConfig, n Notifier, c post.AlertChange, report func(attempt int, err error)) error {
	began := time.Now()
	pause := cfg.First
	for attempt := 1; ; attempt++ {
		err := n.Notify(ctx, c)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		report(attempt, err)
		if err == nil || IsPermanent(err) {
			return err
		}
		wait := pause/2 + rand.N(pause/2)
		if l, ok := errors.AsType[later](err); ok {
			wait = max(wait, l.after)
		}
		if time.Since(began)+wait > cfg.GiveUp {
			return fmt.Errorf("given up after %d attempts: %w", attempt, err)
		}
		if !sleep(ctx, wait) {
			return ctx.Err()
		}
		pause = min(2*pause, cfg.Max)
	}
}

// sleep waits, and tells whether ctx was still alive at the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
