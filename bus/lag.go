package bus

import (
	"context"

	"outcry/bus/internal/offsets"
)

// Lag tells how many messages of the topic the group has yet to commit, over
// all partitions. A group that never committed has all of them before it. What
// is only temporary (a coordinator that moves) is asked again, for as long as a
// request may take.
func (c *Client) Lag(ctx context.Context, group, topic string) (lag int64, err error) {
	err = c.persist(ctx, func(ctx context.Context) error {
		lag, err = c.lag(ctx, group, topic)
		return err
	})
	return lag, err
}

func (c *Client) lag(ctx context.Context, group, topic string) (int64, error) {
	n, err := c.partitions(ctx, topic)
	if err != nil {
		return 0, err
	}
	partitions := numbers(n)
	ends, err := offsets.Of(ctx, c.kafka, topic, partitions...)
	if err != nil {
		return 0, err
	}
	done, err := offsets.Committed(ctx, c.kafka, group, topic, partitions...)
	if err != nil {
		return 0, err
	}
	var lag int64
	for _, p := range partitions {
		at, ok := done[p]
		if !ok || at < ends[p].First || at > ends[p].End {
			at = ends[p].First // where the group would read on
		}
		lag += ends[p].End - at
	}
	return lag, nil
}
