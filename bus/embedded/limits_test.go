package embedded

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// However many topics ask for whatever, together they stay below the cap, and
// what exists is never refused.
func TestLimitsHoldTheCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.MaxBytes = 256 << 20
		l := newLimits(cfg)
		for range rapid.IntRange(1, 40).Draw(t, "requests") {
			name := fmt.Sprintf("t%d", rapid.IntRange(0, 15).Draw(t, "topic"))
			_, exists := l.topics[name]
			req := kmsg.NewPtrCreateTopicsRequest()
			rt := kmsg.NewCreateTopicsRequestTopic()
			rt.Topic, rt.NumPartitions = name, rapid.SampledFrom([]int32{-1, 1, 4, 64, 1000}).Draw(t, "partitions")
			set := topicConfig{}
			if rapid.Bool().Draw(t, "asks") {
				set.put("retention.bytes", rapid.Int64Range(-1, 1<<40).Draw(t, "retention.bytes"))
				set.put("segment.bytes", rapid.Int64Range(-1, 1<<31).Draw(t, "segment.bytes"))
			}
			rt.Configs = set.entries
			req.Topics = append(req.Topics, rt)
			refused := l.apply(req)
			if len(refused) > 0 && req.Topics[0].NumPartitions != 0 {
				t.Fatal("refused, yet the request is valid")
			}
			if exists {
				continue
			}
			sum := int64(0)
			for _, limit := range l.topics {
				sum += limit.bytes()
			}
			if sum > int64(cfg.MaxBytes) {
				t.Fatalf("topics may hold %d bytes, the cap is %d", sum, cfg.MaxBytes)
			}
			got := topicConfig{entries: req.Topics[0].Configs}
			if len(refused) == 0 && (got.size("retention.bytes", 0) < leastPartition || got.size("segment.bytes", 0) < leastPartition || got.size("retention.ms", 0) <= 0) {
				t.Fatalf("a topic without limits: %+v", req.Topics[0])
			}
		}
	})
}
