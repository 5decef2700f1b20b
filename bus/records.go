package bus

import (
	"bytes"
	"io"
	"math/rand/v2"

	"github.com/segmentio/kafka-go"
)

// records presents some of a slice of messages to the encoder of a produce
// request, without a copy and without an allocation for each.
type records struct {
	msgs  []Message
	order []int32 // which of msgs

	next       int
	record     kafka.Record
	key, value payload
}

// ReadRecord gives the next record; it is valid until the next call.
func (r *records) ReadRecord() (*kafka.Record, error) {
	if r.next == len(r.order) {
		return nil, io.EOF
	}
	m := &r.msgs[r.order[r.next]]
	r.next++
	r.record = kafka.Record{}
	if m.Key != nil {
		r.key.Reset(m.Key)
		r.record.Key = &r.key
	}
	if m.Value != nil {
		r.value.Reset(m.Value)
		r.record.Value = &r.value
	}
	return &r.record, nil
}

type payload struct{ bytes.Reader }

func (*payload) Close() error { return nil }

// split sorts messages by partition. Those without a key share one partition,
// drawn for each call, so that they travel in few requests.
func split(msgs []Message, pending []int32, partitions int) [][]int32 {
	all := numbers(partitions)
	parts := make([][]int32, partitions)
	keyless := rand.IntN(partitions)
	for _, i := range pending {
		p := keyless
		if msgs[i].Key != nil {
			p = partitionOf(msgs[i].Key, all)
		}
		parts[p] = append(parts[p], i)
	}
	return parts
}

// partitionOf places a key as Kafka's own clients do, so that whatever else
// writes a key puts it beside ours.
func partitionOf(key []byte, partitions []int) int {
	return kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, partitions...)
}

// numbers gives the partitions 0 to n−1.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
