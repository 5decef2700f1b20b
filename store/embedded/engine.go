package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/gofrs/flock"
)

// ErrInUse reports that another process runs the engine on the data directory.
// Whoever wants to use that engine reads its Endpoint.
var ErrInUse = errors.New("the data directory's ClickHouse engine is run by another process")

// How the child is kept alive.
const (
	startTimeout = 60 * time.Second // a cold disk takes seconds, recovery of many tables more
	stopTimeout  = 4 * time.Second  // after SIGTERM, before SIGKILL; the child itself takes under 2 s
	maxFailures  = 6                // starts in a row that do not get ready: then Run gives up
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	steadyLife   = 10 * time.Second // a child that lived so long is restarted without a longer pause
	stderrLines  = 20               // of the first and of the last words of a child: kept for the error
)

// Engine supervises the child process that holds the engine.
type Engine struct {
	cfg   Config
	deps  Deps
	log   *slog.Logger
	once  sync.Once
	ready chan struct{}
	pid   atomic.Int64
}

// New starts nothing.
func New(cfg Config, deps Deps) *Engine {
	return &Engine{cfg: cfg, deps: deps, log: deps.Log.With("component", "engine"), ready: make(chan struct{})}
}

// Ready is closed when the engine answers for the first time.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// PID is the process that holds the engine now, 0 while there is none that
// answers.
func (e *Engine) PID() int { return int(e.pid.Load()) }

// Run runs the engine until ctx ends, and starts its process again whenever it
// dies: on the same address, where clients meanwhile wait for an answer. It
// returns nil after a clean stop; ErrInUse when another process runs the engine
// of the data directory; and an error with the child's last words when it does
// not come up again and again.
func (e *Engine) Run(ctx context.Context) error {
	library, err := Library()
	if err != nil {
		return err
	}
	run, data := filepath.Join(e.cfg.Dir, "run"), filepath.Join(e.cfg.Dir, "clickhouse")
	for _, dir := range []string{run, data} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the engine's directories: %w", err)
		}
	}
	lock := flock.New(filepath.Join(run, lockFile))
	if held, err := lock.TryLock(); err != nil {
		return fmt.Errorf("lock the engine's directory: %w", err)
	} else if !held {
		return fmt.Errorf("%w: %s", ErrInUse, e.cfg.Dir)
	}
	defer lock.Close()
	token, err := loadToken(run)
	if err != nil {
		return err
	}
	listener, err := listen(e.cfg.Listen, run)
	if err != nil {
		return fmt.Errorf("open the engine's port: %w", err)
	}
	defer listener.Close()
	if err := writePrivate(filepath.Join(run, urlFile), "http://"+listener.Addr().String()); err != nil {
		return fmt.Errorf("write the engine's address: %w", err)
	}
	if data, err = filepath.Abs(data); err != nil {
		return fmt.Errorf("find the engine's directory: %w", err)
	}
	return e.supervise(ctx, listener, orders{
		Library: library,
		Dir:     data,
		Token:   token,
		Memory:  int64(e.cfg.MemoryLimitMB) << 20,
		Marks:   int64(e.cfg.MarkCacheMB) << 20,
		Queries: e.cfg.MaxConcurrentQueries,
	})
}

