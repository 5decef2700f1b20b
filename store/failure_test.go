package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"outcry/internal/testenv"
	"outcry/post"
)

// When the rollup behind the table fails, the rows are in the table already and
// the insert fails all the same. The repetition must move no number.
func TestAFailedRollupIsRepaired(t *testing.T) {
	metrics := NewMetrics(prometheus.NewRegistry())
	s := openStore(t, Deps{Metrics: metrics})
	must(t, s.Migrate(t.Context()))
	batch := []post.Mention{mention(1, noon), mention(2, noon, about("city"))}
	exec(t, s, "RENAME TABLE series_1m TO series_elsewhere")
	if err := s.InsertMentions(t.Context(), batch); err == nil {
		t.Fatal("an insert whose rollup failed was acknowledged")
	}
	if n := testutil.ToFloat64(metrics.errors.WithLabelValues("insert", kindServer)); n != 1 {
		t.Errorf("%v errors of the server counted, want 1", n)
	}
	exec(t, s, "RENAME TABLE series_elsewhere TO series_1m")
	must(t, s.InsertMentions(t.Context(), batch))
	points, err := s.Points(t.Context(), post.SeriesQuery{From: noon, To: noon.Add(time.Minute)})
	must(t, err)
	if len(points) != 2 || points[0].Posts != 1 || points[1].Posts != 1 {
		t.Errorf("points %+v, want one post for each agency", points)
	}
	if rows, distinct, err := s.CountMentions(t.Context(), ""); err != nil || rows != 2 || distinct != 2 {
		t.Errorf("%d rows of %d posts, %v; want 2 of 2", rows, distinct, err)
	}
	if n := testutil.ToFloat64(metrics.rows.WithLabelValues("mentions")); n != 2 {
		t.Errorf("%v rows counted, want the 2 that were acknowledged", n)
	}
}

// The pool outlives the engine: what fails while its process restarts succeeds
// when it is repeated.
func TestTheStoreOutlivesTheEngine(t *testing.T) {
	engine := testenv.StartEngine(t)
	cfg := DefaultConfig()
	s, err := New(cfg, Deps{Endpoint: func() (string, string, error) { return engine.Endpoint.URL, engine.Endpoint.Token, nil }})
	must(t, err)
	defer s.Close()
	must(t, s.Migrate(t.Context()))
	var want uint64
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for round := range 3 {
		for range 5 {
			want++
			m := []post.Mention{mention(post.Key(want), time.Now())}
			for err := s.InsertMentions(ctx, m); err != nil; err = s.InsertMentions(ctx, m) {
				if ctx.Err() != nil {
					t.Fatalf("round %d: %v", round, err)
				}
			}
		}
		engine.KillChild()
	}
	var distinct uint64
	for err = errors.New("not asked"); err != nil && ctx.Err() == nil; {
		_, distinct, err = s.CountMentions(ctx, "test")
	}
	must(t, err)
	if distinct != want {
		t.Errorf("%d posts, want the %d that were acknowledged", distinct, want)
	}
}

func TestAbsenceIsToldApart(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Addr = []string{"127.0.0.1:1"}
	metrics := NewMetrics(prometheus.NewRegistry())
	for _, protocol := range []string{protocolNative, protocolHTTP} {
		cfg.Protocol = protocol
		s, err := New(cfg, Deps{Metrics: metrics})
		must(t, err)
		err = s.InsertSourceHealth(t.Context(), []post.SourceHealth{{At: noon, Source: "s"}})
		if kind := errorKind(err); kind != kindConnection {
			t.Errorf("%s: nobody listens: %v is of kind %q, want %q", protocol, err, kind, kindConnection)
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Errorf("%s: ping succeeded", protocol)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if kind := errorKind(s.InsertSourceHealth(ctx, []post.SourceHealth{{At: noon, Source: "s"}})); kind != kindCancelled {
			t.Errorf("%s: the caller gave up: kind %q, want %q", protocol, kind, kindCancelled)
		}
		must(t, s.Close())
	}
	if n := testutil.ToFloat64(metrics.errors.WithLabelValues("insert", kindConnection)); n != 2 {
		t.Errorf("%v connection errors counted, want 2", n)
	}
}

func TestAQueryThatTakesTooLongEnds(t *testing.T) {
	s := newStore(t)
	s.cfg.QueryTimeout = 300 * time.Millisecond
	err := s.query(t.Context(), "count", "SELECT sum(cityHash64(number)) FROM numbers(1000000000000)", nil, nil)
	if kind := errorKind(err); kind != kindTimeout {
		t.Errorf("got %v of kind %q, want %q", err, kind, kindTimeout)
	}
}

func TestMetricsAreWellFormed(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg)
	m.inserted("mentions", 3, time.Second, nil)
	m.queried("points", time.Second, context.DeadlineExceeded)
	m.emptied(2)
	problems, err := testutil.GatherAndLint(reg)
	must(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := reg.Gather()
	must(t, err)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "outcry_store_") {
			t.Errorf("metric %s is not named after the package", f.GetName())
		}
	}
	if n := testutil.ToFloat64(m.errors.WithLabelValues("query", kindTimeout)); n != 1 {
		t.Errorf("%v timeouts, want 1", n)
	}
	var none *Metrics
	none.inserted("mentions", 1, 0, nil)
	none.queried("points", 0, nil)
	none.emptied(1)
}
