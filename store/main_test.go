package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"

	"outcry/store/embedded"
)

const childEnv = "OUTCRY_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := embedded.Child(context.Background(), slog.New(slog.DiscardHandler)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if engineStop != nil {
		engineStop()
	}
	os.Exit(code)
}

var (
	engineOnce sync.Once
	engineDir  string
	engineStop func()
	databases  atomic.Int64
)

func startEngine(t testing.TB) {
	engineOnce.Do(func() {
		if _, err := embedded.Library(); err != nil {
			t.Skip(err)
		}
		dir, _ := os.MkdirTemp("", "outcry-store-")
		cfg := embedded.DefaultConfig()
		cfg.Dir = dir
		e := embedded.New(cfg, embedded.Deps{Log: slog.New(slog.DiscardHandler), Command: func() *exec.Cmd {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), childEnv+"=1")
			return c
		}})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		select {
		case <-e.Ready():
		case err := <-done:
			t.Fatal(err)
		}
		engineDir = dir
		engineStop = func() { cancel(); <-done; os.RemoveAll(dir) }
	})
}

func endpoint() (string, string, error) {
	e, err := embedded.ReadEndpoint(engineDir)
	return e.URL, e.Token, err
}

// newStore gives a store on an empty, migrated database of its own.
func newStore(t testing.TB, change ...func(*Config)) *Store {
	t.Helper()
	startEngine(t)
	cfg := DefaultConfig()
	cfg.Database = fmt.Sprintf("test_%d", databases.Add(1))
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg, Deps{Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
