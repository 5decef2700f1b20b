package bus

import (
	"context"
	"time"

	"outcry/bus/internal/offsets"
)

// handledPoll is how often Handled asks.
const handledPoll = 100 * time.Millisecond

// Handled waits until the group has committed every message that the topic held
// when it was called; what is published meanwhile is not waited for. It outlasts
// a broker that is away, and returns an error only when ctx ends.
func (c *Client) Handled(ctx context.Context, group, topic string) error {
	var ends map[int]int64 // of the partitions that are still waited for
	for {
		open, err := c.unhandled(ctx, group, topic, ends)
		if err == nil {
			if ends = open; len(ends) == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(handledPoll):
		}
	}
}

// unhandled gives those of the ends that the group has not reached; nil ends
// stand for where the partitions end now.
func (c *Client) unhandled(ctx context.Context, group, topic string, ends map[int]int64) (map[int]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	n, err := c.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	partitions := numbers(n)
	if ends == nil {
		bounds, err := offsets.Of(ctx, c.kafka, topic, partitions...)
		if err != nil {
			return nil, err
		}
		ends = map[int]int64{}
		for p, b := range bounds {
			if b.End > b.First { // an empty partition is never committed
				ends[p] = b.End
			}
		}
	}
	done, err := offsets.Committed(ctx, c.kafka, group, topic, partitions...)
	if err != nil {
		return nil, err
	}
	open := map[int]int64{}
	for p, end := range ends {
		if done[p] < end {
			open[p] = end
		}
	}
	return open, nil
}
