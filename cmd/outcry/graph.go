package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/bus"
	broker "outcry/bus/embedded"
	"outcry/internal/obs"
	"outcry/store"
	engine "outcry/store/embedded"
)

// graph is what the roles of one process share. A command makes one, adds the
// roles it is asked for, waits, and closes it; close stops everything backwards.
type graph struct {
	cfg      Config
	log      *slog.Logger
	registry *prometheus.Registry
	health   *obs.Health
	actors   *actors

	bus   *bus.Client
	store *store.Store
}

func newGraph(cfg Config, log *slog.Logger) *graph {
	return &graph{
		cfg: cfg, log: log, registry: obs.NewRegistry(version), health: &obs.Health{}, actors: newActors(),
	}
}

// up brings up what every role needs: the embedded parts in this process tree,
// the clients of Kafka and ClickHouse, topics and tables.
func (g *graph) up(ctx context.Context, progress io.Writer) error {
	if err := ensureEngine(ctx, g.cfg, progress); err != nil {
		return err
	}
	if err := makeDataDir(g.cfg); err != nil {
		return err
	}
	if err := g.host(ctx); err != nil {
		return err
	}
	if err := g.connect(); err != nil {
		return err
	}
	return g.prepare(ctx)
}

// host runs the embedded broker and engine in this process tree, those of them
// that the configuration asks for, and returns when they answer.
func (g *graph) host(ctx context.Context) error {
	var waits []<-chan struct{}
	if g.cfg.Kafka.Embedded() {
		b := broker.New(g.cfg.Kafka.Broker, broker.Deps{Log: g.log, Metrics: broker.NewMetrics(g.registry)})
		g.actors.start("embedded Kafka", b.Run)
		g.health.Register("kafka-disk", func(context.Context) error { return b.Err() })
		waits = append(waits, b.Ready())
	}
	if g.cfg.ClickHouse.Embedded() {
		e := engine.New(g.cfg.ClickHouse.Engine, engine.Deps{
			Log: g.log, Metrics: engine.NewMetrics(g.registry), Command: engineCommand,
		})
		g.actors.start("embedded ClickHouse", e.Run)
		waits = append(waits, e.Ready())
	}
	for _, ready := range waits {
		if err := g.actors.until(ctx, ready); err != nil {
			if errors.Is(err, broker.ErrInUse) || errors.Is(err, engine.ErrInUse) {
				return fmt.Errorf("another outcry runs on the data directory %s; stop it, or name another with --data-dir", g.cfg.DataDir)
			}
			return err
		}
	}
	return nil
}

// engineCommand starts this binary again as the process that holds the engine.
func engineCommand() *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return exec.Command(self, engineSubcommand)
}

// connect makes the clients of Kafka and ClickHouse, wherever they run. It does
// not wait for either.
func (g *graph) connect() error {
	cfg := g.cfg.Kafka.Config
	if g.cfg.Kafka.Embedded() {
		address, err := broker.Address(g.cfg.DataDir)
		if err != nil {
			return err
		}
		cfg.Brokers = []string{address}
	}
	var err error
	if g.bus, err = bus.New(cfg, bus.Deps{Log: g.log, Metrics: bus.NewMetrics(g.registry)}); err != nil {
		return err
	}
	deps := store.Deps{Log: g.log, Metrics: store.NewMetrics(g.registry)}
	if g.cfg.ClickHouse.Embedded() {
		deps.Endpoint = func() (string, string, error) {
			e, err := engine.ReadEndpoint(g.cfg.DataDir)
			return e.URL, e.Token, err
		}
	}
	if g.store, err = store.New(g.cfg.ClickHouse.Config, deps); err != nil {
		return err
	}
	g.health.Register("kafka", g.bus.Ping)
	g.health.Register("clickhouse", g.store.Ping)
	return nil
}

// close stops everything that was started, in reverse, then the clients.
func (g *graph) close() error {
	err := g.actors.stop()
	if g.bus != nil {
		err = errors.Join(err, g.bus.Close())
	}
	if g.store != nil {
		err = errors.Join(err, g.store.Close())
	}
	return err
}

// attached tells whether another process runs the embedded parts on the data
// directory, so that this one can use them.
func (g *graph) attached(ctx context.Context) bool {
	if !g.cfg.Kafka.Embedded() {
		return true
	}
	address, err := broker.Address(g.cfg.DataDir)
	if err != nil {
		return false
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", strings.TrimPrefix(address, "unix://"))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// migrateWithin bounds the migration of a database; on a cluster it waits for
// every replica.
const migrateWithin = 2 * time.Minute

// prepare makes topics and tables, the two together.
func (g *graph) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, migrateWithin)
	defer cancel()
	topics := make(chan error, 1)
	go func() { topics <- g.bus.CreateTopics(ctx) }()
	err := g.migrate(ctx)
	return errors.Join(err, <-topics)
}

// migratePause is how long a ClickHouse that does not answer is left alone.
const migratePause = 2 * time.Second

// migrate brings the schema up to date, and waits for a ClickHouse that does not
// answer yet, as servers that start together do.
func (g *graph) migrate(ctx context.Context) error {
	for {
		err := g.store.Migrate(ctx)
		if _, refused := errors.AsType[*net.OpError](err); !refused {
			return err
		}
		g.log.Warn("waiting for ClickHouse", "component", "store", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(migratePause):
		}
	}
}

// ensureEngine fetches the embedded engine where it is needed and missing.
func ensureEngine(ctx context.Context, cfg Config, progress io.Writer) error {
	if !cfg.ClickHouse.Embedded() {
		return nil
	}
	_, err := engine.Library()
	if !errors.Is(err, engine.ErrNoLibrary) || os.Getenv(engine.LibraryEnv) != "" {
		return err
	}
	fmt.Fprintln(progress, "The embedded ClickHouse engine is fetched once (178 MB, 566 MB unpacked).")
	_, err = engine.Setup(ctx, progress)
	return err
}

// makeDataDir makes the data directory, for its owner alone: it holds posts.
func makeDataDir(cfg Config) error {
	if err := os.MkdirAll(filepath.Join(cfg.DataDir, "run"), 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	return nil
}
