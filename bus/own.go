package bus

import (
	"context"
	"encoding/binary"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// ownership is how a process takes part in a group that has one owner. A killed
// owner is missed after the session, and another takes over.
func ownership() membership {
	return membership{
		session:   10 * time.Second,
		rebalance: 12 * time.Second,
		heartbeat: time.Second,
		leave:     5 * time.Second,
	}
}

// Own runs fn while this process is the member of the group that owns partition
// 0 of the topic. The context of fn ends as soon as ownership is in doubt; fn
// must then return, for until it does this member holds up the group. While the
// process stays owner fn is run again, with backoff, whenever it returns. Own
// returns the error of ctx when it ends.
//
// When the owner is killed another member takes over within about 12 seconds;
// when it leaves in order, at once. Of a process that was stopped and resumed
// (a suspended laptop) fn may run for a heartbeat, one second, beside its
// successor: what fn does must bear that. A member that joins does not take
// the task from its owner, though fn is interrupted for the moment.
func (c *Client) Own(ctx context.Context, group, topic string, fn func(ctx context.Context) error) error {
	o := &ownerTask{client: c, fn: fn, metrics: c.metrics.group(group, topic), log: c.log.With("group", group, "topic", topic)}
	o.metrics.owner.Set(0)
	m := c.owner
	m.group, m.topic, m.balancers = group, topic, []kafka.GroupBalancer{&o.balancer}
	return c.join(ctx, m, o.generation)
}

type ownerTask struct {
	client   *Client
	fn       func(ctx context.Context) error
	balancer ownerBalancer
	metrics  groupMetrics
	log      *slog.Logger
}

func (o *ownerTask) generation(a *assignment) {
	o.metrics.generations.Inc()
	owns := slices.ContainsFunc(a.partitions, func(p kafka.PartitionAssignment) bool { return p.ID == 0 })
	if !owns {
		o.log.Info("standing by")
		return
	}
	o.balancer.owned.Store(int64(a.gen.ID))
	a.start(o.run)
}

// run runs fn, again whenever it returns, until gen ends.
func (o *ownerTask) run(gen context.Context) {
	o.log.Info("took ownership")
	defer o.log.Info("gave up ownership")
	o.metrics.owner.Set(1)
	defer o.metrics.owner.Set(0)
	ctx, cancel := context.WithCancel(gen)
	defer cancel()
	retry := o.client.newRetry()
	for {
		began := time.Now()
		err := o.fn(ctx)
		if gen.Err() != nil {
			return
		}
		o.log.Warn("the owner's task ended, will start again", "error", err)
		if time.Since(began) > o.client.cfg.BackoffMax {
			retry.reset()
		}
		if !retry.wait(gen) {
			return
		}
	}
}

// ownerBalancer gives everything to one member: the one that owned it last, so
// that joining members do not move the task about.
type ownerBalancer struct {
	owned atomic.Int64 // generation in which this member owned, or 0
}

func (*ownerBalancer) ProtocolName() string { return "outcry-owner" }

func (b *ownerBalancer) UserData() ([]byte, error) {
	return binary.BigEndian.AppendUint64(nil, uint64(b.owned.Load())), nil
}

func (*ownerBalancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	assigned := kafka.GroupMemberAssignments{}
	var owner *kafka.GroupMember
	for i := range members {
		assigned[members[i].ID] = map[string][]int{}
		if owner == nil || claim(members[i]) > claim(*owner) || claim(members[i]) == claim(*owner) && members[i].ID < owner.ID {
			owner = &members[i]
		}
	}
	if owner == nil {
		return assigned
	}
	for _, p := range partitions {
		assigned[owner.ID][p.Topic] = append(assigned[owner.ID][p.Topic], p.ID)
	}
	return assigned
}

// claim is the generation in which a member last owned, or 0.
func claim(m kafka.GroupMember) uint64 {
	if len(m.UserData) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(m.UserData)
}
