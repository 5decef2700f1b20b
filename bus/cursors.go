package bus

import (
	"context"
	"fmt"

	"outcry/bus/internal/offsets"
)

// Cursors keeps where each source instance has read to, on a compacted topic.
type Cursors struct {
	client *Client
	topic  string
}

// Cursors gives the cursors of the sources.
func (c *Client) Cursors() *Cursors { return &Cursors{client: c, topic: TopicCursors} }

// Save keeps the cursor of an instance; it is durable when Save returns nil.
func (s *Cursors) Save(ctx context.Context, instance, cursor string) error {
	err := s.client.Producer(s.topic).Publish(ctx, []Message{{Key: []byte(instance), Value: []byte(cursor)}})
	if err != nil {
		return fmt.Errorf("save cursor of %s: %w", instance, err)
	}
	return nil
}

// Load gives the cursor that was saved last, by whatever process, or "" if
// there is none. It reads the topic through: that is for starting, not for
// every event.
func (s *Cursors) Load(ctx context.Context, instance string) (string, error) {
	cursor := ""
	err := s.client.persist(ctx, func(ctx context.Context) error {
		cursor = ""
		n, err := s.client.partitions(ctx, s.topic)
		if err != nil {
			return err
		}
		partition := partitionOf([]byte(instance), numbers(n))
		return offsets.Each(ctx, s.client.kafka, s.topic, partition, func(key, value []byte) {
			if string(key) == instance {
				cursor = string(value)
			}
		})
	})
	if err != nil {
		return "", fmt.Errorf("load cursor of %s: %w", instance, err)
	}
	return cursor, nil
}
