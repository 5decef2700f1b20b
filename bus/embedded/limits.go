package embedded

import (
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// limits gives every topic a retention such that all of them together stay
// below the cap: a topic that asks for none would grow without end.
type limits struct {
	cfg Config

	mu     sync.Mutex
	topics map[string]topicLimit
}

// topicLimit is what one topic may come to hold.
type topicLimit struct {
	partitions int64
	keep       int64 // retention.bytes of each partition
	segment    int64 // a partition overshoots its retention by so much at most
	compacted  bool  // the latest of every key stays
}

func (l topicLimit) bytes() int64 { return l.partitions * (l.keep + l.segment) }

func newLimits(cfg Config) *limits { return &limits{cfg: cfg, topics: map[string]topicLimit{}} }

const (
	// defaultPartition is what a partition may hold that asks for no cap, and
	// compactedPartition what one of a compacted topic may.
	defaultPartition   = 128 << 20
	compactedPartition = 16 << 20

	// leastPartition is the least that is of use. A topic whose partitions
	// would get less is refused.
	leastPartition = 1 << 20
)

// apply rewrites a request to create topics. It tells which it made invalid for
// want of room.
func (l *limits) apply(req *kmsg.CreateTopicsRequest) (refused []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range req.Topics {
		t := &req.Topics[i]
		set := &topicConfig{entries: t.Configs}
		limit, ok := l.share(t, set)
		if !ok {
			t.NumPartitions, t.ReplicaAssignment = 0, nil // which the broker refuses
			refused = append(refused, t.Topic)
			continue
		}
		if limit.compacted {
			set.put("retention.ms", -1) // the latest of a key has no age
		} else {
			set.put("retention.ms", set.size("retention.ms", l.cfg.Retention.Milliseconds()))
		}
		set.put("retention.bytes", limit.keep)
		set.put("segment.bytes", limit.segment)
		t.Configs = set.entries
		if limit.bytes() > l.topics[t.Topic].bytes() { // else it exists and stays as it is
			l.topics[t.Topic] = limit
		}
	}
	return refused
}

// share gives a topic at most half of what is left, so that topics still to
// come get something too.
func (l *limits) share(t *kmsg.CreateTopicsRequestTopic, set *topicConfig) (topicLimit, bool) {
	left := int64(l.cfg.MaxBytes) + l.topics[t.Topic].bytes()
	for _, other := range l.topics {
		left -= other.bytes()
	}
	limit := topicLimit{
		partitions: int64(max(t.NumPartitions, int32(len(t.ReplicaAssignment)), 1)),
		keep:       max(set.size("retention.bytes", defaultPartition), leastPartition),
		segment:    min(max(set.size("segment.bytes", int64(l.cfg.SegmentBytes)), leastPartition), int64(l.cfg.SegmentBytes)),
		compacted:  set.compacted(),
	}
	if limit.compacted {
		limit.keep = min(limit.keep, compactedPartition)
	}
	each := left / 2 / limit.partitions
	if each < limit.segment+leastPartition {
		limit.segment = leastPartition
	}
	limit.keep = min(limit.keep, each-limit.segment)
	return limit, limit.keep >= leastPartition
}

// restore accounts for a topic that exists already.
func (l *limits) restore(topic string, limit topicLimit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topics[topic] = limit
}

// compacted gives the topics of which the latest of every key stays.
func (l *limits) compacted() map[string]topicLimit { return l.pick(true) }

// expiring gives the others, whose messages are dropped by age and size.
func (l *limits) expiring() map[string]topicLimit { return l.pick(false) }

func (l *limits) pick(compacted bool) map[string]topicLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]topicLimit{}
	for topic, limit := range l.topics {
		if limit.compacted == compacted {
			found[topic] = limit
		}
	}
	return found
}

// topicConfig edits the settings in a request.
type topicConfig struct {
	entries []kmsg.CreateTopicsRequestTopicConfig
}

func (c *topicConfig) compacted() bool {
	for _, e := range c.entries {
		if e.Name == "cleanup.policy" && e.Value != nil {
			return strings.Contains(*e.Value, "compact")
		}
	}
	return false
}

// size reads a number above 0; whatever else stands there means none.
func (c *topicConfig) size(name string, none int64) int64 {
	for _, e := range c.entries {
		if e.Name == name && e.Value != nil {
			if v, err := strconv.ParseInt(*e.Value, 10, 64); err == nil && v > 0 {
				return v
			}
		}
	}
	return none
}

func (c *topicConfig) put(name string, value int64) {
	text := strconv.FormatInt(value, 10)
	for i := range c.entries {
		if c.entries[i].Name == name {
			c.entries[i].Value = &text
			return
		}
	}
	e := kmsg.NewCreateTopicsRequestTopicConfig()
	e.Name, e.Value = name, &text
	c.entries = append(c.entries, e)
}
