package embedded

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestMemberThatDiesWhileJoiningIsDropped: it would keep its partitions for
// ever, for the broker gives it no session time-out.
func TestMemberThatDiesWhileJoiningIsDropped(t *testing.T) {
	if os.Getenv("OUTCRY_TEST_SLOW") == "" {
		t.Skip("skipped: waits for sessions to end, some 20 s; set OUTCRY_TEST_SLOW=1, as make test does")
	}
	const group, topic = "outcry-test", "outcry.test"
	r := run(t, testConfig(t.TempDir()), func(b *Broker) { b.watchInterval = 20 * time.Millisecond })
	r.create(t, topic, 2)
	addr, err := Address(r.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(addr, unixScheme)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	// The living member joins whenever the group asks it to.
	dialer := &kafka.Dialer{ClientID: "living", DialFunc: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	living, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: []string{embeddedAddr{}.String()}, Topics: []string{topic}, Dialer: dialer,
		HeartbeatInterval: 200 * time.Millisecond, SessionTimeout: 6 * time.Second, RebalanceTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	assigned := make(chan int, 16)
	go func() {
		for ctx.Err() == nil {
			gen, err := living.Next(ctx)
			if err != nil {
				continue
			}
			assigned <- len(gen.Assignments[topic])
			gen.Start(func(ctx context.Context) { <-ctx.Done() })
		}
	}()
	await := func(what string, holds func(partitions int) bool) {
		t.Helper()
		for {
			select {
			case n := <-assigned:
				if holds(n) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("the living member was never given %s\n%s", what, r.logs)
			}
		}
	}
	all := func(n int) bool { return n == 2 }
	await("all partitions", all)

	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.ProtocolType = 2, group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 6000, 10_000
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{topic}
	for _, name := range []string{"range", "roundrobin"} {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, meta.AppendTo(nil)
		join.Protocols = append(join.Protocols, p)
	}
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("dying")).AppendRequest(nil, join, 1)
	if int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
		t.Fatal("the request has no length before it")
	}
	// Another asks to join and dies before it is answered. Whether the broker takes
	// it for alive is a matter of chance, so there are some.
	for range 5 {
		dying, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dying.Write(frame); err != nil {
			t.Fatal(err)
		}
		for state := "Stable"; state == "Stable"; {
			res, err := r.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
			if err != nil {
				t.Fatal(err)
			}
			state = res.Groups[0].GroupState
		}
		if err := dying.Close(); err != nil {
			t.Fatal(err)
		}
		await("fewer partitions, one being with the dead", func(n int) bool { return n < 2 })
		await("all partitions again", all)
		if testutil.ToFloat64(r.metrics.ghosts) > 0 {
			return
		}
	}
}
