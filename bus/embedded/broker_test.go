package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"

	"outcry/bus/internal/offsets"
)

// running is a broker under test with a client of its own.
type running struct {
	*Broker
	*admin
	stop func()
	logs *logBuffer
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func testConfig(dir string) Config {
	cfg := DefaultConfig()
	cfg.Dir = dir
	cfg.MaxBytes = 64 << 20
	cfg.SegmentBytes = 1 << 20
	cfg.MinFreeDisk = 0
	return cfg
}

// run starts a broker; change may alter it before. It stops with the test.
func run(t *testing.T, cfg Config, change ...func(*Broker)) *running {
	t.Helper()
	logs := &logBuffer{}
	b := New(cfg, Deps{Log: slog.New(slog.NewTextHandler(logs, nil)), Metrics: NewMetrics(prometheus.NewRegistry())})
	b.dropInterval = 20 * time.Millisecond
	for _, c := range change {
		c(b)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	select {
	case <-b.Ready():
	case err := <-done:
		cancel()
		t.Fatalf("broker ended: %v\n%s", err, logs)
	}
	addr, err := Address(cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Broker: b, admin: newAdmin(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(addr, unixScheme))
	}), logs: logs}
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			r.admin.close()
			cancel()
			if err := <-done; err != nil {
				t.Errorf("broker: %v", err)
			}
		})
	}
	t.Cleanup(r.stop)
	return r
}

func (r *running) create(t *testing.T, topic string, partitions int, settings ...string) {
	t.Helper()
	if err := r.tryCreate(t, topic, partitions, settings...); err != nil {
		t.Fatal(err)
	}
}

func (r *running) tryCreate(t *testing.T, topic string, partitions int, settings ...string) error {
	t.Helper()
	c := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	for i := 0; i < len(settings); i += 2 {
		c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: settings[i], ConfigValue: settings[i+1]})
	}
	res, err := r.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{c}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Errors[topic]
}

func (r *running) publish(t *testing.T, topic string, records ...kafka.Record) error {
	t.Helper()
	res, err := r.client.Produce(t.Context(), &kafka.ProduceRequest{Topic: topic, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...)})
	if err == nil {
		err = res.Error
	}
	return err
}

func record(key, value string) kafka.Record {
	return kafka.Record{Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes([]byte(value))}
}

func (r *running) mustPublish(t *testing.T, topic string, records ...kafka.Record) {
	t.Helper()
	if err := r.publish(t, topic, records...); err != nil {
		t.Fatal(err)
	}
}

// fill publishes n messages of size bytes, a hundred at a time.
func (r *running) fill(t *testing.T, topic string, n, size int) {
	t.Helper()
	for from := 0; from < n; from += 100 {
		var records []kafka.Record
		for i := from; i < min(from+100, n); i++ {
			records = append(records, kafka.Record{Value: kafka.NewBytes(bytes.Repeat([]byte{byte(i)}, size))})
		}
		r.mustPublish(t, topic, records...)
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestSecondBrokerOnADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := run(t, testConfig(dir))
	err := New(testConfig(dir), Deps{}).Run(t.Context())
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
	first.create(t, "still-there", 1) // and the first is none the worse
	first.stop()
	run(t, testConfig(dir)).mustPublish(t, "still-there", record("k", "v"))
}

func TestTopicsSurviveARestart(t *testing.T) {
	for _, sync := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync_writes=%v", sync), func(t *testing.T) {
			cfg := testConfig(t.TempDir())
			cfg.SyncWrites = sync
			b := run(t, cfg)
			b.create(t, "t", 1)
			b.mustPublish(t, "t", record("a", "1"), record("b", "2"))
			b.stop()
			if got := run(t, cfg).latest(t, "t"); got["a"] != "1" || got["b"] != "2" {
				t.Errorf("after the restart: %v", got)
			}
		})
	}
}

func (r *running) eachRecord(t *testing.T, topic string, fn func(key, value []byte)) error {
	t.Helper()
	return offsets.Each(t.Context(), r.client, topic, 0, fn)
}

func (r *running) latest(t *testing.T, topic string) map[string]string {
	t.Helper()
	got := map[string]string{}
	if err := r.eachRecord(t, topic, func(key, value []byte) { got[string(key)] = string(value) }); err != nil {
		t.Fatal(err)
	}
	return got
}

// Every topic has a retention, whatever it asked for, and it is applied in every
// run: the broker's own cleaner does not start after a restart.
func TestRetentionIsAppliedAfterARestart(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := run(t, cfg)
	b.create(t, "t", 1)
	limit, err := b.limit(t.Context(), "t", 1)
	if err != nil || limit.keep < leastPartition || limit.segment != int64(cfg.SegmentBytes) {
		t.Fatalf("a topic that asked for nothing got %+v, %v", limit, err)
	}
	b.stop()
	b = run(t, cfg)
	b.fill(t, "t", int(limit.keep+8<<20)/10_000, 10_000)
	eventually(t, "old messages are dropped", func() bool {
		return dirSize(filepath.Join(logDir(cfg.Dir), "partitions", "t-0")) <= limit.keep+limit.segment
	})
	eventually(t, "the metric follows", func() bool {
		size := testutil.ToFloat64(b.metrics.logBytes)
		return size > 0 && size <= float64(cfg.MaxBytes)
	})
}

