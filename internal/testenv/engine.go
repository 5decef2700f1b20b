package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"outcry/store/embedded"
)

// Environment variables that concern the engine in tests.
const (
	engineRole = "OUTCRY_TEST_ENGINE_CHILD" // set by StartEngine for the process it starts
	engineMode = "OUTCRY_TEST_ENGINE"       // "required": a missing engine fails a test
)

// MaybeRunEngine turns this test binary into the engine's process where
// StartEngine started it as that, and does not return then. Call it first in
// TestMain.
func MaybeRunEngine() {
	if os.Getenv(engineRole) == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := embedded.Child(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// EngineProc is a running engine on a directory of its own.
type EngineProc struct {
	Endpoint embedded.Endpoint
	Dir      string // the data directory
	Engine   *embedded.Engine

	stop func()
	over chan struct{}
	err  error // of Run, once over is closed
}

// StartEngine starts an engine on a new temporary directory and stops it when
// the test is over. TestMain must call MaybeRunEngine.
func StartEngine(t testing.TB) *EngineProc {
	t.Helper()
	RequireEngine(t)
	p, err := startEngine(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("stop the engine: %v", err)
		}
	})
	return p
}

// StartEngineIn is StartEngine on the given data directory, which may hold the
// data of an earlier engine. The caller stops it.
func StartEngineIn(t testing.TB, dir string) *EngineProc {
	t.Helper()
	RequireEngine(t)
	p, err := startEngine(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// RequireEngine skips a test where the engine is not installed, or fails it where
// the environment says that it must be.
func RequireEngine(t testing.TB) {
	t.Helper()
	if _, err := embedded.Library(); err != nil {
		if os.Getenv(engineMode) == "required" {
			t.Fatalf("%s=required: %v", engineMode, err)
		}
		t.Skipf("skipped: %v", err)
	}
}

func startEngine(dir string) (*EngineProc, error) {
	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelWarn
	}
	p := &EngineProc{Dir: dir, over: make(chan struct{})}
	p.Engine = embedded.New(cfg, embedded.Deps{
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
		Command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), engineRole+"=1")
			return cmd
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() {
		defer close(p.over)
		p.err = p.Engine.Run(ctx)
	}()
	select {
	case <-p.Engine.Ready():
	case <-p.over:
		stop()
		return nil, fmt.Errorf("start the engine: %w", p.err)
	}
	var err error
	if p.Endpoint, err = embedded.ReadEndpoint(dir); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// KillChild ends the engine's process as kill -9 does. The supervisor starts
// another one at once.
func (p *EngineProc) KillChild() {
	if pid := p.Engine.PID(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Stop stops the engine cleanly and returns what Run returned. It may be called
// more than once.
func (p *EngineProc) Stop() error {
	p.stop()
	<-p.over
	return p.err
}

// Exec runs one statement and returns its result as tab separated values; a
// failure ends the test.
func (p *EngineProc) Exec(t testing.TB, sql string) string {
	t.Helper()
	out, err := p.Query(context.Background(), sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

// Query runs one statement and returns its result as tab separated values.
func (p *EngineProc) Query(ctx context.Context, sql string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Endpoint.URL, strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	req.SetBasicAuth("default", p.Endpoint.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", errors.New(strings.TrimSpace(string(body)))
	}
	return strings.TrimRight(string(body), "\n"), nil
}

// shared is the engine that the tests of one package use together.
var shared struct {
	sync.Mutex
	proc *EngineProc
}

// SharedEngine returns the one engine of this test binary, started when it is
// first asked for, because a start costs half a second. TestMain calls
// StopSharedEngine after m.Run.
func SharedEngine(t testing.TB) *EngineProc {
	t.Helper()
	RequireEngine(t)
	shared.Lock()
	defer shared.Unlock()
	if shared.proc == nil {
		dir, err := os.MkdirTemp("", "outcry-engine-")
		if err != nil {
			t.Fatal(err)
		}
		if shared.proc, err = startEngine(dir); err != nil {
			_ = os.RemoveAll(dir)
			t.Fatal(err)
		}
	}
	return shared.proc
}

// StopSharedEngine stops the engine of SharedEngine and removes its files.
func StopSharedEngine() {
	shared.Lock()
	defer shared.Unlock()
	if shared.proc != nil {
		if err := shared.proc.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the shared engine:", err)
		}
		_ = os.RemoveAll(filepath.Clean(shared.proc.Dir))
		shared.proc = nil
	}
}

// Database makes an empty database of random name on the shared engine and
// drops it when the test is over.
func Database(t testing.TB) (*EngineProc, string) {
	t.Helper()
	p := SharedEngine(t)
	name := "test_" + strings.ToLower(rand.Text()[:12])
	p.Exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { p.Exec(t, "DROP DATABASE IF EXISTS "+name+" SYNC") })
	return p, name
}
