package embedded

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"

	"outcry/bus/internal/offsets"
)

// groupPrefix begins the names of the groups whose unread messages are kept.
// Any other group reads at its own risk: one that was tried once and forgotten
// must not stop publishing for ever.
const groupPrefix = "outcry-"

// Of what a partition may hold, so much may be unread before publishing to its
// topic is refused, and so little before it is accepted again.
const (
	refuseAbove = 0.6
	acceptBelow = 0.4
)

// backlog refuses publishing to a topic whose readers are so far behind that
// retention by size would soon drop what they have not read. Publishers then
// wait, and sources behind them: on one machine that is better than losing what
// was acknowledged.
type backlog struct {
	broker *Broker
	admin  *admin
	limits *limits
	refuse func(topic string) (accept func())

	refused map[string]func()
}

// check looks at every topic. It tells whether dropping by size would drop
// anything unread now.
func (w *backlog) check(ctx context.Context) (risk bool) {
	for topic, limit := range w.limits.expiring() {
		unread, err := w.unread(ctx, topic, limit)
		if err != nil {
			if ctx.Err() == nil {
				w.broker.log.Error("cannot tell how far readers are behind", "topic", topic, "error", err)
			}
			continue
		}
		share := float64(unread) / float64(limit.keep)
		risk = risk || share > 1
		accept := w.refused[topic]
		switch {
		case share > refuseAbove && accept == nil:
			w.broker.log.Warn("readers are far behind, publishing waits for them", "topic", topic, "unread_bytes", unread, "partition_bytes", limit.keep)
			w.refused[topic] = w.refuse(topic)
		case share < acceptBelow && accept != nil:
			accept()
			delete(w.refused, topic)
			w.broker.log.Info("readers have caught up, publishing goes on", "topic", topic)
		}
	}
	w.broker.metrics.backlogged.Set(float64(len(w.refused)))
	return risk
}

// unread estimates the bytes of the fullest partition that a group has yet to
// read, as its share of the offsets.
func (w *backlog) unread(ctx context.Context, topic string, limit topicLimit) (int64, error) {
	sizes := make([]int64, limit.partitions)
	var most int64
	for p := range sizes {
		sizes[p] = dirSize(filepath.Join(logDir(w.broker.cfg.Dir), "partitions", topic+"-"+strconv.Itoa(p)))
		most = max(most, sizes[p])
	}
	if float64(most) < acceptBelow*float64(limit.keep) {
		return 0, nil // nearly always: nobody needs to be asked
	}
	all := numbers(len(sizes))
	bounds, err := offsets.Of(ctx, w.admin.client, topic, all...)
	if err != nil {
		return 0, err
	}
	groups, err := w.admin.client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err == nil {
		err = groups.Error
	}
	if err != nil {
		return 0, fmt.Errorf("list groups: %w", err)
	}
	most = 0
	for _, g := range groups.Groups {
		if !strings.HasPrefix(g.GroupID, groupPrefix) {
			continue
		}
		committed, err := offsets.Committed(ctx, w.admin.client, g.GroupID, topic, all...)
		if err != nil {
			return 0, err
		}
		if !reads(committed) {
			continue
		}
		for p, b := range bounds {
			if b.End == b.First {
				continue
			}
			at, ok := committed[p]
			at = min(max(at, b.First), b.End)
			if !ok {
				at = b.First
			}
			most = max(most, int64(float64(sizes[p])*float64(b.End-at)/float64(b.End-b.First)))
		}
	}
	return most, nil
}

// reads tells whether a group ever committed anything of a topic.
func reads(committed map[int]int64) bool {
	for _, at := range committed {
		if at >= 0 {
			return true
		}
	}
	return false
}
