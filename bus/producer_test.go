package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

// fakeLog stands in for a topic of four partitions whose broker fails at will.
type fakeLog struct {
	mu   sync.Mutex
	logs [4][]string
	fail func(partition int, values []string) error // nil: nothing fails
}

func (l *fakeLog) produce(_ context.Context, partition int, r *records) error {
	var values []string
	for {
		record, err := r.ReadRecord()
		if err != nil {
			break
		}
		value, err := kafka.ReadAll(record.Value)
		if err != nil {
			return err
		}
		values = append(values, string(value))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(partition, values); err != nil {
			return err
		}
	}
	l.logs[partition] = append(l.logs[partition], values...)
	return nil
}

func fakeProducer(t interface{ Fatal(...any) }, l *fakeLog) (*Producer, *Metrics) {
	cfg := DefaultConfig()
	cfg.Brokers = []string{"localhost:1"}
	metrics := NewMetrics(prometheus.NewRegistry())
	c, err := New(cfg, Deps{Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	p := c.Producer("t")
	p.partitions = func(context.Context) (int, error) { return 4, nil }
	p.produce = l.produce
	return p, metrics
}

func keyed(keys, each int) []Message {
	var msgs []Message
	for i := range each {
		for k := range keys {
			key := fmt.Sprintf("k%d", k)
			msgs = append(msgs, Message{Key: []byte(key), Value: fmt.Appendf(nil, "%s %04d", key, i)})
		}
	}
	return msgs
}

func TestOnlyWhatFailedIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, attempts := &fakeLog{}, 0
		l.fail = func(partition int, _ []string) error {
			if attempts++; partition == 2 && attempts <= 8 {
				return kafka.KafkaStorageError // what a full disk gives, on one partition
			}
			return nil
		}
		p, metrics := fakeProducer(t, l)
		msgs := keyed(50, 10)
		if err := p.Publish(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, log := range l.logs {
			got = append(got, log...)
		}
		if len(l.logs[2]) == 0 || len(got) != len(msgs) {
			t.Errorf("%d messages arrived, want each of %d once", len(got), len(msgs))
		}
		if n := testutil.ToFloat64(metrics.published.WithLabelValues("t")); n != float64(len(msgs)) {
			t.Errorf("counted %v published, want %d", n, len(msgs))
		}
		if testutil.ToFloat64(metrics.resent.WithLabelValues("t")) == 0 || testutil.ToFloat64(metrics.publishErrors.WithLabelValues("t")) == 0 {
			t.Error("what was sent again was not counted")
		}
	})
}

// Whatever fails, in whatever order: nothing is lost, nothing arrives twice
// that was refused, and the messages of a key stay in order.
func TestPublishKeepsOrderThroughFailures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &fakeLog{}
		failures := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 60).Draw(t, "failures")
		turn := 0
		l.fail = func(int, []string) error {
			if turn++; turn <= len(failures) {
				return []error{nil, kafka.NotLeaderForPartition, context.DeadlineExceeded, kafka.MessageSizeTooLarge}[failures[turn-1]]
			}
			return nil
		}
		msgs := keyed(rapid.IntRange(1, 20).Draw(t, "keys"), rapid.IntRange(1, 20).Draw(t, "each"))
		p, _ := fakeProducer(t, l)
		p.client.cfg.BackoffMin, p.client.cfg.BackoffMax = time.Microsecond, time.Microsecond
		err := p.Publish(context.Background(), msgs)
		if _, ok := errors.AsType[*TooLargeError](err); ok {
			return // the fake refused even single messages, often enough to believe it
		}
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, log := range l.logs {
			total += len(log)
			last := map[string]string{}
			for _, value := range log {
				key, _, _ := strings.Cut(value, " ")
				if value <= last[key] {
					t.Fatalf("%q came after %q", value, last[key])
				}
				last[key] = value
			}
		}
		if total != len(msgs) {
			t.Fatalf("%d messages arrived of %d", total, len(msgs))
		}
	})
}

func TestRequestsThatAreTooLargeAreSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{}
		l.fail = func(_ int, values []string) error {
			if len(values) > 3 {
				return kafka.MessageSizeTooLarge
			}
			return nil
		}
		p, _ := fakeProducer(t, l)
		if err := p.Publish(t.Context(), keyed(10, 20)); err != nil {
			t.Errorf("a broker that takes small requests only: %v", err)
		}
		l.fail = func(_ int, values []string) error {
			if slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, "k3") }) {
				return kafka.MessageSizeTooLarge
			}
			return nil
		}
		var tooLarge *TooLargeError
		if err := p.Publish(t.Context(), keyed(10, 1)); !errors.As(err, &tooLarge) || tooLarge.Index != 3 {
			t.Errorf("a message that the broker never takes: %v, want it named as number 3", err)
		}
	})
}

func TestOversizedMessageIsRefusedBeforeAnythingIsSent(t *testing.T) {
	l := &fakeLog{}
	p, _ := fakeProducer(t, l)
	msgs := keyed(3, 1)
	msgs[1].Value = make([]byte, MaxMessageBytes)
	var tooLarge *TooLargeError
	if err := p.Publish(t.Context(), msgs); !errors.As(err, &tooLarge) || tooLarge.Index != 1 {
		t.Errorf("got %v, want message 1 refused", err)
	}
	for _, log := range l.logs {
		if len(log) > 0 {
			t.Error("others were sent all the same")
		}
	}
}

func TestPublishGivesUpWithItsContextAndSaysHowMuchIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &fakeLog{fail: func(int, []string) error { return errors.New("connection refused") }}
		p, _ := fakeProducer(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := p.Publish(ctx, keyed(4, 1))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "4 of 4 messages not acknowledged") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
	})
}

// The waits between attempts grow to the most that is configured: a naive loop
// would spin, for a cold client fails within microseconds.
func TestBackoffGrowsWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		l := &fakeLog{fail: func(int, []string) error { at = append(at, time.Now()); return errors.New("down") }}
		p, _ := fakeProducer(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		_ = p.Publish(ctx, keyed(1, 1))
		for i := 1; i < len(at); i++ {
			wait, base := at[i].Sub(at[i-1]), min(200*time.Millisecond<<(i-1), 30*time.Second)
			if wait < base*6/10 || wait > base*14/10 {
				t.Fatalf("wait %d was %v, want about %v", i, wait, base)
			}
		}
		if len(at) < 15 || len(at) > 40 {
			t.Errorf("%d attempts in ten minutes", len(at))
		}
	})
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	p, _ := fakeProducer(t, &fakeLog{})
	var now, most atomic.Int32
	p.produce = func(ctx context.Context, partition int, r *records) error {
		return p.client.admit(ctx, func() error {
			n := now.Add(1)
			for {
				m := most.Load()
				if n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			defer now.Add(-1)
			return nil
		})
	}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if err := p.Publish(t.Context(), keyed(8, 2)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := int(most.Load()); got > p.client.cfg.MaxInFlight {
		t.Errorf("%d requests at once, want at most %d", got, p.client.cfg.MaxInFlight)
	}
}

func TestSmallMessagesShareRequests(t *testing.T) {
	msgs := make([]Message, 12_000)
	order := make([]int32, len(msgs))
	for i := range msgs {
		msgs[i].Value, order[i] = make([]byte, 10), int32(i)
	}
	if n := requestSize(msgs, order, requestBytes); n != requestMessages {
		t.Errorf("a request of small messages holds %d, want %d", n, requestMessages)
	}
	for i := range msgs {
		msgs[i].Value = make([]byte, 300_000)
	}
	if n := requestSize(msgs, order, requestBytes); n != 3 {
		t.Errorf("a request of 300 kB messages holds %d, want 3", n)
	}
}
