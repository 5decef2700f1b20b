package bus_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"outcry/bus"
	"outcry/internal/testenv"
)

// publishSteadily publishes n numbered messages from several goroutines while
// the test makes trouble; the channel closes once all are acknowledged.
func publishSteadily(t *testing.T, c *bus.Client, topic string, n int, pause time.Duration) <-chan struct{} {
	const workers, size = 4, 250
	next := make(chan int, n/size)
	for from := 0; from < n; from += size {
		next <- from
	}
	close(next)
	done := make(chan struct{}, workers)
	for range workers {
		go func() {
			defer func() { done <- struct{}{} }()
			for from := range next {
				if err := c.Producer(topic).Publish(t.Context(), numbered(from, size)); err != nil {
					t.Errorf("publish: %v", err)
					return
				}
				<-time.After(pause)
			}
		}()
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		for range workers {
			<-done
		}
	}()
	return all
}

func TestRebalancesLoseNothing(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 6)
	producer, _ := newClient(t, busConfig(addrs...))
	cfg, got := groupConfig(topic), newLedger()
	// Long enough that only the protocol decides, not the load of the machine.
	cfg.SessionTimeout, cfg.RebalanceTimeout = time.Minute, 2*time.Minute
	cfg.HandleTimeout, cfg.DrainTimeout = 30*time.Second, 30*time.Second
	member := func() (stop func()) {
		c, _ := newClient(t, busConfig(addrs...))
		return start(t, func(ctx context.Context) error { return c.Consume(ctx, cfg, got.handle) })
	}
	const n = 20_000
	published := publishSteadily(t, producer, topic, n, 20*time.Millisecond)
	stops := []func(){member()}
	got.await(t, n/20)
	// Members join and leave for as long as messages come.
	for i := 2; i <= 8; i++ {
		if len(stops) < 3 && (len(stops) == 1 || rand.IntN(2) == 0) {
			stops = append(stops, member())
		} else {
			stops[0]()
			stops = stops[1:]
		}
		got.await(t, i*n/10)
	}
	<-published
	got.await(t, n)
	for _, stop := range stops {
		stop()
	}
	t.Logf("%d delivered for %d published: %d twice", got.total, n, got.total-n)
	if got.total-n > n/100 {
		t.Errorf("%d of %d messages came twice: members that leave in order must commit what they handled", got.total-n, n)
	}
	if lag, err := producer.Lag(t.Context(), cfg.Group, topic); err != nil || lag != 0 {
		t.Errorf("lag afterwards: %d, %v", lag, err)
	}
}

func TestStuckMemberIsEvictedAndItsMessagesGoToOthers(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 2)
	a, regA := newClient(t, busConfig(addrs...))
	b, _ := newClient(t, busConfig(addrs...))
	if err := a.Producer(topic).Publish(t.Context(), numbered(0, 1000)); err != nil {
		t.Fatal(err)
	}
	cfg, got := groupConfig(topic), newLedger()
	stuck, release := make(chan struct{}, 100), make(chan struct{})
	start(t, func(ctx context.Context) error {
		return a.Consume(ctx, cfg, func(_ context.Context, batch []bus.Message) error {
			stuck <- struct{}{}
			<-release // deaf to its context
			got.add(batch)
			return nil
		})
	})
	<-stuck
	start(t, func(ctx context.Context) error { return b.Consume(ctx, cfg, got.handle) })
	got.await(t, 1000) // all of it by b, once the group has given a up
	close(release)
	eventually(t, "the evicted member notices that it lost its partitions", func() bool {
		return metric(t, regA, "outcry_bus_ownership_lost_total") > 0
	})
	if err := b.Producer(topic).Publish(t.Context(), numbered(1000, 1000)); err != nil {
		t.Fatal(err)
	}
	got.await(t, 2000)
}

func TestMemberThatLostItsConnectionReturnsBeforeItsSessionEnds(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 2)
	link := newProxy(t, addrs[0])
	c, _ := newClient(t, busConfig(link.Addr))
	cfg, got := groupConfig(topic), newLedger()
	// Whoever waits for the former member to time out does not end in time.
	cfg.SessionTimeout, cfg.RebalanceTimeout = 4*time.Minute, 5*time.Minute
	start(t, func(ctx context.Context) error { return c.Consume(ctx, cfg, got.handle) })
	for round := range 3 {
		if err := c.Producer(topic).Publish(t.Context(), numbered(round*100, 100)); err != nil {
			t.Fatal(err)
		}
		got.await(t, round*100+100)
		link.Cut()
		<-time.After(200 * time.Millisecond) // long enough for attempts to fail
		link.Mend()
	}
}

// restartableBroker gives a broker and what kills and restarts it.
func restartableBroker(t *testing.T) (addrs []string, restart func()) {
	if os.Getenv(realBroker) == "" {
		p := testenv.StartBroker(t, t.TempDir())
		return []string{p.Addr}, func() { p.Kill(); p.Restart() }
	}
	command := os.Getenv("OUTCRY_TEST_KAFKA_RESTART")
	if command == "" {
		t.Skip("OUTCRY_TEST_KAFKA_RESTART names no command that restarts the broker")
	}
	return brokers(t), func() {
		args := strings.Fields(command)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
}

func TestBrokerKilledUnderLoadLosesNothing(t *testing.T) {
	addrs, restart := restartableBroker(t)
	c, reg := newClient(t, busConfig(addrs...))
	topic := newTopic(t, addrs, 4)
	cfg, got := groupConfig(topic), newLedger()
	cfg.SessionTimeout, cfg.HandleTimeout = 6*time.Second, 2*time.Second // the least that brokers accept by themselves
	cfg.RebalanceTimeout = 8 * time.Second
	start(t, func(ctx context.Context) error { return c.Consume(ctx, cfg, got.handle) })
	const n = 20_000
	published := publishSteadily(t, c, topic, n, 20*time.Millisecond)
	for kill := 1; kill <= 2; kill++ {
		got.await(t, kill*n/4)
		restart()
	}
	<-published
	got.await(t, n)
	t.Logf("%d delivered for %d published, %v sent again", got.total, n, metric(t, reg, "outcry_bus_resent_total"))
}
