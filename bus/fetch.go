package bus

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"outcry/bus/internal/offsets"
)

const (
	// queueMessages and readerMessages bound what is fetched ahead of the
	// handler: for all partitions together, and for each.
	queueMessages  = 1000
	readerMessages = 500
)

// fetcher reads one partition for one generation.
type fetcher struct {
	*consumer
	partition int
	log       *slog.Logger
	out       chan<- Message
}

// run reads from the committed offset on until ctx ends.
func (f *fetcher) run(ctx context.Context, committed int64) {
	next := committed
	for ctx.Err() == nil {
		start, ok := f.start(ctx, next)
		if !ok {
			return
		}
		next = f.read(ctx, start)
	}
}

// start finds the offset to read from. A committed offset that the partition
// does not hold any more would make the library wait for ever or skip in silence.
func (f *fetcher) start(ctx context.Context, committed int64) (int64, bool) {
	retry := f.client.newRetry()
	for {
		found, err := offsets.Of(ctx, f.client.kafka, f.cfg.Topic, f.partition)
		if err == nil {
			return f.clamp(committed, found[f.partition]), true
		}
		if ctx.Err() == nil {
			f.metrics.fetchErrors.Inc()
			f.log.Warn("cannot ask for the bounds of the partition", "error", err)
		}
		if !retry.wait(ctx) {
			return 0, false
		}
	}
}

// clamp moves an offset into what the partition holds. Beyond the end it goes
// back to the beginning and not to the end: the log was cut and may have grown
// again since, and what is read twice is counted once, while what is skipped is lost.
func (f *fetcher) clamp(committed int64, b offsets.Bounds) int64 {
	switch {
	case committed == kafka.FirstOffset:
		return b.First
	case committed < b.First:
		f.gap(gapExpired, committed, b.First)
		return b.First
	case committed > b.End:
		f.gap(gapTruncated, b.End, committed)
		return b.First
	}
	return committed
}

func (f *fetcher) gap(reason string, from, to int64) {
	f.metrics.gaps[reason].Inc()
	f.metrics.gapMessages[reason].Add(float64(to - from))
	f.log.Error("gap in the partition", "reason", reason, "from", from, "to", to, "messages", to-from)
}

// read passes messages on, from start until ctx ends or the partition no longer
// holds the offset. It gives the offset to go on from.
func (f *fetcher) read(ctx context.Context, start int64) int64 {
	conns := newConnSet()
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:               f.client.net.brokers,
		Dialer:                f.client.net.dialer(conns),
		Topic:                 f.cfg.Topic,
		Partition:             f.partition,
		MinBytes:              1,
		MaxBytes:              1 << 20,
		MaxWait:               250 * time.Millisecond,
		QueueCapacity:         readerMessages,
		ReadLagInterval:       -1,
		ReadBackoffMin:        f.client.cfg.BackoffMin,
		ReadBackoffMax:        min(f.client.cfg.BackoffMax, 5*time.Second),
		OffsetOutOfRangeError: true,
	})
	defer func() {
		conns.cut() // else closing waits for the answer to a fetch
		_ = reader.Close()
	}()
	next := start
	if err := reader.SetOffset(next); err != nil {
		return next
	}
	for {
		m, err := reader.FetchMessage(ctx)
		switch {
		case ctx.Err() != nil:
			return next
		case errors.Is(err, kafka.OffsetOutOfRange):
			return next
		case err != nil: // the reader repeats the fetch, with backoff
			f.metrics.fetchErrors.Inc()
			f.log.Warn("fetching failed, will fetch again", "offset", next, "error", err)
			continue
		}
		if m.Offset > next {
			f.gap(gapSkipped, next, m.Offset)
		}
		next = m.Offset + 1
		select {
		case f.out <- Message{Key: m.Key, Value: m.Value, Partition: f.partition, Offset: m.Offset, Time: m.Time}:
		case <-ctx.Done():
			return next
		}
	}
}
