package bus

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// membership is how a process takes part in a consumer group.
type membership struct {
	group, topic string
	session      time.Duration // without a heartbeat for so long a member is out
	rebalance    time.Duration // how long the group waits for its members to come back
	heartbeat    time.Duration
	leave        time.Duration // how long leaving in order may take
	balancers    []kafka.GroupBalancer
}

// assignment is what one generation of the group gives to this member.
type assignment struct {
	gen        *kafka.Generation
	partitions []kafka.PartitionAssignment

	running *atomic.Int32
}

// start runs fn as part of the generation: the next generation begins only when
// every function has returned, and the first that returns ends this one.
func (a *assignment) start(fn func(ctx context.Context)) {
	a.running.Add(1)
	a.gen.Start(func(ctx context.Context) {
		defer a.running.Add(-1)
		fn(ctx)
	})
}

// join takes part in the group until ctx ends and calls each for every
// generation; each only starts functions. On the way out it leaves the group,
// so that others take over at once.
func (c *Client) join(ctx context.Context, m membership, each func(*assignment)) error {
	conns := newConnSet()
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                     m.group,
		Brokers:                c.net.brokers,
		Dialer:                 c.net.dialer(conns),
		Topics:                 []string{m.topic},
		GroupBalancers:         m.balancers,
		HeartbeatInterval:      m.heartbeat,
		SessionTimeout:         m.session,
		RebalanceTimeout:       m.rebalance,
		JoinGroupBackoff:       time.Millisecond, // the waiting is done below
		WatchPartitionChanges:  true,
		PartitionWatchInterval: m.rebalance / 4,
		StartOffset:            kafka.FirstOffset,
		Timeout:                min(5*time.Second, m.session/2),
	})
	if err != nil {
		return err
	}
	var running atomic.Int32
	var forgetting sync.WaitGroup
	defer forgetting.Wait()
	defer func() { leaveGroup(group, conns, &running, m.leave) }()

	log := c.log.With("group", m.group, "topic", m.topic)
	if err := c.awaitTopic(ctx, m.topic); err != nil {
		return err
	}
	retry := c.newRetry()
	began, brief, member := time.Time{}, 0, ""
	for {
		gen, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kafka.RebalanceInProgress):
			continue // the coordinator paces this
		case err != nil:
			log.Warn("cannot join the group yet", "error", err)
			if former := member; former != "" {
				member = ""
				forgetting.Go(func() { c.forget(ctx, m, former) })
			}
			if !retry.wait(ctx) {
				return ctx.Err()
			}
			continue
		}
		// Generations that end as soon as they begin (the topic vanished, the
		// broker refuses heartbeats) must not become a tight loop of joins.
		if time.Since(began) > time.Second {
			brief = 0
		}
		if brief++; brief > 5 && !retry.wait(ctx) {
			return ctx.Err()
		} else if brief == 1 {
			retry.reset()
		}
		began, member = time.Now(), gen.MemberID
		partitions := gen.Assignments[m.topic]
		log.Debug("joined the group", "generation", gen.ID, "partitions", len(partitions))
		each(&assignment{gen: gen, partitions: partitions, running: &running})
	}
}

// awaitTopic waits for a topic that does not exist yet: the members of a group
// without partitions would join again and again.
func (c *Client) awaitTopic(ctx context.Context, topic string) error {
	retry := c.newRetry()
	for attempt := 0; ; attempt++ {
		_, err := c.partitions(ctx, topic)
		if err == nil {
			return nil
		}
		if attempt == 1 {
			c.log.Warn("waiting for the topic", "topic", topic, "error", err)
		}
		if !retry.wait(ctx) {
			return ctx.Err()
		}
	}
}

// forget has the group drop the member that this process was before it lost the
// coordinator: the library joins as another, and the group would wait for the
// former until its session ends. Its functions have all returned by then.
func (c *Client) forget(ctx context.Context, m membership, member string) {
	ctx, cancel := context.WithTimeout(ctx, m.session)
	defer cancel()
	retry := c.newRetry()
	for {
		_, err := c.kafka.LeaveGroup(ctx, &kafka.LeaveGroupRequest{
			GroupID: m.group,
			Members: []kafka.LeaveGroupRequestMember{{ID: member}},
		})
		if err == nil || !retry.wait(ctx) {
			return // or the group knows it no more
		}
	}
}

// leaveGroup closes the membership. A generation that runs gets grace to finish
// in order. A join that waits for slower members is cut: it would wait as long
// as the rebalance time-out.
func leaveGroup(group *kafka.ConsumerGroup, conns *connSet, running *atomic.Int32, grace time.Duration) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		_ = group.Close()
	}()
	if running.Load() == 0 {
		grace = min(grace, 500*time.Millisecond)
	}
	for {
		timer := time.NewTimer(grace)
		select {
		case <-left:
			timer.Stop()
			return
		case <-timer.C:
			conns.cut()
			grace = time.Second // for whatever was dialled since
		}
	}
}
