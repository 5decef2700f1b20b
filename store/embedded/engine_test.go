package embedded_test

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
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"outcry/internal/testenv"
	"outcry/store/embedded"
)

// Three kill -9 during inserts: every acknowledged row is there, once the
// doubtful batches are repeated no row is missing, and the address is the same.
func TestKilledChildLosesNothing(t *testing.T) {
	t.Parallel()
	p := testenv.StartEngine(t)
	p.Exec(t, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	before := p.Endpoint
	var acknowledged atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan int)
	go func() {
		batch := 0
		for ctx.Err() == nil {
			if _, err := p.Query(context.Background(), fmt.Sprintf("INSERT INTO t SELECT %d * 1000 + number FROM numbers(1000)", batch)); err != nil {
				continue // again, as the pipeline does
			}
			batch++
			acknowledged.Add(1)
		}
		done <- batch
	}()
	for range 3 {
		old, seen := p.Engine.PID(), acknowledged.Load()
		await(t, "inserts are acknowledged", func() bool { return acknowledged.Load() >= seen+5 })
		p.KillChild()
		await(t, "another process holds the engine", func() bool { pid := p.Engine.PID(); return pid != 0 && pid != old })
	}
	stop()
	batches := <-done
	if got, want := p.Exec(t, "SELECT uniqExact(a), min(a), max(a) FROM t"), fmt.Sprintf("%d\t0\t%d", batches*1000, batches*1000-1); got != want {
		t.Errorf("stored %q, acknowledged %q", got, want)
	}
	if got := p.Exec(t, "CHECK TABLE t SETTINGS check_query_single_value_result = 1"); got != "1" {
		t.Errorf("CHECK TABLE says %q", got)
	}
	if after, err := embedded.ReadEndpoint(p.Dir); err != nil || after != before {
		t.Errorf("the endpoint changed from %v to %v, %v", before.URL, after.URL, err)
	}
}

// A restart of the parent keeps data, token and port; a second parent is refused.
func TestRestartAndSecondParent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := testenv.StartEngineIn(t, dir)
	p.Exec(t, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
	p.Exec(t, "INSERT INTO t VALUES (42)")

	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	second := embedded.New(cfg, embedded.Deps{Log: slog.New(slog.DiscardHandler), Command: func() *exec.Cmd {
		t.Error("a second parent starts a child")
		return exec.Command("false")
	}})
	if err := second.Run(t.Context()); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("a second parent: %v, want ErrInUse", err)
	}
	if got := p.Exec(t, "SELECT a FROM t"); got != "42" {
		t.Errorf("after a second parent: %q", got)
	}
	pid := p.Engine.PID()
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child %d outlives Run: %v", pid, err)
	}

	again := testenv.StartEngineIn(t, dir)
	defer again.Stop()
	if again.Endpoint != p.Endpoint {
		t.Errorf("endpoint %v became %v", p.Endpoint.URL, again.Endpoint.URL)
	}
	if got := again.Exec(t, "SELECT a FROM t"); got != "42" {
		t.Errorf("after a restart: %q", got)
	}
	for name, want := range map[string]os.FileMode{"run": 0o700, "run/engine.token": 0o600, "run/engine.url": 0o600, "clickhouse": 0o700} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

// A port that somebody else took meanwhile is given up for another.
func TestTakenPortIsReplaced(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run", "engine.url"), []byte("http://"+other.Addr().String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testenv.StartEngineIn(t, dir)
	defer p.Stop()
	if strings.Contains(p.Endpoint.URL, other.Addr().String()) {
		t.Errorf("the engine claims the taken port %s", p.Endpoint.URL)
	}
	p.Exec(t, "SELECT 1")
}

// parentRole makes this test binary run an engine as `outcry run` would.
const parentRole = "OUTCRY_TEST_ENGINE_PARENT"

