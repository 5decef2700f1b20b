package bus_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"outcry/bus"
)

// commit sets the offset of a group that has no members.
func commit(t *testing.T, addrs []string, group, topic string, offset int64) {
	t.Helper()
	admin := adminOf(t, addrs)
	eventually(t, "the coordinator of the group is known", func() bool {
		_, err := admin.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}})
		return err == nil
	})
	eventually(t, "the offset is committed", func() bool {
		res, err := admin.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
			GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: 0, Offset: offset}}},
		})
		return err == nil && res.Topics[topic][0].Error == nil
	})
}

// deleteBefore drops what a partition holds below offset, as retention would.
func deleteBefore(t *testing.T, addrs []string, topic string, offset int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt, rp := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Offset = topic, 0, offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res, err := req.RequestWith(t.Context(), client)
	if err != nil || res.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("delete records: %v %+v", err, res)
	}
}

func TestOffsetsThatCannotBeReadAreClampedAndCounted(t *testing.T) {
	for _, c := range []struct {
		name      string
		committed int64
		start     int64 // of the log, which ends at 100
		first     int64 // to be handled
		gap       float64
		messages  float64
	}{
		{"within the log", 40, 0, 40, 0, 0},
		{"at its end", 100, 0, 100, 0, 0},
		{"expired", 10, 30, 30, 1, 20},
		{"beyond the end of a log that was cut", 700, 0, 0, 1, 600},
		{"beyond the end, and the start expired", 700, 30, 30, 1, 600},
	} {
		t.Run(c.name, func(t *testing.T) {
			addrs := brokers(t)
			topic := newTopic(t, addrs, 1)
			client, reg := newClient(t, busConfig(addrs...))
			if err := client.Producer(topic).Publish(t.Context(), numbered(0, 100)); err != nil {
				t.Fatal(err)
			}
			cfg, got := groupConfig(topic), make(chan int64, 1000)
			commit(t, addrs, cfg.Group, topic, c.committed)
			if c.start > 0 {
				deleteBefore(t, addrs, topic, c.start)
			}
			start(t, func(ctx context.Context) error {
				return client.Consume(ctx, cfg, func(_ context.Context, batch []bus.Message) error {
					for _, m := range batch {
						got <- m.Offset
					}
					return nil
				})
			})
			want := c.first
			for ; want < 100; want++ {
				if offset := receive(t, got); offset != want {
					t.Fatalf("handled offset %d, want %d", offset, want)
				}
			}
			if err := client.Producer(topic).Publish(t.Context(), numbered(100, 1)); err != nil {
				t.Fatal(err)
			}
			if offset := receive(t, got); offset != 100 {
				t.Fatalf("then handled offset %d, want 100", offset)
			}
			if n := metric(t, reg, "outcry_bus_offset_gaps_total"); n != c.gap {
				t.Errorf("counted %v gaps, want %v", n, c.gap)
			}
			if n := metric(t, reg, "outcry_bus_offset_gap_messages_total"); n != c.messages {
				t.Errorf("counted %v messages in gaps, want %v", n, c.messages)
			}
		})
	}
}

// A consumer that falls behind retention while it reads must say so.
func TestFallingBehindRetentionWhileReadingIsCounted(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 1)
	client, reg := newClient(t, busConfig(addrs...))
	const n = 20_000 // more than is fetched ahead
	for from := 0; from < n; from += 1000 {
		if err := client.Producer(topic).Publish(t.Context(), padded(from, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := groupConfig(topic)
	cfg.BatchSize = 100
	var last int64 = -1
	first, dropped, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	start(t, func(ctx context.Context) error {
		return client.Consume(ctx, cfg, func(_ context.Context, batch []bus.Message) error {
			if last < 0 {
				close(first)
				<-dropped
			}
			last = batch[len(batch)-1].Offset
			if last == n-1 {
				close(done)
			}
			return nil
		})
	})
	<-first
	deleteBefore(t, addrs, topic, n-10)
	close(dropped)
	<-done
	if metric(t, reg, "outcry_bus_offset_gaps_total") == 0 {
		t.Error("messages were skipped in silence")
	}
}

// padded makes messages of about 1 kB that do not compress.
func padded(from, count int) []bus.Message {
	msgs := numbered(from, count)
	for i := range msgs {
		noise := make([]byte, 1000)
		_, _ = rand.Read(noise)
		msgs[i].Value = append(msgs[i].Value, noise...)
	}
	return msgs
}
