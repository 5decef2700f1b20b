// Package offsets asks a broker where its logs begin and end, what groups have
// committed, and what a partition holds. Every call is one attempt: the caller
// repeats it.
package offsets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// Bounds are the first offset of a partition that can be read and the offset
// that the next message will get.
type Bounds struct{ First, End int64 }

// Of asks for the bounds of the given partitions.
func Of(ctx context.Context, client *kafka.Client, topic string, partitions ...int) (map[int]Bounds, error) {
	var ask []kafka.OffsetRequest
	for _, p := range partitions {
		ask = append(ask, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return nil, fmt.Errorf("offsets of %s: %w", topic, err)
	}
	found := map[int]Bounds{}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("offsets of %s partition %d: %w", topic, p.Partition, p.Error)
		}
		found[p.Partition] = Bounds{First: p.FirstOffset, End: p.LastOffset}
	}
	if len(found) != len(partitions) {
		return nil, fmt.Errorf("offsets of %s: %d of %d partitions answered", topic, len(found), len(partitions))
	}
	return found, nil
}

// Committed asks what a group has committed; a negative offset, or none, stands
// for nothing.
func Committed(ctx context.Context, client *kafka.Client, group, topic string, partitions ...int) (map[int]int64, error) {
	res, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) {
		return map[int]int64{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("offsets of group %s: %w", group, err)
	}
	found := map[int]int64{}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("offsets of group %s on %s partition %d: %w", group, topic, p.Partition, p.Error)
		}
		found[p.Partition] = p.CommittedOffset
	}
	return found, nil
}

// fetchWait is how long the broker may wait for data that it should have.
const fetchWait = time.Second

// Each calls fn with every record that the partition holds at this moment, in
// order. When retention overtakes it, it begins again: what was dropped may have
// been written anew behind the end that it knew. So fn may see a record again.
func Each(ctx context.Context, client *kafka.Client, topic string, partition int, fn func(key, value []byte)) error {
	for {
		err := each(ctx, client, topic, partition, fn)
		if !errors.Is(err, kafka.OffsetOutOfRange) {
			return err
		}
	}
}

func each(ctx context.Context, client *kafka.Client, topic string, partition int, fn func(key, value []byte)) error {
	found, err := Of(ctx, client, topic, partition)
	if err != nil {
		return err
	}
	for next, end := found[partition].First, found[partition].End; next < end; {
		after, err := fetch(ctx, client, topic, partition, next, fn)
		if err == nil && after == next {
			err = io.ErrNoProgress
		}
		if err != nil {
			return fmt.Errorf("read %s partition %d at %d of %d: %w", topic, partition, next, end, err)
		}
		next = after
	}
	return nil
}

// fetch gives the offset after the last record that it passed on.
func fetch(ctx context.Context, client *kafka.Client, topic string, partition int, from int64, fn func(key, value []byte)) (int64, error) {
	res, err := client.Fetch(ctx, &kafka.FetchRequest{
		Topic: topic, Partition: partition, Offset: from, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: fetchWait,
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return from, err
	}
	for next := from; ; {
		record, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return next, nil
		}
		if err != nil {
			return next, err
		}
		if record.Offset < from { // a batch may begin before the offset asked for
			continue
		}
		key, err := kafka.ReadAll(record.Key)
		if err != nil {
			return next, err
		}
		value, err := kafka.ReadAll(record.Value)
		if err != nil {
			return next, err
		}
		fn(key, value)
		next = record.Offset + 1
	}
}