// supervise keeps one child after the other.
func (e *Engine) supervise(ctx context.Context, listener *net.TCPListener, o orders) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = firstPause, longestPause, 2
	failures := 0
	for {
		c := &child{engine: e, orders: o, listener: listener}
		begun := time.Now()
		err := c.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(begun) >= steadyLife {
			pause.Reset()
		}
		if c.wasReady {
			failures = 0
		} else if failures++; failures >= maxFailures {
			return fmt.Errorf("the ClickHouse engine does not start (%d attempts): %w", failures, err)
		}
		e.deps.Metrics.restarted()
		wait := pause.NextBackOff()
		e.log.Error("the ClickHouse engine's process died; starting it again", "error", err, "in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// child is one life of the engine's process.
type child struct {
	engine   *Engine
	orders   orders
	listener *net.TCPListener
	wasReady bool
	words    lastWords
}

// run starts the process and returns when it is gone, with the reason.
func (c *child) run(ctx context.Context) error {
	// The kernel kills the child with the thread that started it, so that
	// thread is kept until the child is gone.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	socket, err := c.listener.File()
	if err != nil {
		return fmt.Errorf("hand over the socket: %w", err)
	}
	defer socket.Close()
	readyReader, readyWriter, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer readyReader.Close()
	defer readyWriter.Close()

	cmd := c.engine.deps.Command()
	cmd.ExtraFiles = []*os.File{socket, readyWriter}
	cmd.SysProcAttr = ownGroup()
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer stdin.Close()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the engine's process: %w", err)
	}
	_ = readyWriter.Close()
	heard := make(chan struct{})
	go func() { defer close(heard); c.words.listen(stderr, c.engine.log) }()
	if err := json.NewEncoder(stdin).Encode(c.orders); err != nil {
		c.engine.log.Debug("the engine's process took no orders", "error", err)
	}
	over := make(chan struct{})
	watched := make(chan struct{})
	go func() { defer close(watched); c.watch(ctx, cmd.Process, readyReader, begun, over) }()

	<-heard // its standard error ends with it
	err = cmd.Wait()
	close(over)
	<-watched
	c.engine.pid.Store(0)
	c.engine.deps.Metrics.down()
	return c.describe(err)
}

// watch tells when the child is ready, and stops it when ctx ends or when it
// does not become ready.
func (c *child) watch(ctx context.Context, p *os.Process, ready *os.File, begun time.Time, over <-chan struct{}) {
	late := time.AfterFunc(startTimeout, func() {
		c.engine.log.Error("the ClickHouse engine is not ready in time; killing it", "after", startTimeout)
		_ = p.Kill()
	})
	defer late.Stop()
	answered := make(chan struct{})
	go func() {
		if line, err := bufio.NewReader(ready).ReadString('\n'); err == nil && line == "ready\n" {
			close(answered)
		}
	}()
	select {
	case <-answered:
		late.Stop()
		c.wasReady = true
		c.engine.pid.Store(int64(p.Pid))
		c.engine.deps.Metrics.up(p.Pid)
		c.engine.log.Info("the ClickHouse engine is ready", "pid", p.Pid, "after", time.Since(begun).Round(time.Millisecond))
		c.engine.once.Do(func() { close(c.engine.ready) })
	case <-ctx.Done():
	case <-over:
		return
	}
	select {
	case <-ctx.Done():
	case <-over:
		return
	}
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-time.After(stopTimeout):
		c.engine.log.Warn("the ClickHouse engine does not stop; killing it", "after", stopTimeout)
		_ = p.Kill()
	case <-over:
	}
}

// describe says why the process ended.
func (c *child) describe(err error) error {
	if err == nil {
		err = errors.New("exit status 0")
	}
	if text := c.words.text(); text != "" {
		return fmt.Errorf("%w; it said: %s", err, text)
	}
	return err
}

// lastWords keeps the beginning and the end of what a process says: a panic
// begins with its reason, a refusal ends with it.
type lastWords struct {
	mu          sync.Mutex
	first, last []string
}

// listen logs each line, the first few where operators see them, and keeps
// some, until r ends.
func (l *lastWords) listen(r io.Reader, log *slog.Logger) {
	const longest = 4 << 10
	lines := bufio.NewReaderSize(r, longest)
	for {
		line, more, err := lines.ReadLine()
		if err != nil {
			return
		}
		if text := strings.TrimSpace(string(line)); text != "" {
			log.Log(context.Background(), l.keep(text), "the ClickHouse engine's process says", "line", text)
		}
		for more && err == nil { // the rest of a line that is too long
			_, more, err = lines.ReadLine()
		}
	}
}

func (l *lastWords) keep(line string) slog.Level {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.first) < stderrLines {
		l.first = append(l.first, line)
		return slog.LevelWarn
	}
	l.last = append(l.last, line)
	l.last = l.last[max(0, len(l.last)-stderrLines):]
	return slog.LevelDebug
}

func (l *lastWords) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(slices.Concat(l.first, l.last), "\n")
}
