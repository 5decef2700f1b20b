package bus

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/segmentio/kafka-go"
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

// persist asks again while the answer is a temporary one, for as long as a
// request may take. A topic that was just made has no leader for a moment, and a
// group no coordinator.
func (c *Client) persist(ctx context.Context, ask func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	retry := c.newRetry()
	for {
		err := ask(ctx)
		if err == nil || !temporary(err) || !retry.wait(ctx) {
			return err
		}
	}
}

// temporary tells the answers that change by waiting.
func temporary(err error) bool {
	var e kafka.Error
	return errors.As(err, &e) && (e.Temporary() || e == kafka.BrokerNotAvailable)
}
