// Package embedded runs a Kafka broker inside this process, for one machine:
// kfake, a broker written for tests, with what it lacks for daily use.
//
// It promises that an acknowledged message survives kill -9 (and power loss,
// with SyncWrites), that its data stays below a cap however much is published,
// and that nothing outside the data directory's owner can reach it. It guards
// against what is known of kfake: an exclusive lock on the directory; retention
// given to every topic, and applied on a ticker; a cap on the sum of all topics;
// a unix socket in a directory of mode 0700, with hostile frames refused;
// publishing refused while the disk is nearly full; its warnings logged and
// counted; fsync on demand; publishing held back while readers are so far behind
// that retention would drop what they have not read; compaction replaced by one that survives a crash;
// committed offsets that outlived their messages set back; members of groups that
// died while they joined dropped.
//
// Its limits: one node, one machine, no replication, no authentication beyond
// file permissions. For more, use Apache Kafka.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"outcry/internal/config"
)

// ErrInUse tells that another process runs a broker on the data directory.
var ErrInUse = errors.New("another process runs the embedded broker on this data directory")

// Config says how the embedded broker keeps its data.
type Config struct {
	// Dir is the data directory of Outcry, set by the program: logs go to
	// Dir/kafka, the socket to Dir/run.
	Dir string `yaml:"-"`
	// MaxBytes caps what all topics hold together. It also bounds memory and
	// time of a restart after a crash, which reads everything. 64MiB to 4GiB,
	// default 1GiB.
	MaxBytes config.ByteSize `yaml:"max_bytes"`
	// SegmentBytes is the largest unit in which old data is dropped, whatever
	// a topic asks for. 1MiB to 32MiB, default 16MiB.
	SegmentBytes config.ByteSize `yaml:"segment_bytes"`
	// Retention is how long messages stay in topics that do not say. 1h or
	// more, default 48h.
	Retention time.Duration `yaml:"retention"`
	// RetentionInterval is how often old data is dropped. 1s to 1m, default 10s.
	RetentionInterval time.Duration `yaml:"retention_interval"`
	// MinFreeDisk is the free space on the disk below which publishing is
	// refused. Default 512MiB.
	MinFreeDisk config.ByteSize `yaml:"min_free_disk"`
	// SyncWrites waits for the disk at every write: acknowledged messages then
	// survive power loss as well. Slower by far. Default false.
	SyncWrites bool `yaml:"sync_writes"`
}

// DefaultConfig gives the defaults; Dir is still to be set.
func DefaultConfig() Config {
	return Config{
		MaxBytes:          config.GiB,
		SegmentBytes:      16 * config.MiB,
		Retention:         48 * time.Hour,
		RetentionInterval: 10 * time.Second,
		MinFreeDisk:       512 * config.MiB,
	}
}

// Validate reports what is wrong with c.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if c.MaxBytes < 64*config.MiB || c.MaxBytes > 4*config.GiB {
		f.Add("max_bytes", "must be 64MiB to 4GiB: a restart after a crash reads it all into memory")
	}
	if c.SegmentBytes < config.MiB || c.SegmentBytes > 32*config.MiB {
		f.Add("segment_bytes", "must be 1MiB to 32MiB")
	}
	if c.Retention < time.Hour {
		f.Add("retention", "must be 1h or more")
	}
	if c.RetentionInterval < time.Second || c.RetentionInterval > time.Minute {
		f.Add("retention_interval", "must be 1s to 1m")
	}
	return f
}

// Deps are what a Broker needs from its surroundings. Both may be nil.
type Deps struct {
	Log     *slog.Logger
	Metrics *Metrics
}

// Broker is an embedded broker.
type Broker struct {
	cfg     Config
	log     *slog.Logger
	metrics *Metrics
	ready   chan struct{}
	fault   atomic.Pointer[error] // why publishing is refused, or nil

	free          func(dir string) (uint64, error) // bytes free on the disk
	watchInterval time.Duration                    // how often that, and the readers, are looked at
	dropInterval  time.Duration                    // how often old data is dropped
}

