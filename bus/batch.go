package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// batcher collects messages into batches for one generation, has them handled,
// and commits.
type batcher struct {
	*consumer
	in       chan Message
	fetchers *sync.WaitGroup
	commit   func(offsets map[int]int64) error

	batch []Message
	bytes int
}

// errOwnershipLost ends a generation: its partitions may belong to others.
var errOwnershipLost = errors.New("the partitions were given to another member")

// run works until the generation ends, then finishes what was fetched. To
// return earlier ends the generation: the group then deals the partitions anew
// and they are read again from the last commit.
func (b *batcher) run(ctx context.Context) {
	work, cancel := drainContext(ctx, b.cfg.DrainTimeout)
	defer cancel()
	age := time.NewTimer(0)
	<-age.C
	defer age.Stop()
	for {
		select {
		case m := <-b.in:
			if len(b.batch) == 0 {
				age.Reset(b.cfg.BatchAge)
			}
			if !b.add(m) {
				continue
			}
			age.Stop()
		case <-age.C:
		case <-ctx.Done():
			b.drain(ctx, work)
			return
		}
		if !b.flush(ctx, work) {
			return
		}
	}
}

// add tells whether the batch is full.
func (b *batcher) add(m Message) bool {
	b.batch = append(b.batch, m)
	b.bytes += len(m.Key) + len(m.Value)
	return len(b.batch) >= b.cfg.BatchSize || b.bytes >= int(b.cfg.BatchBytes)
}

// drain finishes what was fetched before the generation ended. Commits still
// succeed then, and what they cover nobody has to read again.
func (b *batcher) drain(ctx, work context.Context) {
	b.fetchers.Wait()
	for {
		select {
		case m := <-b.in:
			if b.add(m) && !b.flush(ctx, work) {
				return
			}
			continue
		default:
		}
		b.flush(ctx, work)
		return
	}
}

// flush has the batch handled and commits it. False means that the generation
// is over for this member.
func (b *batcher) flush(ctx, work context.Context) bool {
	if len(b.batch) == 0 {
		return true
	}
	if !b.handleBatch(ctx, work) {
		return false
	}
	if err := b.commitBatch(ctx); err != nil {
		if errors.Is(err, errOwnershipLost) {
			b.metrics.lost.Inc()
		}
		b.log.Warn("handled but not committed, will be delivered again", "messages", len(b.batch), "error", err)
		return false
	}
	b.metrics.consumed.Add(float64(len(b.batch)))
	clear(b.batch) // let go of keys and values
	b.batch, b.bytes = b.batch[:0], 0
	return true
}

// handleBatch repeats the batch until it is handled. Once the generation is
// ending it is not repeated: others will have it.
func (b *batcher) handleBatch(ctx, work context.Context) bool {
	retry := b.client.newRetry()
	for attempt := 1; ; attempt++ {
		once, cancel := context.WithTimeout(work, b.cfg.HandleTimeout)
		err := b.handle(once, b.batch)
		cancel()
		if err == nil {
			return true
		}
		b.metrics.handleErrors.Inc()
		b.log.Warn("batch not handled", "messages", len(b.batch), "attempt", attempt, "error", err)
		if !retry.wait(ctx) {
			return false
		}
	}
}

// commitAttempts bounds the attempts to commit one batch.
const commitAttempts = 5

func (b *batcher) commitBatch(ctx context.Context) error {
	offsets := map[int]int64{}
	for i := range b.batch {
		offsets[b.batch[i].Partition] = b.batch[i].Offset + 1 // offsets ascend within a partition
	}
	retry := b.client.newRetry()
	for attempt := 1; ; attempt++ {
		err := b.commit(offsets)
		if err == nil {
			return nil
		}
		b.metrics.commitErrors.Inc()
		if lostOwnership(err) {
			return errors.Join(errOwnershipLost, err)
		}
		if !temporary(err) || attempt == commitAttempts || !retry.wait(ctx) {
			return err // the connection to the coordinator is gone: join anew
		}
	}
}

// lostOwnership tells the answers to a member that the group no longer counts.
func lostOwnership(err error) bool {
	return errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration) ||
		errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.FencedInstanceID)
}

// drainContext gives a context that outlives ctx by the drain time.
func drainContext(ctx context.Context, drain time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.Background())
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(drain, func() { cancel(errOwnershipLost) })
	})
	return work, func() { stop(); cancel(context.Canceled) }
}
