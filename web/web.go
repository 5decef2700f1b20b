// Package web is the live board and the JSON API.
//
// It promises that nothing of a post ever becomes HTML, that nobody's handle,
// author hash or permalink leaves through it, that a slow viewer slows down
// nobody else, and that a page is still shown, with what is not known named,
// when the store does not answer. It answers on a loopback address only,
// because it has no authentication; it changes nothing: every request is a read.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"outcry/internal/config"
	"outcry/post"
)

// Config is the configuration of the board and the API.
type Config struct {
	// Listen is the address of the board, host:port. Port 0 picks a free one.
	// The host must be a loopback address.
	Listen string `yaml:"listen"`
	// MaxViewers is how many live streams are served at once; 1 to 10000.
	MaxViewers int `yaml:"max_viewers"`
	// PollInterval is how often the store is asked for new posts and alert
	// changes while somebody watches; 100ms to 1m.
	PollInterval time.Duration `yaml:"poll_interval"`
	// SummaryInterval is how often the numbers of all agencies are taken anew
	// while somebody watches; 1s to 10m.
	SummaryInterval time.Duration `yaml:"summary_interval"`
	// SourceStale is how long a source may send no report of its health before
	// the board calls it blind; 10s to 24h.
	SourceStale time.Duration `yaml:"source_stale"`
}

// DefaultConfig is what a laptop and a small team need.
func DefaultConfig() Config {
	return Config{
		Listen:          "127.0.0.1:8080",
		MaxViewers:      200,
		PollInterval:    time.Second,
		SummaryInterval: 10 * time.Second,
		SourceStale:     3 * time.Minute,
	}
}

// Validate reports every fault of the configuration.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if problem := listenProblem(c.Listen); problem != "" {
		f.Add("listen", "%s", problem)
	}
	if c.MaxViewers < 1 || c.MaxViewers > 10000 {
		f.Add("max_viewers", "must be between 1 and 10000, not %d", c.MaxViewers)
	}
	between := func(key string, d, low, high time.Duration) {
		if d < low || d > high {
			f.Add(key, "must be between %s and %s, not %s", low, high, d)
		}
	}
	between("poll_interval", c.PollInterval, 100*time.Millisecond, time.Minute)
	between("summary_interval", c.SummaryInterval, time.Second, 10*time.Minute)
	between("source_stale", c.SourceStale, 10*time.Second, 24*time.Hour)
	return f
}

// listenProblem says what is wrong with a listen address, or "".
func listenProblem(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Sprintf("must be host:port such as \"127.0.0.1:8080\", not %q", listen)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("port must be a number from 0 to 65535, not %q", port)
	} else if n > 65535 {
		return "port must be a number from 0 to 65535"
	}
	if host == "localhost" {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Sprintf("must be a loopback address such as \"127.0.0.1:8080\", not %q: the board has no authentication, so it answers only to this machine", listen)
	}
	return ""
}

// SummaryStore tells how every agency is being spoken of.
type SummaryStore interface {
	AgencySummaries(ctx context.Context, now time.Time) ([]post.AgencySummary, error)
}

// SeriesStore gives the points of series.
type SeriesStore interface {
	Points(ctx context.Context, q post.SeriesQuery) ([]post.Point, error)
}

// MentionStore gives stored posts.
type MentionStore interface {
	Mentions(ctx context.Context, q post.MentionQuery) ([]post.StoredMention, error)
	Exemplars(ctx context.Context, series post.Series, from, to time.Time, n int) ([]post.StoredMention, error)
}

// AlertStore gives the log of alert changes, ordered by time.
type AlertStore interface {
	AlertLog(ctx context.Context, since time.Time) ([]post.AlertChange, error)
}

// SourceStore gives the latest report of every source.
type SourceStore interface {
	SourceHealth(ctx context.Context) ([]post.SourceHealth, error)
}

// Store is all that the board reads.
type Store interface {
	SummaryStore
	SeriesStore
	MentionStore
	AlertStore
	SourceStore
}

// Band is what is normal for one step of a series: the number of distinct
// voices expected from Time on, and the range that surprises nobody.
type Band struct {
	Time time.Time
	Mean float64
	Low  float64
	High float64
}

// Expecter knows what is normal. It answers with one Band for each step of
// from ≤ time < to, steps starting at multiples of step since 1970, or with
// fewer where it has not seen enough history to say.
type Expecter interface {
	Expected(ctx context.Context, series post.Series, from, to time.Time, step time.Duration) ([]Band, error)
}

// Deps is what the board needs from the rest of the program. Store, Agencies
// and Log are required; what else is nil is left out of the board.
type Deps struct {
	Store    Store
	Expected Expecter
	Agencies []post.Agency
	Issues   map[string]string   // names of issues by id
	Demo     bool                // the posts are invented: say so everywhere
	Live     http.Handler        // answers /healthz
	Ready    http.Handler        // answers /readyz
	Registry prometheus.Gatherer // shown on /metrics
	Metrics  *Metrics
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// Server is the board and the API.
type Server struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	now      func() time.Time
	names    names
	pages    *pages
	hub      *hub
	alerts   *alertBook
	bands    *bandCache
	overview *overviewCache
	follower *follower
	handler  http.Handler
	ready    chan struct{}
	addr     net.Addr // set before ready is closed
}

// New builds the board. It fails with the faults of the configuration, and
// with nothing else.
func New(cfg Config, deps Deps) (*Server, error) {
	if faults := cfg.Validate(); len(faults) > 0 {
		var errs []error
		for _, f := range faults {
			errs = append(errs, fmt.Errorf("web.%s: %s", f.Key, f.Problem))
		}
		return nil, errors.Join(errs...)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	s := &Server{
		cfg:   cfg,
		deps:  deps,
		log:   deps.Log.With("component", "web"),
		now:   deps.Now,
		names: newNames(deps.Agencies, deps.Issues),
		hub:   newHub(cfg.MaxViewers, deps.Metrics),
		ready: make(chan struct{}),
	}
	pages, err := newPages(s.names)
	if err != nil {
		return nil, fmt.Errorf("read the board's templates: %w", err)
	}
	s.pages = pages
	s.bands = newBandCache(deps.Expected, deps.Now)
	s.alerts = newAlertBook(deps.Store, s.publishAlerts)
	s.overview = newOverviewCache(s)
	s.follower = newFollower(s)
	s.handler = s.routes()
	return s, nil
}

// Handler answers every request to the board. Live streams carry news only
// while Run runs.
func (s *Server) Handler() http.Handler { return s.handler }

// Ready is closed when the board can be visited.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// URL is the address of the board. It is known once Ready is closed.
func (s *Server) URL() string { return "http://" + s.addr.String() + "/" }

// Run serves the board until ctx ends, then lets requests finish for a few
// seconds. Live streams are closed at once; their viewers reconnect and resume.
func (s *Server) Run(ctx context.Context) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s (web.listen): %w", s.cfg.Listen, err)
	}
	return s.serve(ctx, ln)
}

func (s *Server) serve(ctx context.Context, ln net.Listener) error {
	// "localhost" is whatever the resolver says; only the outcome counts.
	if a, ok := ln.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("listen on %s (web.listen): %s is not a loopback address", s.cfg.Listen, a.IP), ln.Close())
	}
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // streams move their own deadline
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.addr = ln.Addr()
	close(s.ready)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the board: %w", err)
		}
		return nil
	})
	g.Go(func() error { return s.follower.run(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		s.hub.close()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			return srv.Close()
		}
		return nil
	})
	return g.Wait()
}
