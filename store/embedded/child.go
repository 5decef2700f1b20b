package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// orders are what the parent tells the child, as one JSON document on its
// standard input. The parent keeps that pipe open: its end is the parent's end.
type orders struct {
	Library string `json:"library"`
	Dir     string `json:"dir"` // of the engine's own files
	Token   string `json:"token"`
	Memory  int64  `json:"memory"` // bytes
	Marks   int64  `json:"marks"`  // bytes
	Queries int    `json:"queries"`
}

// Files the child inherits, after standard input, output and error.
const (
	listenerFD = 3 // the listening socket, which is the parent's
	readyFD    = 4 // the child writes a line here when it answers
)

// Times within which the child stops.
const (
	drainTimeout = 1200 * time.Millisecond // for queries under way
	exitTimeout  = 1800 * time.Millisecond // for everything; then the process ends as it is, which the data survives
)

// Child is the body of the process that holds the engine: it serves the
// ClickHouse HTTP interface on the socket that the parent hands over, until ctx
// ends or the parent does. It is called in a process that Deps.Command started.
func Child(ctx context.Context, log *slog.Logger) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var o orders
	in := json.NewDecoder(os.Stdin)
	if err := in.Decode(&o); err != nil {
		return fmt.Errorf("this command is started by `outcry run`, not by hand: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop(errors.New("the parent process is gone"))
	}()
	listener, err := inheritedListener()
	if err != nil {
		return err
	}
	lib, err := loadChdb(o.Library)
	if err != nil {
		return err
	}
	root, err := lib.open(o.arguments()...)
	if err != nil {
		return fmt.Errorf("open the engine's data in %s: %w (is it in use, or was it written by a newer release?)", o.Dir, err)
	}
	f, err := newFront(lib, root, o.Dir, o.Token, o.Queries, log)
	if err != nil {
		return err
	}
	err = serve(ctx, listener, f, log)
	root.close()
	return err
}

func inheritedListener() (net.Listener, error) {
	file := os.NewFile(listenerFD, "listener")
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("take over the parent's socket: %w", err)
	}
	return listener, nil
}

// arguments of the first connection: the engine's limits. Caches that Outcry
// hardly uses are small, and pools that would only wait too.
func (o orders) arguments() []string {
	const small = 16 << 20
	return []string{
		"--path=" + o.Dir,
		fmt.Sprintf("--max_server_memory_usage=%d", o.Memory),
		fmt.Sprintf("--mark_cache_size=%d", o.Marks),
		fmt.Sprintf("--primary_index_cache_size=%d", o.Marks),
		fmt.Sprintf("--index_mark_cache_size=%d", small),
		fmt.Sprintf("--compiled_expression_cache_size=%d", small),
		fmt.Sprintf("--query_condition_cache_size=%d", small),
		"--background_pool_size=2",
		"--background_schedule_pool_size=2",
		"--asynchronous_metrics_update_period_s=60",
		"--backups.allowed_path=" + filepath.Join(o.Dir, "backups"),
	}
}

// serve answers until ctx ends, then lets the queries under way finish for a
// while, kills the rest, and returns.
func serve(ctx context.Context, listener net.Listener, f *front, log *slog.Logger) error {
	base, cut := context.WithCancel(context.Background())
	defer cut()
	server := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: 10 * time.Second,
		// Longer than a driver keeps an unused connection (an hour), so that
		// it is always the driver who closes and no request meets a closed one.
		IdleTimeout:    65 * time.Minute,
		MaxHeaderBytes: 1 << 20, // GET carries the query in the URL
		BaseContext:    func(net.Listener) context.Context { return base },
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready := os.NewFile(readyFD, "ready")
	_, _ = io.WriteString(ready, "ready\n")
	_ = ready.Close()

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	// Whatever happens now, the process is gone in time.
	exit := time.AfterFunc(exitTimeout, func() { os.Exit(0) })
	defer exit.Stop()
	drain, done := context.WithTimeout(context.Background(), drainTimeout)
	defer done()
	if err := server.Shutdown(drain); err != nil {
		cut() // kills what still runs
		_ = server.Close()
	}
	for range cap(f.slots) {
		f.slots <- struct{}{} // nobody uses the engine any more
	}
	return nil
}
