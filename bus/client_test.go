package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"outcry/bus"
	"outcry/internal/config"
)

func TestCursorsAreSharedAndTheLatestCounts(t *testing.T) {
	addrs := brokers(t)
	a, _ := newClient(t, busConfig(addrs...))
	b, _ := newClient(t, busConfig(addrs...))
	if err := a.CreateTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	one, two := unique("source"), unique("source")
	if got, err := a.Cursors().Load(t.Context(), one); err != nil || got != "" {
		t.Errorf("cursor of a new source: %q, %v", got, err)
	}
	for i := range 20 {
		if err := a.Cursors().Save(t.Context(), one, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Cursors().Save(t.Context(), two, "elsewhere"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*bus.Client{a, b} {
		if got, err := c.Cursors().Load(t.Context(), one); err != nil || got != "19" {
			t.Errorf("cursor: %q, %v, want 19", got, err)
		}
		if got, err := c.Cursors().Load(t.Context(), two); err != nil || got != "elsewhere" {
			t.Errorf("cursor: %q, %v, want elsewhere", got, err)
		}
	}
}

func TestCreateTopics(t *testing.T) {
	addrs := fake(t).ListenAddrs()
	cfg := busConfig(addrs...)
	cfg.Topics.Partitions = 3
	c, _ := newClient(t, cfg)
	for range 2 { // twice: what exists is fine
		if err := c.CreateTopics(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	admin := adminOf(t, addrs)
	res, err := admin.Metadata(t.Context(), &kafka.MetadataRequest{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, topic := range res.Topics {
		got[topic.Name] = len(topic.Partitions)
	}
	want := map[string]int{bus.TopicPosts: 3, bus.TopicAlerts: 1, bus.TopicDeadLetter: 1, bus.TopicCursors: 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("topics %v, want %v", got, want)
	}
	for topic, settings := range map[string]map[string]string{
		bus.TopicPosts:   {"retention.ms": "172800000", "cleanup.policy": "delete", "segment.bytes": "16777216"},
		bus.TopicCursors: {"retention.ms": "-1", "cleanup.policy": "compact"},
	} {
		for name, value := range setting(t, admin, topic) {
			if settings[name] != "" && settings[name] != value {
				t.Errorf("%s: %s is %s, want %s", topic, name, value, settings[name])
			}
		}
	}
}

func setting(t *testing.T, admin *kafka.Client, topic string) map[string]string {
	t.Helper()
	res, err := admin.DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range res.Resources[0].ConfigEntries {
		found[e.ConfigName] = e.ConfigValue
	}
	return found
}

func TestCreateTopicsTellsWhatTheClusterRefuses(t *testing.T) {
	cfg := busConfig(fake(t).ListenAddrs()...)
	cfg.Topics.Replication = 3 // of one broker
	c, _ := newClient(t, cfg)
	if err := c.CreateTopics(t.Context()); !errors.Is(err, kafka.InvalidReplicationFactor) || !strings.Contains(err.Error(), bus.TopicPosts) {
		t.Errorf("got %v", err)
	}
}

// A process may start before its broker: everything waits, and goes on when the
// broker is there.
func TestEverythingWaitsForABrokerThatIsNotThereYet(t *testing.T) {
	link := newProxy(t, fake(t).ListenAddrs()[0])
	link.Cut()
	c, _ := newClient(t, busConfig(link.Addr))
	if err := c.Ping(t.Context()); err == nil {
		t.Fatal("ping without a broker")
	}
	got, cfg := newLedger(), groupConfig(bus.TopicPosts)
	start(t, func(ctx context.Context) error { return c.Consume(ctx, cfg, got.handle) })
	ready := make(chan error, 2)
	go func() { ready <- c.CreateTopics(t.Context()) }()
	go func() { ready <- c.Producer(bus.TopicPosts).Publish(t.Context(), numbered(0, 100)) }()
	<-time.After(100 * time.Millisecond) // let attempts fail
	link.Mend()
	for range 2 {
		if err := <-ready; err != nil {
			t.Error(err)
		}
	}
	got.await(t, 100)
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// On shutdown the batch in hand is finished and committed, though the context
// of Consume has ended.
func TestShutdownFinishesTheBatchInHand(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 1)
	c, _ := newClient(t, busConfig(addrs...))
	if err := c.Producer(topic).Publish(t.Context(), numbered(0, 500)); err != nil {
		t.Fatal(err)
	}
	cfg, got := groupConfig(topic), newLedger()
	cfg.BatchSize = 100
	began, ended := make(chan struct{}, 100), make(chan struct{})
	stop := start(t, func(ctx context.Context) error {
		return c.Consume(ctx, cfg, func(work context.Context, batch []bus.Message) error {
			began <- struct{}{}
			<-ended
			if err := work.Err(); err != nil {
				t.Errorf("the handler's context ended with that of Consume: %v", err)
			}
			got.add(batch)
			return nil
		})
	})
	<-began
	go func() { <-time.After(50 * time.Millisecond); close(ended) }()
	stop()
	if lag, err := c.Lag(t.Context(), cfg.Group, topic); err != nil || int(lag) != 500-got.total {
		t.Errorf("%d handled but a lag of %d, %v", got.total, lag, err)
	}
}

// What was fetched but waits for its batch to fill is handled before the member
// leaves: nobody has to read it again.
func TestShutdownHandlesWhatWaitsForItsBatch(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 1)
	c, reg := newClient(t, busConfig(addrs...))
	cfg, got := groupConfig(topic), newLedger()
	cfg.BatchSize, cfg.BatchAge = 1_000_000, time.Minute
	stop := start(t, func(ctx context.Context) error { return c.Consume(ctx, cfg, got.handle) })
	eventually(t, "the partition is assigned", func() bool { return metric(t, reg, "outcry_bus_assigned_partitions") == 1 })
	for from := 0; from < 5000; from += 100 {
		if err := c.Producer(topic).Publish(t.Context(), numbered(from, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if got.distinct() > 0 {
		t.Fatal("the batch did not wait")
	}
	stop()
	if lag, err := c.Lag(t.Context(), cfg.Group, topic); err != nil || got.total == 0 || int(lag) != 5000-got.total {
		t.Errorf("%d handled, a lag of %d, %v", got.total, lag, err)
	}
}

// A handler that outlives its time is told so, and the partitions are let go.
func TestShutdownDoesNotWaitForAHandlerForEver(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 1)
	c, _ := newClient(t, busConfig(addrs...))
	if err := c.Producer(topic).Publish(t.Context(), numbered(0, 10)); err != nil {
		t.Fatal(err)
	}
	cfg := groupConfig(topic)
	cfg.DrainTimeout = 100 * time.Millisecond
	began := make(chan struct{}, 10)
	var told atomic.Bool
	stop := start(t, func(ctx context.Context) error {
		return c.Consume(ctx, cfg, func(work context.Context, batch []bus.Message) error {
			began <- struct{}{}
			<-work.Done()
			told.Store(true)
			return work.Err()
		})
	})
	<-began
	stop()
	if !told.Load() {
		t.Error("the handler was not told")
	}
	if lag, err := c.Lag(t.Context(), cfg.Group, topic); err != nil || lag != 10 {
		t.Errorf("lag %d, %v, want 10: nothing was handled", lag, err)
	}
}

func TestNoGoroutineIsLeftBehind(t *testing.T) {
	cluster := fake(t)
	topic := newTopic(t, cluster.ListenAddrs(), 2)
	before := goleak.IgnoreCurrent()
	c, err := bus.New(busConfig(cluster.ListenAddrs()...), bus.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Producer(topic).Publish(t.Context(), numbered(0, 100)); err != nil {
		t.Fatal(err)
	}
	got := newLedger()
	stop := start(t, func(ctx context.Context) error { return c.Consume(ctx, groupConfig(topic), got.handle) })
	owning := make(chan struct{}, 10)
	stopOwn := start(t, func(ctx context.Context) error {
		return c.Own(ctx, unique("group"), topic, func(ctx context.Context) error {
			owning <- struct{}{}
			<-ctx.Done()
			return nil
		})
	})
	got.await(t, 100)
	<-owning
	stop()
	stopOwn()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	// The library lets connections of finished requests idle out.
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).write"),
		goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read.func2"))
}

func TestConfigFaultsAreNamed(t *testing.T) {
	if faults := busConfig("kafka-1:9092", "kafka-2:9092").Validate(); len(faults) > 0 {
		t.Errorf("the default has faults: %v", faults)
	}
	if faults := bus.DefaultGroupConfig().Validate(); len(faults) > 0 {
		t.Errorf("the default group has faults: %v", faults)
	}
	for key, change := range map[string]func(*bus.Config){
		"brokers":         func(c *bus.Config) { c.Brokers = nil },
		"request_timeout": func(c *bus.Config) { c.RequestTimeout = 0 },
		"backoff_min":     func(c *bus.Config) { c.BackoffMin = 0 },
		"backoff_max":     func(c *bus.Config) { c.BackoffMax = c.BackoffMin / 2 },
		"max_in_flight":   func(c *bus.Config) { c.MaxInFlight = 0 },
		"dial_timeout":    func(c *bus.Config) { c.DialTimeout = time.Hour },
	} {
		c := busConfig("kafka-1:9092")
		change(&c)
		if faults := c.Validate(); len(faults) != 1 || faults[0].Key != key {
			t.Errorf("%s: faults %v", key, faults)
		}
	}
	for _, brokers := range [][]string{{"kafka-1"}, {"unix://relative"}, {"unix:///a", "kafka-1:9092"}, {":9092"}, {"kafka:"}} {
		if faults := busConfig(brokers...).Validate(); len(faults) == 0 {
			t.Errorf("brokers %q were accepted", brokers)
		}
	}
	for key, g := range map[string]func(*bus.GroupConfig){
		"batch_size":         func(g *bus.GroupConfig) { g.BatchSize = 0 },
		"batch_bytes":        func(g *bus.GroupConfig) { g.BatchBytes = 1 },
		"batch_age":          func(g *bus.GroupConfig) { g.BatchAge = 0 },
		"handle_timeout":     func(g *bus.GroupConfig) { g.HandleTimeout = g.SessionTimeout },
		"drain_timeout":      func(g *bus.GroupConfig) { g.DrainTimeout = g.SessionTimeout },
		"rebalance_timeout":  func(g *bus.GroupConfig) { g.RebalanceTimeout = g.SessionTimeout },
		"heartbeat_interval": func(g *bus.GroupConfig) { g.HeartbeatInterval = g.SessionTimeout },
	} {
		c := bus.DefaultGroupConfig()
		g(&c)
		if faults := c.Validate(); len(faults) != 1 || faults[0].Key != key {
			t.Errorf("%s: faults %v", key, faults)
		}
	}
	for _, s := range []bus.SASL{{Mechanism: "GSSAPI", Username: "a"}, {Username: "a"}, {Mechanism: "PLAIN"}} {
		if len(s.Validate()) == 0 {
			t.Errorf("%+v was accepted", s)
		}
	}
	for _, c := range []config.TLS{{Enabled: true, CertFile: "a"}, {CAFile: "a"}} {
		if len(c.Validate()) == 0 {
			t.Errorf("%+v was accepted", c)
		}
	}
}
