package embedded

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"outcry/bus/internal/offsets"
)

// maintenance is what goes on beside serving.
type maintenance struct {
	broker  *Broker
	cluster *kfake.Cluster
	limits  *limits
	carry   *carrier
	disk    *diskWatch
	backlog *backlog
	ghosts  *ghosts
}

// run drops old data and watches the disk, the readers and their groups until ctx ends. The
// broker's own cleaner does not start after a restart.
func (m *maintenance) run(ctx context.Context) {
	drop := time.NewTicker(m.broker.dropInterval)
	defer drop.Stop()
	watch := time.NewTicker(m.broker.watchInterval)
	defer watch.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-watch.C:
			m.disk.check()
			m.backlog.check(ctx)
			m.ghosts.check(ctx)
		case <-drop.C:
			m.drop(ctx)
		}
	}
}

// drop applies retention, unless it might drop the last message of a key, or
// what nobody has read yet; not even then once the cap is reached.
func (m *maintenance) drop(ctx context.Context) {
	safe := !m.backlog.check(ctx)
	for topic, limit := range m.limits.compacted() {
		if err := m.carry.topic(ctx, topic, limit); err != nil && ctx.Err() == nil {
			safe = false
			m.broker.log.Error("the latest of each key was not carried forward, will try again", "topic", topic, "error", err)
		}
	}
	size := dirSize(logDir(m.broker.cfg.Dir))
	m.broker.metrics.logBytes.Set(float64(size))
	if safe || size > int64(m.broker.cfg.MaxBytes) {
		m.cluster.ApplyRetention()
	}
}

// dirSize adds up the files below dir; what vanishes meanwhile counts nothing.
func dirSize(dir string) int64 {
	var size int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}

// carrier keeps the latest message of every key of a compacted topic: it
// publishes it again before retention by size reaches it. Unlike compaction it
// only ever appends, so that a crash loses nothing. A key that is written while
// it is carried may fall back to the value before; for a cursor that means to
// read a little again.
type carrier struct {
	admin   *admin
	dir     string
	carried map[string]int64 // partition directory → end of its log when last carried
}

func (c *carrier) topic(ctx context.Context, topic string, limit topicLimit) error {
	for p := range int(limit.partitions) {
		name := topic + "-" + strconv.Itoa(p)
		if dirSize(filepath.Join(c.dir, "partitions", name)) < limit.keep/2 {
			continue
		}
		found, err := offsets.Of(ctx, c.admin.client, topic, p)
		if err != nil {
			return err
		}
		// Once half of the log is newer than what was carried, carry again.
		b := found[p]
		if b.End-c.carried[name] < (b.End-b.First)/2 {
			continue
		}
		if err := c.carry(ctx, topic, p); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
		if c.carried == nil {
			c.carried = map[string]int64{}
		}
		c.carried[name] = b.End
	}
	return nil
}

func (c *carrier) carry(ctx context.Context, topic string, partition int) error {
	latest := map[string][]byte{}
	err := offsets.Each(ctx, c.admin.client, topic, partition, func(key, value []byte) {
		if value == nil {
			delete(latest, string(key))
		} else {
			latest[string(key)] = value
		}
	})
	if err != nil {
		return err
	}
	var records []kafka.Record
	size := 0
	for key, value := range latest {
		records = append(records, kafka.Record{Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes(value)})
		if size += len(key) + len(value); size > 512<<10 {
			if err := c.publish(ctx, topic, partition, records); err != nil {
				return err
			}
			records, size = nil, 0
		}
	}
	if len(records) == 0 {
		return nil
	}
	return c.publish(ctx, topic, partition, records)
}

func (c *carrier) publish(ctx context.Context, topic string, partition int, records []kafka.Record) error {
	res, err := c.admin.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = res.Error
	}
	return err
}
