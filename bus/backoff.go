package bus

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// retry spaces attempts: the waits double from the least to the most of the
// configuration, each with jitter so that many clients do not return at once.
type retry struct{ waits backoff.ExponentialBackOff }

func (c *Client) newRetry() *retry {
	r := &retry{waits: backoff.ExponentialBackOff{
		InitialInterval:     c.cfg.BackoffMin,
		RandomizationFactor: 0.3,
		Multiplier:          2,
		MaxInterval:         c.cfg.BackoffMax,
	}}
	r.waits.Reset()
	return r
}

// reset starts again from the least wait, after a success.
func (r *retry) reset() { r.waits.Reset() }

// wait sleeps until the next attempt is due and tells whether ctx still lives.
func (r *retry) wait(ctx context.Context) bool {
	timer := time.NewTimer(r.waits.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
