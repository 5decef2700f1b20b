package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"outcry/internal/config"
)

// GroupConfig says how a group consumes a topic.
type GroupConfig struct {
	// Group and Topic are set by the program.
	Group string `yaml:"-"`
	Topic string `yaml:"-"`

	// BatchSize is the most messages in one batch. 1 to 1000000, default 10000.
	BatchSize int `yaml:"batch_size"`
	// BatchBytes is where a batch ends whatever its number of messages. 64KiB
	// to 1GiB, default 16MiB.
	BatchBytes config.ByteSize `yaml:"batch_bytes"`
	// BatchAge is how long the first message of a batch waits for others. 1ms
	// to 1m, default 200ms.
	BatchAge time.Duration `yaml:"batch_age"`

	// HandleTimeout bounds one attempt to handle a batch. Default 10s; less
	// than session_timeout.
	HandleTimeout time.Duration `yaml:"handle_timeout"`
	// DrainTimeout bounds what is still handled and committed after partitions
	// are to be given back, or on shutdown. Default 5s; less than session_timeout.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
	// SessionTimeout is how long a member may be silent before its partitions
	// go to others. Default 30s; brokers refuse less than 6s unless told otherwise.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// RebalanceTimeout is how long the group waits for a busy member when
	// partitions are dealt anew. Default 60s; more than session_timeout.
	RebalanceTimeout time.Duration `yaml:"rebalance_timeout"`
	// HeartbeatInterval is how often a member shows that it lives. Default 3s;
	// at most a third of session_timeout.
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
}

// DefaultGroupConfig gives the defaults.
func DefaultGroupConfig() GroupConfig {
	return GroupConfig{
		BatchSize:         10000,
		BatchBytes:        16 * config.MiB,
		BatchAge:          200 * time.Millisecond,
		HandleTimeout:     10 * time.Second,
		DrainTimeout:      5 * time.Second,
		SessionTimeout:    30 * time.Second,
		RebalanceTimeout:  60 * time.Second,
		HeartbeatInterval: 3 * time.Second,
	}
}

// Validate reports what is wrong with g.
func (g GroupConfig) Validate() config.Faults {
	var f config.Faults
	if g.BatchSize < 1 || g.BatchSize > 1_000_000 {
		f.Add("batch_size", "must be 1 to 1000000")
	}
	if g.BatchBytes < 64*config.KiB || g.BatchBytes > config.GiB {
		f.Add("batch_bytes", "must be 64KiB to 1GiB")
	}
	within(&f, "batch_age", g.BatchAge, time.Millisecond, time.Minute)
	within(&f, "session_timeout", g.SessionTimeout, 100*time.Millisecond, 30*time.Minute)
	if g.RebalanceTimeout <= g.SessionTimeout {
		f.Add("rebalance_timeout", "must be more than session_timeout (%s)", g.SessionTimeout)
	}
	if g.HandleTimeout <= 0 || g.HandleTimeout >= g.SessionTimeout {
		f.Add("handle_timeout", "must be less than session_timeout (%s): the group takes a slower member for dead", g.SessionTimeout)
	}
	if g.DrainTimeout <= 0 || g.DrainTimeout >= g.SessionTimeout {
		f.Add("drain_timeout", "must be less than session_timeout (%s)", g.SessionTimeout)
	}
	if g.HeartbeatInterval <= 0 || g.HeartbeatInterval > g.SessionTimeout/3 {
		f.Add("heartbeat_interval", "must be at most a third of session_timeout (%s)", g.SessionTimeout)
	}
	return f
}

// Handler handles a batch: messages of several partitions, those of one
// partition in the order of their offsets. The slice is reused after the call;
// the keys and values are the handler's to keep.
type Handler func(ctx context.Context, batch []Message) error

// consumer is one call of Consume.
type consumer struct {
	client  *Client
	cfg     GroupConfig
	handle  Handler
	log     *slog.Logger
	metrics groupMetrics
}

// Consume joins the group and calls handle, one batch at a time. After nil the
// offsets of the batch are committed. After an error the same batch is handled
// again, with backoff: nothing is skipped. A new group begins at the first
// message that the topic holds.
//
// When partitions are to be given to other members, or when ctx ends, what was
// already fetched is handled and committed within DrainTimeout; then the
// context of handle is cancelled. A batch whose commit fails is delivered
// again, here or elsewhere. Consume returns the error of ctx when it ends; any
// other error means that cfg is wrong.
func (c *Client) Consume(ctx context.Context, cfg GroupConfig, handle func(ctx context.Context, batch []Message) error) error {
	if cfg.Group == "" || cfg.Topic == "" {
		return fmt.Errorf("consume: group %q and topic %q must be named", cfg.Group, cfg.Topic)
	}
	if faults := cfg.Validate(); len(faults) > 0 {
		return fmt.Errorf("consume %s: %s: %s", cfg.Topic, faults[0].Key, faults[0].Problem)
	}
	co := &consumer{
		client: c, cfg: cfg, handle: handle,
		log:     c.log.With("group", cfg.Group, "topic", cfg.Topic),
		metrics: c.metrics.group(cfg.Group, cfg.Topic),
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	watch, stop := context.WithCancel(ctx)
	defer stop()
	wg.Go(func() { co.watchLag(watch) })

	return c.join(ctx, membership{
		group: cfg.Group, topic: cfg.Topic,
		session: cfg.SessionTimeout, rebalance: cfg.RebalanceTimeout, heartbeat: cfg.HeartbeatInterval,
		leave: cfg.DrainTimeout + time.Second,
	}, co.generation)
}

// lagInterval is how often the lag is asked for.
const lagInterval = 10 * time.Second

func (co *consumer) watchLag(ctx context.Context) {
	ticker := time.NewTicker(lagInterval)
	defer ticker.Stop()
	for {
		if lag, err := co.client.Lag(ctx, co.cfg.Group, co.cfg.Topic); err == nil {
			co.metrics.lag.Set(float64(lag))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// generation starts a fetcher for each partition that this member was given,
// and one batcher for all.
func (co *consumer) generation(a *assignment) {
	co.metrics.generations.Inc()
	co.metrics.assigned.Set(float64(len(a.partitions)))
	fetched := make(chan Message, queueMessages)
	var fetchers sync.WaitGroup
	for _, p := range a.partitions {
		fetchers.Add(1)
		f := &fetcher{consumer: co, partition: p.ID, log: co.log.With("partition", p.ID), out: fetched}
		a.start(func(ctx context.Context) {
			defer fetchers.Done()
			f.run(ctx, p.Offset)
		})
	}
	b := &batcher{consumer: co, in: fetched, fetchers: &fetchers, commit: func(offsets map[int]int64) error {
		return a.gen.CommitOffsets(map[string]map[int]int64{co.cfg.Topic: offsets})
	}}
	a.start(func(ctx context.Context) {
		defer co.metrics.assigned.Set(0)
		b.run(ctx)
	})
}