func TestTopicsBeyondTheCapAreRefused(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := run(t, cfg)
	var made int
	for made = 0; made < 100; made++ {
		if err := b.tryCreate(t, fmt.Sprintf("t%d", made), 2, "retention.bytes", "-1"); err != nil {
			if !errors.Is(err, kafka.InvalidPartitionNumber) {
				t.Fatalf("refused with %v", err)
			}
			break
		}
	}
	if made == 0 || made == 100 {
		t.Fatalf("%d topics fit", made)
	}
	sum := func(b *running) (sum int64) {
		topics, err := b.topics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for topic, partitions := range topics {
			limit, err := b.limit(t.Context(), topic, partitions)
			if err != nil {
				t.Fatal(err)
			}
			sum += limit.bytes()
		}
		return sum
	}
	if got := sum(b); got > int64(cfg.MaxBytes) {
		t.Errorf("topics may hold %d bytes together, the cap is %d", got, cfg.MaxBytes)
	}
	if err := b.tryCreate(t, "t0", 2); !errors.Is(err, kafka.TopicAlreadyExists) {
		t.Errorf("creating what exists: %v", err)
	}
	b.stop()
	b = run(t, cfg)
	if err := b.tryCreate(t, "one-more", 2); !errors.Is(err, kafka.InvalidPartitionNumber) {
		t.Errorf("the cap was forgotten in a restart: %v", err)
	}
	if !strings.Contains(b.logs.String(), "max_bytes is used up") {
		t.Error("the refusal is not in the log")
	}
}

func TestSocketIsForItsOwnerOnly(t *testing.T) {
	cfg := testConfig(t.TempDir())
	if err := os.Mkdir(runDir(cfg.Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, cfg)
	for path, want := range map[string]os.FileMode{
		runDir(cfg.Dir): 0o700, logDir(cfg.Dir): 0o700, filepath.Join(runDir(cfg.Dir), socketName): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

func TestSocketOfADeepDirectory(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	cfg := testConfig(filepath.Join(t.TempDir(), strings.Repeat("deep/", 20)))
	if _, err := Address(cfg.Dir); err == nil {
		t.Error("there is an address though no broker ever ran")
	}
	b := run(t, cfg)
	addr, err := Address(cfg.Dir)
	if err != nil || len(strings.TrimPrefix(addr, unixScheme)) > maxSocketPath {
		t.Fatalf("address %q, %v", addr, err)
	}
	dir := filepath.Dir(strings.TrimPrefix(addr, unixScheme))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v", dir, info.Mode(), err)
	}
	b.create(t, "t", 1)
	b.stop()
	run(t, cfg)
	if again, err := Address(cfg.Dir); err != nil || again != addr {
		t.Errorf("after a restart %q, %v, want the same %q", again, err, addr)
	}
}

func TestPublishingIsRefusedWhileTheDiskIsNearlyFull(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.MinFreeDisk = 100 << 20
	var free atomic.Uint64
	free.Store(200 << 20)
	b := run(t, cfg, func(b *Broker) {
		b.watchInterval = 10 * time.Millisecond
		b.free = func(string) (uint64, error) { return free.Load(), nil }
	})
	b.create(t, "t", 1)
	b.mustPublish(t, "t", record("k", "before"))
	if b.Err() != nil {
		t.Errorf("fault with space left: %v", b.Err())
	}
	free.Store(99 << 20)
	eventually(t, "publishing is refused", func() bool {
		return errors.Is(b.publish(t, "t", record("k", "before")), kafka.KafkaStorageError)
	})
	if err := b.publish(t, "t", record("k", "refused")); !errors.Is(err, kafka.KafkaStorageError) {
		t.Errorf("published with a full disk: %v", err)
	}
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), "min_free_disk") {
		t.Errorf("the fault is %v", err)
	}
	if testutil.ToFloat64(b.metrics.refusing) != 1 || testutil.ToFloat64(b.metrics.freeBytes) != 99<<20 {
		t.Error("the metrics do not tell")
	}
	if got := b.latest(t, "t"); got["k"] == "refused" { // reading goes on
		t.Errorf("what was refused was stored: %v", got)
	}
	free.Store(101 << 20)
	eventually(t, "publishing is accepted again", func() bool { return b.publish(t, "t", record("k", "after")) == nil })
	if b.Err() != nil || testutil.ToFloat64(b.metrics.refusing) != 0 {
		t.Errorf("fault with space again: %v", b.Err())
	}
}

