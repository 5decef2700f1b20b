package bus_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"

	"outcry/bus"
	"outcry/internal/testenv"
)

// benchBroker is a broker process of its own, or the real one.
func benchBroker(b *testing.B) []string {
	if addrs := realBrokers(); addrs != nil {
		return addrs
	}
	return []string{testenv.StartBroker(b, b.TempDir()).Addr}
}

// post is a message of the size of an ordinary one.
func posts(n int) []bus.Message {
	msgs := numbered(0, n)
	body := []byte(`{"kind":"post","key":"1234567890123456789","platform":"bluesky","source":"bluesky","time":"2026-01-01T00:00:00Z","arrived":"2026-01-01T00:00:01Z","text":"the tax portal has been down for three hours and nobody answers the phone","language":"en","author":"987654321","agencies":["tax-office"]}`)
	for i := range msgs {
		msgs[i].Value = append([]byte(rand.Text()), body...) // posts differ
	}
	return msgs
}

func BenchmarkPublish(b *testing.B) {
	addrs := benchBroker(b)
	topic := newTopic(b, addrs, 4)
	c, _ := newClient(b, busConfig(addrs...))
	const size, workers = 1000, 4
	b.ReportAllocs()
	b.ResetTimer()
	publishAll(b, c, topic, b.N, size, workers)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func publishAll(b *testing.B, c *bus.Client, topic string, n, size, workers int) {
	b.Helper()
	next := make(chan int, n/size+1)
	for ; n > 0; n -= size {
		next <- min(n, size)
	}
	close(next)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			msgs := posts(size)
			for n := range next {
				if err := c.Producer(topic).Publish(b.Context(), msgs[:n]); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkConsume(b *testing.B) {
	addrs := benchBroker(b)
	topic := newTopic(b, addrs, 4)
	c, _ := newClient(b, busConfig(addrs...))
	publishAll(b, c, topic, b.N, 1000, 4)
	ctx, cancel := context.WithCancel(b.Context())
	cfg, got := bus.DefaultGroupConfig(), 0
	cfg.Group, cfg.Topic = unique("group"), topic
	b.ReportAllocs()
	b.ResetTimer()
	_ = c.Consume(ctx, cfg, func(_ context.Context, batch []bus.Message) error {
		if got += len(batch); got >= b.N {
			cancel()
		}
		return nil
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
