package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// CreateTopics makes the topics of Outcry that do not exist yet. It waits, with
// backoff, for a broker that is not there yet, until ctx ends. What the cluster
// refuses (a replication factor above its size, missing rights) is an error at
// once.
func (c *Client) CreateTopics(ctx context.Context) error {
	return c.createTopics(ctx, c.cfg.Topics.configs())
}

func (c *Client) createTopics(ctx context.Context, topics []kafka.TopicConfig) error {
	retry := c.newRetry()
	for attempt := 0; ; attempt++ {
		err := c.tryCreateTopics(ctx, topics)
		if err == nil {
			return nil
		}
		if _, ok := errors.AsType[*refusedError](err); ok {
			return err
		}
		if attempt == 0 {
			c.log.Info("waiting for kafka", "brokers", c.net.String(), "error", err)
		}
		if !retry.wait(ctx) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// refusedError is the answer of a cluster that will not change by waiting. Errors
// that only look like it are made by the library while it knows no broker.
type refusedError struct{ error }

func (e *refusedError) Unwrap() error { return e.error }

func (c *Client) tryCreateTopics(ctx context.Context, topics []kafka.TopicConfig) error {
	res, err := c.kafka.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, t := range topics {
		e := res.Errors[t.Topic]
		if e == nil {
			c.log.Info("topic created", "topic", t.Topic, "partitions", t.NumPartitions)
		}
		if e == nil || errors.Is(e, kafka.TopicAlreadyExists) {
			continue
		}
		if !temporary(e) {
			e = &refusedError{e}
		}
		err = errors.Join(err, fmt.Errorf("create topic %s: %w", t.Topic, e))
	}
	return err
}

// configs spells out the topics of Outcry for the cluster. Retention is always
// given: what a cluster has as its default may keep posts for ever.
func (t Topics) configs() []kafka.TopicConfig {
	deleted := func(retention time.Duration, bytes int64) []kafka.ConfigEntry {
		return []kafka.ConfigEntry{
			{ConfigName: "cleanup.policy", ConfigValue: "delete"},
			{ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(retention.Milliseconds(), 10)},
			{ConfigName: "retention.bytes", ConfigValue: strconv.FormatInt(bytes, 10)},
		}
	}
	compacted := []kafka.ConfigEntry{
		{ConfigName: "cleanup.policy", ConfigValue: "compact"},
		{ConfigName: "retention.ms", ConfigValue: "-1"},
		{ConfigName: "retention.bytes", ConfigValue: "-1"},
	}
	capped := int64(-1)
	if t.RetentionBytes > 0 {
		capped = int64(t.RetentionBytes)
	}
	return []kafka.TopicConfig{
		t.config(TopicPosts, t.Partitions, deleted(t.PostsRetention, capped)),
		t.config(TopicAlerts, 1, deleted(t.AlertsRetention, -1)),
		t.config(TopicDeadLetter, 1, deleted(t.DeadLetterRetention, capped)),
		t.config(TopicCursors, 1, compacted),
	}
}

func (t Topics) config(topic string, partitions int, entries []kafka.ConfigEntry) kafka.TopicConfig {
	entries = append(entries, kafka.ConfigEntry{ConfigName: "segment.bytes", ConfigValue: strconv.FormatInt(int64(t.SegmentBytes), 10)})
	if t.Replication >= 3 {
		// Without this an acknowledgement by "all replicas in sync" may be
		// that of a single one.
		entries = append(entries, kafka.ConfigEntry{ConfigName: "min.insync.replicas", ConfigValue: "2"})
	}
	return kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: t.Replication, ConfigEntries: entries}
}