// Bytes that rot in the middle of a log take all that follows with them. That
// must be seen, and groups must not skip what comes after.
func TestDamagedLogIsReportedAndOffsetsAreSetBack(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := run(t, cfg)
	b.create(t, "t", 1)
	for range 10 {
		b.fill(t, "t", 100, 100)
	}
	b.commit(t, "group", "t", 900)
	b.stop()
	files, err := filepath.Glob(filepath.Join(logDir(cfg.Dir), "partitions", "t-0", "*.dat"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2+200] ^= 0xff // inside a batch
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	// A clean stop left a snapshot that hides the damage until it is read.
	if err := os.Remove(filepath.Join(filepath.Dir(files[0]), "snapshot.json")); err != nil {
		t.Fatal(err)
	}
	b = run(t, cfg)
	if testutil.ToFloat64(b.metrics.warnings) == 0 || !strings.Contains(b.logs.String(), "corrupt") {
		t.Errorf("the damage is not reported:\n%s", b.logs)
	}
	if at := b.committed(t, "group", "t"); at != 0 {
		t.Errorf("the group would read on at %d of a log that was cut, want its start", at)
	}
	if testutil.ToFloat64(b.metrics.repaired) != 1 {
		t.Error("the repair was not counted")
	}
}

// A log of which everything has expired numbers from 0 again after a restart.
func TestOffsetsOfALogThatExpiredAreSetBack(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := run(t, cfg)
	b.create(t, "t", 1, "retention.ms", "1")
	b.fill(t, "t", 100, 100)
	b.commit(t, "group", "t", 100)
	eventually(t, "everything expires", func() bool {
		n := 0
		return b.eachRecord(t, "t", func(_, _ []byte) { n++ }) == nil && n == 0
	})
	b.stop()
	b = run(t, cfg)
	b.fill(t, "t", 10, 100)
	if at := b.committed(t, "group", "t"); at != 0 {
		t.Errorf("the group would skip what is published until offset %d", at)
	}
}

func (r *running) commit(t *testing.T, group, topic string, offset int64) {
	t.Helper()
	res, err := r.client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Offset: offset}}},
	})
	if err != nil || res.Topics[topic][0].Error != nil {
		t.Fatal(err, res)
	}
}

func (r *running) committed(t *testing.T, group, topic string) int64 {
	t.Helper()
	res, err := r.client.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}})
	if err != nil || res.Error != nil {
		t.Fatal(err, res.Error)
	}
	return res.Topics[topic][0].CommittedOffset
}

// A topic whose reader is behind fills up and then refuses, rather than dropping
// what was not read.
func TestPublishingWaitsForReadersThatAreFarBehind(t *testing.T) {
	b := run(t, testConfig(t.TempDir()), func(b *Broker) { b.watchInterval = 5 * time.Millisecond })
	b.create(t, "t", 1, "retention.bytes", "4194304")
	b.mustPublish(t, "t", record("k", "v"))
	b.commit(t, "outcry-analyze", "t", 0)
	b.commit(t, "tried-once", "t", 0) // counts for nothing
	b.fillUntil(t, "t", kafka.ThrottlingQuotaExceeded)
	eventually(t, "the metric tells", func() bool { return testutil.ToFloat64(b.metrics.backlogged) == 1 })
	<-time.After(10 * b.dropInterval) // retention has its chance
	found, err := offsets.Of(t.Context(), b.client, "t", 0)
	if err != nil || found[0].First != 0 {
		t.Fatalf("unread messages were dropped: %+v, %v", found[0], err)
	}
	b.commit(t, "outcry-analyze", "t", found[0].End)
	eventually(t, "publishing is accepted again", func() bool { return b.publish(t, "t", record("k", "v")) == nil })
}

// fillUntil publishes until the broker answers with refusal.
func (r *running) fillUntil(t *testing.T, topic string, refusal error) {
	t.Helper()
	value := strings.Repeat("x", 10_000)
	for range 10_000 {
		switch err := r.publish(t, topic, record("k", value)); {
		case errors.Is(err, refusal):
			return
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Fatal("never refused")
}

// The latest message of a key outlives any number of messages of others.
func TestCompactedTopicKeepsTheLatestOfEveryKey(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := run(t, cfg)
	b.create(t, "cursors", 1, "cleanup.policy", "compact", "retention.bytes", "1048576", "retention.ms", "1")
	b.mustPublish(t, "cursors", record("idle", "old"), record("idle", "kept"))
	noise := strings.Repeat("x", 10_000)
	for i := range 100 {
		for range 5 {
			b.mustPublish(t, "cursors", record("busy", noise), record("busy", fmt.Sprint(i)))
		}
		if i%20 == 0 { // as much as retention keeps has passed: let maintenance run
			before := testutil.ToFloat64(b.metrics.logBytes)
			eventually(t, "maintenance has run", func() bool { return testutil.ToFloat64(b.metrics.logBytes) != before })
		}
	}
	eventually(t, "old messages are dropped", func() bool {
		return dirSize(filepath.Join(logDir(cfg.Dir), "partitions", "cursors-0")) < 3<<20
	})
	if got := b.latest(t, "cursors"); got["idle"] != "kept" || got["busy"] != "99" {
		t.Errorf("latest: idle %q, busy %q\n%s", got["idle"], got["busy"], b.logs)
	}
}
