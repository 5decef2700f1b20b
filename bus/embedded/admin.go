package embedded

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"outcry/bus/internal/offsets"
)

// admin is the broker's own client, for what only the protocol can do.
type admin struct {
	client    *kafka.Client
	transport *kafka.Transport
}

func newAdmin(dial func(ctx context.Context, network, address string) (net.Conn, error)) *admin {
	transport := &kafka.Transport{
		ClientID:    "outcry-broker",
		MetadataTTL: time.Second,
		Dial:        dial,
	}
	return &admin{
		client:    &kafka.Client{Addr: kafka.TCP(embeddedAddr{}.String()), Timeout: 10 * time.Second, Transport: transport},
		transport: transport,
	}
}

func (a *admin) close() { a.transport.CloseIdleConnections() }

// topics gives every topic with the number of its partitions.
func (a *admin) topics(ctx context.Context) (map[string]int, error) {
	res, err := a.client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	found := map[string]int{}
	for _, t := range res.Topics {
		found[t.Name] = len(t.Partitions)
	}
	return found, nil
}

// groups gives the name of every consumer group.
func (a *admin) groups(ctx context.Context) ([]string, error) {
	res, err := a.client.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	var names []string
	for _, g := range res.Groups {
		names = append(names, g.GroupID)
	}
	return names, nil
}

// limit asks what a topic was created with.
func (a *admin) limit(ctx context.Context, topic string, partitions int) (topicLimit, error) {
	res, err := a.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic,
		ResourceName: topic,
		ConfigNames:  []string{"cleanup.policy", "retention.bytes", "segment.bytes"},
	}}})
	if err != nil {
		return topicLimit{}, fmt.Errorf("settings of topic %s: %w", topic, err)
	}
	limit := topicLimit{partitions: int64(partitions)}
	for _, resource := range res.Resources {
		for _, entry := range resource.ConfigEntries {
			switch entry.ConfigName {
			case "cleanup.policy":
				limit.compacted = entry.ConfigValue == "compact"
			case "retention.bytes":
				limit.keep, err = strconv.ParseInt(entry.ConfigValue, 10, 64)
			case "segment.bytes":
				limit.segment, err = strconv.ParseInt(entry.ConfigValue, 10, 64)
			}
			if err != nil {
				return topicLimit{}, fmt.Errorf("settings of topic %s: %w", topic, err)
			}
		}
	}
	return limit, nil
}

// recover takes up what an earlier run left: what its topics may hold, and
// offsets that outlived their messages.
func (b *Broker) recover(ctx context.Context, a *admin, l *limits) error {
	topics, err := a.topics(ctx)
	if err != nil {
		return err
	}
	groups, err := a.groups(ctx)
	if err != nil {
		return err
	}
	for topic, partitions := range topics {
		limit, err := a.limit(ctx, topic, partitions)
		if err != nil {
			return err
		}
		l.restore(topic, limit)
		for _, group := range groups {
			if err := b.repair(ctx, a, group, topic, partitions); err != nil {
				// Not fatal: members of the group look for themselves as well.
				b.log.Error("committed offsets were not checked", "group", group, "topic", topic, "error", err)
			}
		}
	}
	return nil
}

// repair sets back the offsets of a group that lie beyond the end of their log.
// When all of a log has expired, or damage cut it, the broker numbers from an
// earlier offset again, even from 0. A group would then skip what is published
// until the numbers reach its old offset, and nobody could tell.
func (b *Broker) repair(ctx context.Context, a *admin, group, topic string, partitions int) error {
	all := numbers(partitions)
	ends, err := offsets.Of(ctx, a.client, topic, all...)
	if err != nil {
		return err
	}
	committed, err := offsets.Committed(ctx, a.client, group, topic, all...)
	if err != nil {
		return err
	}
	var back []kafka.OffsetCommit
	for p, at := range committed {
		if at > ends[p].End {
			back = append(back, kafka.OffsetCommit{Partition: p, Offset: ends[p].First})
			b.log.Warn("the log ends before the committed offset, which is set back", "group", group, "topic", topic, "partition", p, "committed", at, "first", ends[p].First, "end", ends[p].End)
		}
	}
	if len(back) == 0 {
		return nil
	}
	res, err := a.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: back}})
	if err != nil {
		return fmt.Errorf("set back offsets of group %s: %w", group, err)
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return fmt.Errorf("set back offsets of group %s on %s partition %d: %w", group, topic, p.Partition, p.Error)
		}
	}
	b.metrics.repaired.Add(float64(len(back)))
	return nil
}

// numbers gives the partitions 0 to n−1.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