// A parent that is killed takes its child with it: the directory is free for
// the next one, which finds every acknowledged row.
func TestKilledParentTakesTheChildAlong(t *testing.T) {
	if dir := os.Getenv(parentRole); dir != "" {
		p := testenv.StartEngineIn(t, dir)
		p.Exec(t, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
		p.Exec(t, "INSERT INTO t VALUES (42)")
		fmt.Printf("child %d\n", p.Engine.PID())
		<-t.Context().Done() // until it is killed
		return
	}
	t.Parallel()
	testenv.SharedEngine(t) // skips where there is no engine
	dir := t.TempDir()
	parent := exec.Command(os.Args[0], "-test.run=^TestKilledParentTakesTheChildAlong$")
	parent.Env = append(os.Environ(), parentRole+"="+dir)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscanf(bufio.NewReader(out), "child %d\n", &child); err != nil || child == 0 {
		t.Fatalf("the parent did not start an engine: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	await(t, "the child is gone", func() bool { return !alive(child) })
	p := testenv.StartEngineIn(t, dir)
	defer p.Stop()
	if got := p.Exec(t, "SELECT a FROM t"); got != "42" {
		t.Errorf("the next engine finds %q", got)
	}
}

// alive tells whether a process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && os.IsNotExist(err) && !isDir("/proc/self")
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// The child alone: it leaves when its standard input ends, and on SIGTERM, even
// while a query runs, and without having been asked twice.
func TestChildLeavesWhenAsked(t *testing.T) {
	t.Parallel()
	testenv.SharedEngine(t) // skips where there is no engine
	library, err := embedded.Library()
	if err != nil {
		t.Fatal(err)
	}
	for name, leave := range map[string]func(p *os.Process, stdin io.Closer) error{
		"end of input": func(_ *os.Process, stdin io.Closer) error { return stdin.Close() },
		"SIGTERM":      func(p *os.Process, _ io.Closer) error { return p.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			socket, err := listener.(*net.TCPListener).File()
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			ready, readyWriter, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer ready.Close()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "OUTCRY_TEST_ENGINE_CHILD=1")
			cmd.ExtraFiles = []*os.File{socket, readyWriter}
			cmd.Stderr = os.Stderr
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			readyWriter.Close()
			if err := json.NewEncoder(stdin).Encode(map[string]any{"library": library, "dir": t.TempDir(), "token": "secret", "memory": 1 << 30, "marks": 16 << 20, "queries": 4}); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(ready).ReadString('\n'); err != nil || line != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			const endless = "SELECT count() FROM system.numbers"
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nX-ClickHouse-Key: secret\r\nContent-Length: %d\r\n\r\n%s", len(endless), endless)
			if err := leave(cmd.Process, stdin); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the child ends with %v", err)
			}
		})
	}
}

// A child that cannot start is tried a few times; then Run says what it said.
func TestCrashLoopEndsWithTheLastWords(t *testing.T) {
	t.Parallel()
	testenv.SharedEngine(t) // skips where there is no engine
	cfg := embedded.DefaultConfig()
	cfg.Dir = t.TempDir()
	starts := 0
	reg := prometheus.NewRegistry()
	e := embedded.New(cfg, embedded.Deps{Log: slog.New(slog.DiscardHandler), Metrics: embedded.NewMetrics(reg), Command: func() *exec.Cmd {
		starts++
		return exec.Command("/bin/sh", "-c", "echo the disk has gone >&2; exit 3")
	}})
	err := e.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the disk has gone") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Run: %v", err)
	}
	if starts != 6 {
		t.Errorf("%d starts, want 6", starts)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader("# HELP outcry_engine_restarts_total Times the embedded ClickHouse engine's process died and was started again. A rise means crashes or too little memory: see the log for its last words.\n# TYPE outcry_engine_restarts_total counter\noutcry_engine_restarts_total 5\n"), "outcry_engine_restarts_total"); err != nil {
		t.Error(err)
	}
	select {
	case <-e.Ready():
		t.Error("an engine that never started is ready")
	default:
	}
}

