// Package bus carries everything that happens between the parts of Outcry over
// Kafka.
//
// It promises that nothing acknowledged is lost: Publish returns nil only when
// every message was acknowledged by all replicas, and Consume commits an offset
// only after its messages were handled. Delivery is at least once: a broker
// that hangs, a rebalance or a crash repeats messages, never drops them, so
// whoever counts must count distinct keys. Offsets that cannot be read any more
// (expired, or beyond the end of a log that was restored) are counted as gaps
// and logged, never skipped in silence.
//
// Its limits: no transactions and no idempotent producer; order holds for
// the messages of one key within one call of Publish, and beyond that readers
// go by the version that a message carries.
package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// The topics of Outcry.
const (
	TopicPosts      = "outcry.posts"      // one JSON document per event about a post; key: post key
	TopicAlerts     = "outcry.alerts"     // alert state changes; key: fingerprint
	TopicDeadLetter = "outcry.deadletter" // input that could not be used, with its reason
	TopicCursors    = "outcry.cursors"    // compacted; key: source instance, value: its cursor
)

// Message is one record of a topic.
type Message struct {
	Key   []byte
	Value []byte

	// The rest is set on messages that were consumed; Publish ignores it.
	Partition int
	Offset    int64
	Time      time.Time // when it was published
}

// Deps are what a Client needs from its surroundings. Both may be nil.
type Deps struct {
	Log     *slog.Logger
	Metrics *Metrics
}

// Client talks to one Kafka cluster. It is safe for concurrent use.
type Client struct {
	cfg       Config
	log       *slog.Logger
	metrics   *Metrics
	net       *network
	transport *kafka.Transport
	kafka     *kafka.Client
	owner     membership    // how Own takes part in a group
	inflight  chan struct{} // a token for each produce request under way

	mu        sync.Mutex
	producers map[string]*Producer
}

// New makes a client of the cluster that cfg names. It connects lazily: a
// broker that is down shows when the client is used, or by Ping.
func New(cfg Config, deps Deps) (*Client, error) {
	if faults := cfg.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("kafka configuration: %s: %s", faults[0].Key, faults[0].Problem)
	}
	n, err := newNetwork(cfg)
	if err != nil {
		return nil, fmt.Errorf("kafka configuration: %w", err)
	}
	log := deps.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		cfg:       cfg,
		log:       log.With("component", "bus"),
		metrics:   deps.Metrics,
		net:       n,
		transport: n.transport(),
		owner:     ownership(),
		inflight:  make(chan struct{}, cfg.MaxInFlight),
		producers: map[string]*Producer{},
	}
	c.kafka = &kafka.Client{Addr: n.bootstrap(), Timeout: cfg.RequestTimeout, Transport: c.transport}
	return c, nil
}

// Ping asks a broker whether it answers.
func (c *Client) Ping(ctx context.Context) error {
	res, err := c.kafka.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return fmt.Errorf("ping kafka at %s: %w", c.net, err)
	}
	return nil
}

// Close releases idle connections. Calls of Consume and Own end with their own
// contexts; a Publish under way is not cut.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// partitions tells how many partitions a topic has, from the metadata that the
// transport keeps and renews.
func (c *Client) partitions(ctx context.Context, topic string) (int, error) {
	res, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("metadata of %s: %w", topic, err)
	}
	for _, t := range res.Topics {
		if t.Name != topic {
			continue
		}
		if t.Error != nil {
			return 0, fmt.Errorf("metadata of %s: %w", topic, t.Error)
		}
		if len(t.Partitions) > 0 {
			return len(t.Partitions), nil
		}
	}
	return 0, fmt.Errorf("metadata of %s: %w", topic, kafka.UnknownTopicOrPartition)
}
