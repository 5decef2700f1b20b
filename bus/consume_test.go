package bus_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"outcry/bus"
)

func groupConfig(topic string) bus.GroupConfig {
	g := bus.DefaultGroupConfig()
	g.Group, g.Topic = unique("group"), topic
	g.BatchAge = 20 * time.Millisecond
	g.SessionTimeout, g.HandleTimeout, g.DrainTimeout = 2*time.Second, time.Second, time.Second
	g.RebalanceTimeout, g.HeartbeatInterval = 3*time.Second, 100*time.Millisecond
	return g
}

func TestEverythingPublishedIsHandledInOrderAndCommitted(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 4)
	c, reg := newClient(t, busConfig(addrs...))
	const n = 5000
	if err := c.Producer(topic).Publish(t.Context(), numbered(0, n)); err != nil {
		t.Fatal(err)
	}
	if got := metric(t, reg, "outcry_bus_published_total"); got != n {
		t.Errorf("counted %v published, want %d", got, n)
	}
	cfg := groupConfig(topic)
	if lag, err := c.Lag(t.Context(), cfg.Group, topic); err != nil || lag != n {
		t.Fatalf("lag of a new group: %d, %v, want %d", lag, err, n)
	}
	got, last := newLedger(), map[int]int64{}
	stop := start(t, func(ctx context.Context) error {
		return c.Consume(ctx, cfg, func(_ context.Context, batch []bus.Message) error {
			for _, m := range batch {
				if at, seen := last[m.Partition]; seen && m.Offset != at+1 {
					t.Errorf("partition %d: offset %d after %d", m.Partition, m.Offset, at)
				}
				last[m.Partition] = m.Offset
				if string(m.Key) != string(m.Value) || m.Time.IsZero() {
					t.Errorf("message %d/%d came as %q %q %v", m.Partition, m.Offset, m.Key, m.Value, m.Time)
				}
			}
			got.add(batch)
			return nil
		})
	})
	got.await(t, n)
	stop()
	if got.total != n || len(last) != 4 {
		t.Errorf("%d messages of %d partitions handled, want %d of 4, each once", got.total, len(last), n)
	}
	if lag, err := c.Lag(t.Context(), cfg.Group, topic); err != nil || lag != 0 {
		t.Errorf("lag afterwards: %d, %v, want 0", lag, err)
	}
	if got := metric(t, reg, "outcry_bus_consumed_total"); got != n {
		t.Errorf("counted %v consumed, want %d", got, n)
	}
}

func TestFailedBatchIsRepeatedInPlaceAndNotCommitted(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 1)
	c, reg := newClient(t, busConfig(addrs...))
	if err := c.Producer(topic).Publish(t.Context(), numbered(0, 100)); err != nil {
		t.Fatal(err)
	}
	cfg := groupConfig(topic)
	cfg.BatchSize = 100
	var failures atomic.Int32
	failed := make(chan struct{})
	stop := start(t, func(ctx context.Context) error {
		return c.Consume(ctx, cfg, func(_ context.Context, batch []bus.Message) error {
			if batch[0].Offset != 0 {
				t.Errorf("went on to offset %d though 0 was not handled", batch[0].Offset)
			}
			if failures.Add(1) == 3 {
				close(failed)
			}
			return errors.New("the store is down")
		})
	})
	<-failed
	stop()
	if lag, err := c.Lag(t.Context(), cfg.Group, topic); err != nil || lag != 100 {
		t.Errorf("lag after failures only: %d, %v, want 100", lag, err)
	}
	if got := metric(t, reg, "outcry_bus_handle_errors_total"); got < 3 {
		t.Errorf("counted %v failures, want 3 or more", got)
	}
	got := newLedger()
	start(t, func(ctx context.Context) error { return c.Consume(ctx, cfg, got.handle) })
	got.await(t, 100)
}
