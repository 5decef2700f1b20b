package obs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"outcry/internal/config"
)

// ServerConfig says where a process without a board shows how it is.
type ServerConfig struct {
	// Listen is host:port of /metrics, /healthz and /readyz. Empty: not served.
	// What is shown holds names of agencies, sources and servers, and no posts:
	// fit for the network of the operators, not for the public.
	Listen string `yaml:"listen"`
}

// Validate reports an address that cannot be one.
func (c ServerConfig) Validate() (f config.Faults) {
	if c.Listen == "" {
		return nil
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || port == "" {
		f.Add("listen", `must be host:port such as "127.0.0.1:9464", not %q`, c.Listen)
	}
	return f
}

// ServerDeps is what a Server shows.
type ServerDeps struct {
	Log     *slog.Logger
	Metrics prometheus.Gatherer
	Health  *Health
}

// Server serves /metrics, /healthz and /readyz.
type Server struct {
	cfg  ServerConfig
	deps ServerDeps
}

// NewServer makes a server that does not listen yet.
func NewServer(cfg ServerConfig, deps ServerDeps) *Server {
	deps.Log = deps.Log.With("component", "obs")
	return &Server{cfg: cfg, deps: deps}
}

// Handler answers the three paths, and nothing else.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.deps.Metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 8, Timeout: 10 * time.Second}))
	mux.Handle("GET /healthz", s.deps.Health.LiveHandler())
	mux.Handle("GET /readyz", s.deps.Health.ReadyHandler())
	return mux
}

// Run serves until ctx ends. Without an address to listen on it only waits.
func (s *Server) Run(ctx context.Context) error {
	if s.cfg.Listen == "" {
		<-ctx.Done()
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for metrics and health: %w", err)
	}
	return s.serve(ctx, listener)
}

func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	s.deps.Log.Info("serving metrics and health", "address", listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics and health: %w", err)
	}
	return nil
}
