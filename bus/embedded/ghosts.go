package embedded

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ghosts finds members of consumer groups that are dead and that the broker
// takes for alive. A member whose connection breaks while it waits to join is
// given its partitions nevertheless and no session time-out: nobody would ever
// read those partitions again.
type ghosts struct {
	broker *Broker
	admin  *admin

	mu      sync.Mutex
	session time.Duration        // the longest session that a member asked for
	alive   map[member]time.Time // last heartbeat, or when it was first seen
}

type member struct{ group, id string }

// leastSession is assumed of members that joined before the broker restarted.
const leastSession = 30 * time.Second

// watch listens to the heartbeats and to what sessions are asked for.
func (g *ghosts) watch(cluster *kfake.Cluster) {
	cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		beat := req.(*kmsg.HeartbeatRequest)
		g.mu.Lock()
		defer g.mu.Unlock()
		if m := (member{beat.Group, beat.MemberID}); !g.alive[m].IsZero() {
			g.alive[m] = time.Now() // those that check has not seen are none of its concern
		}
		return nil, nil, false
	})
	cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		session := time.Duration(req.(*kmsg.JoinGroupRequest).SessionTimeoutMillis) * time.Millisecond
		g.mu.Lock()
		defer g.mu.Unlock()
		g.session = max(g.session, session)
		return nil, nil, false
	})
}

// check has the groups drop members that have not been heard for longer than any
// session lasts.
func (g *ghosts) check(ctx context.Context) {
	if err := g.drop(ctx, time.Now()); err != nil && ctx.Err() == nil {
		g.broker.log.Error("cannot look for dead members of groups", "error", err)
	}
}

func (g *ghosts) drop(ctx context.Context, now time.Time) error {
	members, err := g.members(ctx)
	if err != nil {
		return err
	}
	for _, m := range g.silent(members, now) {
		g.broker.log.Warn("a member died while it joined its group, which drops it now", "group", m.group, "member", m.id)
		g.broker.metrics.ghosts.Inc()
		_, err := g.admin.client.LeaveGroup(ctx, &kafka.LeaveGroupRequest{
			GroupID: m.group, Members: []kafka.LeaveGroupRequestMember{{ID: m.id}},
		})
		if err != nil {
			return fmt.Errorf("drop a member of group %s: %w", m.group, err)
		}
	}
	return nil
}

// silent notes the members there are and gives those that have been silent for
// too long.
func (g *ghosts) silent(members []member, now time.Time) []member {
	g.mu.Lock()
	defer g.mu.Unlock()
	limit := g.session
	if limit == 0 {
		limit = leastSession
	}
	limit += limit / 4 // the broker's own time-out comes first
	alive := make(map[member]time.Time, len(members))
	var silent []member
	for _, m := range members {
		last, ok := g.alive[m]
		if !ok {
			last = now
		}
		alive[m] = last
		if now.Sub(last) > limit {
			silent = append(silent, m)
		}
	}
	g.alive = alive
	return silent
}

// members gives the members of every group that is at work. While a group is
// being dealt anew its members have no reason to send heartbeats.
func (g *ghosts) members(ctx context.Context) ([]member, error) {
	groups, err := g.admin.groups(ctx)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	res, err := g.admin.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: groups})
	if err != nil {
		return nil, fmt.Errorf("describe groups: %w", err)
	}
	var found []member
	for _, group := range res.Groups {
		if group.Error != nil || group.GroupState != "Stable" {
			continue
		}
		for _, m := range group.Members {
			found = append(found, member{group.GroupID, m.MemberID})
		}
	}
	return found, nil
}