func TestStopWhileStarting(t *testing.T) {
	testenv.SharedEngine(t) // skips where there is no engine
	cfg := embedded.DefaultConfig()
	cfg.Dir = t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	e := embedded.New(cfg, embedded.Deps{Log: slog.New(slog.DiscardHandler), Command: func() *exec.Cmd {
		stop()
		return exec.Command("/bin/sleep", "600") // never ready; ends on SIGTERM
	}})
	if err := e.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestMissingLibraryIsLegible(t *testing.T) {
	t.Setenv(embedded.LibraryEnv, filepath.Join(t.TempDir(), "none.so"))
	_, err := embedded.Library()
	if !errors.Is(err, embedded.ErrNoLibrary) || !strings.Contains(err.Error(), "none.so") {
		t.Errorf("Library: %v", err)
	}
	if _, err := embedded.Setup(t.Context(), io.Discard); !errors.Is(err, embedded.ErrNoLibrary) {
		t.Errorf("Setup with a wrong %s: %v", embedded.LibraryEnv, err)
	}
	t.Setenv(embedded.LibraryEnv, "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	if _, err := embedded.Library(); !errors.Is(err, embedded.ErrNoLibrary) || !strings.Contains(err.Error(), "outcry setup") {
		t.Errorf("Library: %v", err)
	}
	cfg := embedded.DefaultConfig()
	cfg.Dir = t.TempDir()
	if err := embedded.New(cfg, embedded.Deps{Log: slog.New(slog.DiscardHandler)}).Run(t.Context()); !errors.Is(err, embedded.ErrNoLibrary) {
		t.Errorf("Run: %v", err)
	}
	// Another library than ours is named as such.
	if _, err := embedded.ReadEndpoint(t.TempDir()); err == nil {
		t.Error("ReadEndpoint of an empty directory succeeds")
	}
}

func TestMetricsTellTheState(t *testing.T) {
	t.Parallel()
	testenv.SharedEngine(t) // skips where there is no engine
	reg := prometheus.NewRegistry()
	cfg := embedded.DefaultConfig()
	cfg.Dir = t.TempDir()
	e := embedded.New(cfg, embedded.Deps{Log: slog.New(slog.DiscardHandler), Metrics: embedded.NewMetrics(reg), Command: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "OUTCRY_TEST_ENGINE_CHILD=1")
		return cmd
	}})
	value := func(name string) float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == name {
				m := f.GetMetric()[0]
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		t.Fatalf("no metric %s", name)
		return 0
	}
	if value("outcry_engine_up") != 0 || value("outcry_engine_restarts_total") != 0 {
		t.Error("metrics are not at zero before the start")
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- e.Run(ctx) }()
	<-e.Ready()
	if value("outcry_engine_up") != 1 || value("outcry_engine_resident_memory_bytes") < 50e6 {
		t.Errorf("up %v, memory %v", value("outcry_engine_up"), value("outcry_engine_resident_memory_bytes"))
	}
	old := e.PID()
	_ = syscall.Kill(old, syscall.SIGKILL)
	await(t, "it is restarted", func() bool { return e.PID() != 0 && e.PID() != old })
	if value("outcry_engine_restarts_total") != 1 {
		t.Errorf("restarts %v, want 1", value("outcry_engine_restarts_total"))
	}
	stop()
	if err := <-over; err != nil {
		t.Error(err)
	}
	if value("outcry_engine_up") != 0 {
		t.Error("up after the stop")
	}
}

func TestConfigFaults(t *testing.T) {
	if faults := embedded.DefaultConfig().Validate(); len(faults) > 0 {
		t.Errorf("the default has faults: %v", faults)
	}
	bad := embedded.Config{Listen: "0.0.0.0:8123", MemoryLimitMB: 1, MarkCacheMB: 1, MaxConcurrentQueries: 0}
	var keys []string
	for _, f := range bad.Validate() {
		keys = append(keys, f.Key)
	}
	if got := strings.Join(keys, " "); got != "listen memory_limit_mb mark_cache_mb max_concurrent_queries" {
		t.Errorf("faults of %q", got)
	}
	for _, listen := range []string{"localhost:0", "127.0.0.1:8123", "[::1]:0"} {
		ok := embedded.DefaultConfig()
		ok.Listen = listen
		if faults := ok.Validate(); len(faults) > 0 {
			t.Errorf("%s: %v", listen, faults)
		}
	}
}
