package bus_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"outcry/bus"
	"outcry/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.MaybeRunBroker()
	os.Exit(m.Run())
}

// realBroker names a broker to test against; without it kfake stands in.
const realBroker = "OUTCRY_TEST_KAFKA"

// brokers gives the address of a broker that accepts sessions from 100 ms (kfake)
// or 500 ms (test/kafka) on.
func brokers(t testing.TB) []string {
	t.Helper()
	if addrs := realBrokers(); addrs != nil {
		return addrs
	}
	return fake(t).ListenAddrs()
}

func realBrokers() []string {
	if addr := os.Getenv(realBroker); addr != "" {
		return strings.Split(addr, ",")
	}
	return nil
}

func fake(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// busConfig is the default but for waits that suit a test.
func busConfig(addrs ...string) bus.Config {
	cfg := bus.DefaultConfig()
	cfg.Brokers = addrs
	cfg.BackoffMin, cfg.BackoffMax = 20*time.Millisecond, 500*time.Millisecond
	return cfg
}

func newClient(t testing.TB, cfg bus.Config) (*bus.Client, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	c, err := bus.New(cfg, bus.Deps{Log: log, Metrics: bus.NewMetrics(reg)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, reg
}

// testWriter sends log lines to the test's own output; goroutines of libraries
// may outlive the test, and must not bring it down then.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Logf("%s", strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// unique makes a name that no other run on the same broker has.
func unique(name string) string { return fmt.Sprintf("outcry-test-%s-%s", name, rand.Text()[:8]) }

// newTopic makes a topic with a name of its own.
func newTopic(t testing.TB, addrs []string, partitions int, settings ...kafka.ConfigEntry) string {
	t.Helper()
	topic := unique("topic")
	admin := adminOf(t, addrs)
	res, err := admin.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: settings,
	}}})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

func adminOf(t testing.TB, addrs []string) *kafka.Client {
	transport := &kafka.Transport{}
	if path, ok := strings.CutPrefix(addrs[0], "unix://"); ok {
		addrs = []string{"embedded:9092"}
		transport.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(addrs...), Timeout: 10 * time.Second, Transport: transport}
}

// numbered makes messages n, n+1, … with key and value of their number.
func numbered(from, count int) []bus.Message {
	msgs := make([]bus.Message, count)
	for i := range msgs {
		n := fmt.Sprintf("%08d", from+i)
		msgs[i] = bus.Message{Key: []byte(n), Value: []byte(n)}
	}
	return msgs
}

// ledger notes what was handled, by value.
type ledger struct {
	mu    sync.Mutex
	seen  map[string]int
	total int
	grown chan struct{}
}

func newLedger() *ledger { return &ledger{seen: map[string]int{}, grown: make(chan struct{}, 1)} }

func (l *ledger) add(batch []bus.Message) {
	l.mu.Lock()
	for i := range batch {
		l.seen[string(batch[i].Value)]++
		l.total++
	}
	l.mu.Unlock()
	select {
	case l.grown <- struct{}{}:
	default:
	}
}

func (l *ledger) handle(_ context.Context, batch []bus.Message) error {
	l.add(batch)
	return nil
}

func (l *ledger) distinct() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

// await waits until n distinct values were handled.
func (l *ledger) await(t testing.TB, n int) {
	t.Helper()
	timeout := time.After(90 * time.Second)
	for {
		if l.distinct() >= n {
			return
		}
		select {
		case <-l.grown:
		case <-timeout:
			t.Fatalf("%d of %d distinct messages arrived", l.distinct(), n)
		}
	}
}

// start runs fn until stop is called or the test ends; stop waits for it.
func start(t testing.TB, fn func(ctx context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("ended early: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// receive takes from a channel what must come.
func receive[T any](t testing.TB, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(60 * time.Second):
		t.Fatal("nothing came")
	}
	return got
}

// eventually waits for a condition that nothing announces, such as the state of
// a broker's group.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// metric gives the sum of a metric over its labels; 0 while it has none.
func metric(t testing.TB, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}