// New makes a broker; Run starts it.
func New(cfg Config, deps Deps) *Broker {
	log := deps.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	metrics := deps.Metrics
	if metrics == nil {
		metrics = discardMetrics()
	}
	return &Broker{
		cfg:     cfg,
		log:     log.With("component", "broker"),
		metrics: metrics,
		ready:   make(chan struct{}),

		free:          freeDisk,
		watchInterval: watchInterval,
		dropInterval:  cfg.RetentionInterval,
	}
}

// Ready is closed when the broker answers at Address.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Err tells why publishing is refused at the moment, or nil.
func (b *Broker) Err() error {
	if err := b.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Run runs the broker until ctx ends, then stops it in order. It gives ErrInUse
// where another process holds the directory. Run once.
func (b *Broker) Run(ctx context.Context) error {
	if faults := b.cfg.Validate(); len(faults) > 0 {
		return fmt.Errorf("embedded kafka: %s: %s", faults[0].Key, faults[0].Problem)
	}
	lock, err := acquire(b.cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }()

	socket, err := claimSocket(b.cfg.Dir)
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	started := time.Now()
	ln, err := listen(socket, b.metrics)
	if err != nil {
		return fmt.Errorf("embedded kafka: %w", err)
	}
	defer ln.Close()
	cluster, err := b.start(ln)
	if err != nil {
		return fmt.Errorf("embedded kafka in %s: %w", logDir(b.cfg.Dir), err)
	}
	defer cluster.Close()
	admin := newAdmin(ln.dial)
	defer admin.close()
	limits := newLimits(b.cfg)
	cluster.ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if refused := limits.apply(req.(*kmsg.CreateTopicsRequest)); len(refused) > 0 {
			b.log.Error("topics refused: the broker's max_bytes is used up", "topics", refused, "max_bytes", b.cfg.MaxBytes.String())
		}
		return nil, nil, false
	})
	if err := b.recover(ctx, admin, limits); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("embedded kafka: %w", err)
	}
	disk := &diskWatch{broker: b, refuse: func() func() {
		return cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError, Count: -1}).Remove
	}}
	disk.check()
	ghosts := &ghosts{broker: b, admin: admin}
	ghosts.watch(cluster)
	b.log.Info("embedded kafka is ready", "dir", logDir(b.cfg.Dir), "took", time.Since(started).Round(time.Millisecond))
	b.metrics.capBytes.Set(float64(b.cfg.MaxBytes))
	close(ln.open)
	close(b.ready)
	m := &maintenance{
		broker: b, cluster: cluster, limits: limits, disk: disk, ghosts: ghosts,
		carry: &carrier{admin: admin, dir: logDir(b.cfg.Dir)},
		backlog: &backlog{broker: b, admin: admin, limits: limits, refused: map[string]func(){}, refuse: func(topic string) func() {
			return cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.ThrottlingQuotaExceeded, Count: -1}).Remove
		}},
	}
	m.run(ctx)
	return nil
}

func (b *Broker) start(ln net.Listener) (*kfake.Cluster, error) {
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("outcry-embedded"),
		kfake.DataDir(logDir(b.cfg.Dir)),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
		kfake.WithLogger(&logger{log: b.log, metrics: b.metrics}),
		// Its own cleaner compacts by deleting a log and writing it anew: a
		// crash in between loses the log. Maintenance does without.
		kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": "31536000000"}),
	}
	if b.cfg.SyncWrites {
		opts = append(opts, kfake.SyncWrites())
	}
	return kfake.NewCluster(opts...)
}

// acquire takes the lock that makes this process the only broker on dir. The
// lock ends with the process, however it ends.
func acquire(dir string) (*flock.Flock, error) {
	if dir == "" {
		return nil, errors.New("embedded kafka: no data directory is set")
	}
	for _, d := range []string{runDir(dir), logDir(dir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("embedded kafka: %w", err)
		}
		if err := os.Chmod(d, 0o700); err != nil {
			return nil, fmt.Errorf("embedded kafka: %w", err)
		}
	}
	lock := flock.New(filepath.Join(runDir(dir), "kafka.lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: lock %s: %w", lock.Path(), err)
	}
	if !ok {
		return nil, fmt.Errorf("%w (%s)", ErrInUse, dir)
	}
	return lock, nil
}

func runDir(dir string) string { return filepath.Join(dir, "run") }
func logDir(dir string) string { return filepath.Join(dir, "kafka") }
