package testenv

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"outcry/bus/embedded"
)

// brokerEnv makes a test binary act as a broker on the data directory it names.
const brokerEnv = "OUTCRY_TEST_BROKER_DIR"

// brokerReady is what the broker's process prints once it answers.
const brokerReady = "broker ready"

// brokerStart bounds how long a broker may take to start. It reads all its data
// after a crash, on a machine that may be busy with other tests.
const brokerStart = time.Minute

// MaybeRunBroker is called first in the TestMain of a package that uses
// StartBroker. In the process that StartBroker made of the test binary it runs
// the broker and does not return; in any other it does nothing.
func MaybeRunBroker() {
	dir := os.Getenv(brokerEnv)
	if dir == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the test stops us, and when it dies
		cancel()
	}()
	cfg := embedded.DefaultConfig()
	cfg.Dir = dir
	cfg.MinFreeDisk = 0
	broker := embedded.New(cfg, embedded.Deps{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	go func() {
		select {
		case <-broker.Ready():
			fmt.Println(brokerReady)
		case <-ctx.Done():
		}
	}()
	if err := broker.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// BrokerProc is an embedded broker in a process of its own, which a test can
// kill as nothing inside one process can be killed.
type BrokerProc struct {
	Addr string // for bus.Config.Brokers

	t   testing.TB
	dir string

	mu    sync.Mutex
	cmd   *exec.Cmd
	stdin io.Closer
}

// StartBroker starts a broker on the data directory dir and waits until it
// answers. It is stopped when the test ends.
func StartBroker(t testing.TB, dir string) *BrokerProc {
	t.Helper()
	p := &BrokerProc{t: t, dir: dir}
	t.Cleanup(p.Stop)
	p.Restart()
	return p
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *BrokerProc) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	p.reap()
}

// Stop ends the broker in order and waits until it is gone.
func (p *BrokerProc) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.stdin.Close()
	p.reap()
}

func (p *BrokerProc) reap() {
	_ = p.cmd.Wait() // how it ended is what the caller asked for
	_ = p.stdin.Close()
	p.cmd = nil
}

// Restart starts the broker again on the same directory, at the same address.
// A broker that still runs is stopped first.
func (p *BrokerProc) Restart() {
	p.t.Helper()
	p.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), brokerEnv+"="+p.dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd, p.stdin = cmd, stdin
	slow := time.AfterFunc(brokerStart, func() { _ = cmd.Process.Kill() })
	defer slow.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != brokerReady+"\n" {
		p.t.Fatalf("the broker did not start within %s: %q, %v", brokerStart, line, err)
	}
	if p.Addr, err = embedded.Address(p.dir); err != nil {
		p.t.Fatal(err)
	}
}
