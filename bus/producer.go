package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// requestBytes and requestMessages bound one produce request; brokers
	// refuse a batch above 1 MB unless told otherwise.
	requestBytes    = 1_000_000
	requestMessages = 5000

	// messageOverhead is the most that a record adds to its key and value.
	messageOverhead = 64

	// MaxMessageBytes is the most that key and value of one message may hold
	// together.
	MaxMessageBytes = requestBytes - 1024
)

// TooLargeError tells of a message that the cluster will never accept.
type TooLargeError struct {
	Index int // in the slice that was published
	Size  int // bytes of key and value
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message %d holds %d bytes, more than the cluster accepts", e.Index, e.Size)
}

// Producer publishes to one topic. It is safe for concurrent use.
type Producer struct {
	client  *Client
	topic   string
	metrics topicMetrics

	// Seams for tests, which have no way to make a broker fail in part.
	partitions func(ctx context.Context) (int, error)
	produce    func(ctx context.Context, partition int, msgs *records) error
}

// Producer gives the producer of a topic; there is one for each.
func (c *Client) Producer(topic string) *Producer {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.producers[topic]
	if p == nil {
		p = &Producer{client: c, topic: topic, metrics: c.metrics.topic(topic)}
		p.partitions = func(ctx context.Context) (int, error) { return c.partitions(ctx, topic) }
		p.produce = p.send
		c.producers[topic] = p
	}
	return p
}

// Publish sends msgs and returns nil only when all replicas acknowledged every
// one of them. What fails is sent again, with backoff, until ctx ends; then the
// error tells how many were not acknowledged, though they may yet arrive. A
// message that no broker will accept is a *TooLargeError at once.
//
// Messages of one key stay in order. The partition follows from the key in the
// way of Kafka's own clients; without a key any partition will do. The time of
// a message is the time of publishing, whatever it says: retention counts from
// it. Publish blocks while too many requests are under way. The caller must
// not change what msgs holds, not even after an error.
func (p *Producer) Publish(ctx context.Context, msgs []Message) error {
	for i := range msgs {
		if size := len(msgs[i].Key) + len(msgs[i].Value); size > MaxMessageBytes {
			return fmt.Errorf("publish to %s: %w", p.topic, &TooLargeError{Index: i, Size: size})
		}
	}
	pending := make([]int32, len(msgs))
	for i := range pending {
		pending[i] = int32(i)
	}
	retry, limit := p.client.newRetry(), requestBytes
	for attempt := 0; len(pending) > 0; attempt++ {
		if attempt > 0 {
			p.metrics.resent.Add(float64(len(pending)))
		}
		failed, err := p.attempt(ctx, msgs, pending, limit)
		p.metrics.published.Add(float64(len(pending) - len(failed)))
		if len(failed) == 0 {
			return nil
		}
		if errors.Is(err, kafka.MessageSizeTooLarge) {
			if limit == 0 { // not even alone
				i := failed[0]
				return fmt.Errorf("publish to %s: %w", p.topic, &TooLargeError{Index: int(i), Size: len(msgs[i].Key) + len(msgs[i].Value)})
			}
			limit = smaller(limit)
		}
		if len(failed) < len(pending) {
			retry.reset()
		}
		pending = failed
		if ctx.Err() == nil {
			p.tell(attempt+1, len(pending), err)
		}
		if !retry.wait(ctx) {
			return fmt.Errorf("publish to %s: %d of %d messages not acknowledged: %w", p.topic, len(pending), len(msgs), errors.Join(ctx.Err(), err))
		}
	}
	return nil
}

// tell counts every failed attempt and logs the first, second, fourth and so on:
// while a broker is away the log is not flooded.
func (p *Producer) tell(attempt, pending int, err error) {
	p.metrics.errors.Inc()
	if attempt&(attempt-1) == 0 {
		p.client.log.Warn("publishing failed, will send again", "topic", p.topic, "messages", pending, "attempt", attempt, "error", err)
	}
}

// smaller is the next limit to try where the cluster finds a request too large;
// 0 stands for one message at a time.
func smaller(limit int) int {
	if limit /= 4; limit < 4096 {
		return 0
	}
	return limit
}

// attempt sends the messages numbered by pending once and gives those that were
// not acknowledged, in order, with one of the reasons.
func (p *Producer) attempt(ctx context.Context, msgs []Message, pending []int32, limit int) ([]int32, error) {
	n, err := p.partitions(ctx)
	if err != nil {
		return pending, err
	}
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		failed  []int32
		failure error
	)
	for partition, part := range split(msgs, pending, n) {
		if len(part) == 0 {
			continue
		}
		wg.Go(func() {
			sent, err := p.sendAll(ctx, partition, msgs, part, limit)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed, failure = append(failed, part[sent:]...), err
			}
		})
	}
	wg.Wait()
	slices.Sort(failed)
	return failed, failure
}

// sendAll sends to one partition, request after request so that order holds,
// and stops at the first that fails. It tells how many messages were acknowledged.
func (p *Producer) sendAll(ctx context.Context, partition int, msgs []Message, part []int32, limit int) (int, error) {
	sent := 0
	for sent < len(part) {
		n := requestSize(msgs, part[sent:], limit)
		if err := p.produce(ctx, partition, &records{msgs: msgs, order: part[sent : sent+n]}); err != nil {
			return sent, fmt.Errorf("partition %d: %w", partition, err)
		}
		sent += n
	}
	return sent, nil
}

// requestSize tells how many of the messages go into one request.
func requestSize(msgs []Message, part []int32, limit int) int {
	bytes := 0
	for n, i := range part {
		bytes += len(msgs[i].Key) + len(msgs[i].Value) + messageOverhead
		if n > 0 && (bytes > limit || n == requestMessages) {
			return n
		}
	}
	return len(part)
}

// send is one produce request.
func (p *Producer) send(ctx context.Context, partition int, msgs *records) error {
	return p.client.admit(ctx, func() error {
		start := time.Now()
		res, err := p.client.kafka.Produce(ctx, &kafka.ProduceRequest{
			Topic:        p.topic,
			Partition:    partition,
			RequiredAcks: kafka.RequireAll,
			Compression:  kafka.Lz4,
			Records:      msgs,
		})
		p.metrics.produceSeconds.Observe(time.Since(start).Seconds())
		if err != nil {
			return err
		}
		return res.Error
	})
}

// admit runs a request once fewer than MaxInFlight are under way.
func (c *Client) admit(ctx context.Context, request func() error) error {
	select {
	case c.inflight <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.inflight }()
	return request()
}
