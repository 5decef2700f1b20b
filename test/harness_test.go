// Package test holds the tests of the whole: the real binary, in processes that
// are killed, on a real broker and the real engine.
package test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"outcry/bus"
	"outcry/internal/testenv"
	"outcry/post"
	"outcry/store"
)

// binary is the outcry under test, built once.
var binary string

func TestMain(m *testing.M) {
	testenv.MaybeRunBroker()
	testenv.MaybeRunEngine()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "outcry-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "outcry")
	build := exec.Command("go", "build", "-o", binary, "outcry/cmd/outcry")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the binary under test:", err)
		return 1
	}
	return m.Run()
}

// slow skips a test that takes more than a few seconds, unless the suite was
// asked for.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv("OUTCRY_TEST_SLOW") == "" {
		t.Skip("skipped: takes a minute or so; set OUTCRY_TEST_SLOW=1, as make test does")
	}
}

// site is one installation of outcry: a broker and an engine in processes of
// their own, and a configuration that the roles under test are started with.
type site struct {
	t      *testing.T
	dir    string
	config string
	agency string              // the one agency, and its handle
	broker *testenv.BrokerProc // nil where a real Kafka is used
	engine *testenv.EngineProc
	store  *store.Store
	bus    *bus.Client
}

// newSite starts broker and engine, writes a configuration with extra lines
// added to it, and files beside it, and makes topics and tables.
func newSite(t *testing.T, extra string, files map[string]string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), agency: "agency-" + strings.ToLower(rand.Text()[:8])}
	s.engine = testenv.StartEngineIn(t, s.dir)
	t.Cleanup(func() {
		if err := s.engine.Stop(); err != nil {
			t.Errorf("stop the engine: %v", err)
		}
	})
	// Sessions are short, or most of a test would be waiting for the dead.
	const sessions = "consume: {session_timeout: 10s, rebalance_timeout: 15s, heartbeat_interval: 1s, handle_timeout: 8s}"
	kafka := "kafka: {" + sessions + "}"
	brokers := os.Getenv("OUTCRY_TEST_KAFKA")
	if brokers == "" {
		s.broker = testenv.StartBroker(t, s.dir)
		brokers = s.broker.Addr
	} else {
		kafka = "kafka: {brokers: [\"" + strings.ReplaceAll(brokers, ",", `","`) + "\"], " + sessions + "}"
	}
	s.write("agencies.yaml", fmt.Sprintf("agencies:\n  - {id: %s, name: Test agency, query: \"@%s\"}\n", s.agency, s.handle()))
	for name, content := range files {
		s.write(name, content)
	}
	s.config = s.write("outcry.yaml", fmt.Sprintf("data_dir: %s\n%s\nclickhouse: embedded\nagencies: agencies.yaml\n%s", s.dir, kafka, extra))

	log := slog.New(slog.DiscardHandler)
	var err error
	cfg := store.DefaultConfig()
	s.store, err = store.New(cfg, store.Deps{Log: log, Endpoint: func() (string, string, error) {
		return s.engine.Endpoint.URL, s.engine.Endpoint.Token, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	busConfig := bus.DefaultConfig()
	busConfig.Brokers = strings.Split(brokers, ",")
	if s.bus, err = bus.New(busConfig, bus.Deps{Log: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.bus.Close() })
	s.run("migrate")
	return s
}

func (s *site) handle() string { return strings.ReplaceAll(s.agency, "-", "_") }

func (s *site) write(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// run runs a command to its end and gives what it printed; it must succeed.
func (s *site) run(args ...string) string {
	s.t.Helper()
	out, code := s.try(nil, args...)
	if code != 0 {
		s.t.Fatalf("outcry %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// try runs a command to its end and gives what it printed and its exit code.
func (s *site) try(stdin io.Reader, args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), binary, append(args, "--config", s.config)...)
	cmd.Stdin = stdin
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// daemon is a role in a process of its own.
type daemon struct {
	site *site
	args []string
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	out  lockedBuffer // standard output of all its lives
	log  lockedBuffer // standard error of all its lives
}

// start starts a role; it is killed when the test ends.
func (s *site) start(args ...string) *daemon {
	s.t.Helper()
	d := &daemon{site: s, args: append(args, "--config", s.config)}
	d.launch()
	s.t.Cleanup(func() {
		d.signal(syscall.SIGKILL)
		if s.t.Failed() {
			s.t.Logf("the log of outcry %s ends with:\n%s", args[0], d.log.tail(4000))
		}
	})
	return d
}

func (d *daemon) launch() {
	d.site.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	cmd := exec.Command(binary, d.args...)
	cmd.Stdout, cmd.Stderr = &d.out, &d.log
	if err := cmd.Start(); err != nil {
		d.site.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	d.cmd, d.done = cmd, done
}

// signal sends a signal and waits for the end of the process.
func (d *daemon) signal(sig syscall.Signal) (code int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.cmd.Process.Signal(sig)
	<-d.done
	return d.cmd.ProcessState.ExitCode()
}

// crash kills the process as power loss would, and starts it again.
func (d *daemon) crash() {
	d.signal(syscall.SIGKILL)
	d.launch()
}

// lockedBuffer may be written and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}

// within polls until what holds, and fails the test when it does not in time.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s", limit, what)
		case <-ticker.C:
		}
	}
}

// counted waits until want distinct posts of a source are stored, then checks
// that there are no more.
func (s *site) counted(source string, want uint64) {
	s.t.Helper()
	var rows, distinct uint64
	defer func() {
		if s.t.Failed() {
			lag, err := s.bus.Lag(context.WithoutCancel(s.t.Context()), "outcry-analyze", bus.TopicPosts)
			s.t.Logf("%d rows, %d distinct posts are stored; analyze has %d messages before it (%v)", rows, distinct, lag, err)
		}
	}()
	within(s.t, 2*time.Minute, fmt.Sprintf("%d distinct posts of %s are stored", want, source), func() bool {
		var err error
		rows, distinct, err = s.store.CountMentions(s.t.Context(), source)
		return err == nil && distinct >= want
	})
	if rows != want || distinct != want {
		s.t.Errorf("%s: %d rows and %d distinct posts are stored, want exactly %d of each", source, rows, distinct, want)
	}
}

// points gives the minutes of the site's agency in a span of time.
func (s *site) points(from, to time.Time) []post.Point {
	s.t.Helper()
	points, err := s.store.Points(s.t.Context(), post.SeriesQuery{From: from, To: to, Agency: s.agency})
	if err != nil {
		s.t.Fatal(err)
	}
	return points
}

// settled waits until the analyzers have handled all that was published.
func (s *site) settled() {
	s.t.Helper()
	within(s.t, 2*time.Minute, "analyze has handled everything", func() bool {
		lag, err := s.bus.Lag(s.t.Context(), "outcry-analyze", bus.TopicPosts)
		return err == nil && lag == 0
	})
}
