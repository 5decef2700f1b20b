package bus

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// The owner of a task is missed after ownerSession, and another takes over.
const (
	ownerSession   = 10 * time.Second
	ownerRebalance = 12 * time.Second
	ownerHeartbeat = time.Second
	ownerLeave     = 5 * time.Second
)

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
	metrics := c.metrics.group(group, topic)
	metrics.owner.Set(0)
	log := c.log.With("group", group, "topic", topic)
	sticky := &ownerBalancer{}
	return c.join(ctx, membership{
		group: group, topic: topic,
		session: ownerSession, rebalance: ownerRebalance, heartbeat: ownerHeartbeat, leave: ownerLeave,
		balancers: []kafka.GroupBalancer{sticky},
	}, func(a *assignment) {
		metrics.generations.Inc()
		if !ownsFirst(a.partitions) {
			log.Info("standing by")
			return
		}
		sticky.owned.Store(int64(a.gen.ID))
		log.Info("took ownership", "generation", a.gen.ID)
		a.start(func(gen context.Context) {
			metrics.owner.Set(1)
			defer metrics.owner.Set(0)
			run, cancel := context.WithCancel(context.WithoutCancel(ctx))
			defer cancel()
			defer context.AfterFunc(gen, cancel)()
			retry := c.newRetry()
			for {
				began := time.Now()
				err := fn(run)
				if gen.Err() != nil {
					log.Info("gave up ownership", "generation", a.gen.ID)
					return
				}
				log.Warn("the owner's task ended, will start again", "error", err)
				if time.Since(began) > c.cfg.BackoffMax {
					retry.reset()
				}
				if !retry.wait(run) {
					return
				}
			}
		})
	})
}

func ownsFirst(partitions []kafka.PartitionAssignment) bool {
	for _, p := range partitions {
		if p.ID == 0 {
			return true
		}
	}
	return false
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

