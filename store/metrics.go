package store

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the store. A nil *Metrics counts nothing.
type Metrics struct {
	rows          *prometheus.CounterVec
	insertSeconds *prometheus.HistogramVec
	querySeconds  *prometheus.HistogramVec
	errors        *prometheus.CounterVec
	withdrawn     prometheus.Counter
}

// The tables that are written, and the names under which queries are timed.
var (
	writtenTables = []string{"mentions", "deletes", "source_health", "alerts", "notifications"}
	queryNames    = []string{"points", "mentions", "summaries", "exemplars", "alert_log", "notifications", "source_health", "count", "latency", "withdraw"}
	errorKinds    = []string{kindServer, kindConnection, kindTimeout, kindCancelled, kindOther}
)

// The kinds of error, by who has to act.
const (
	kindServer     = "server"     // ClickHouse refused or failed
	kindConnection = "connection" // it could not be reached
	kindTimeout    = "timeout"    // it did not answer in time
	kindCancelled  = "cancelled"  // the caller gave up
	kindOther      = "other"
)

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_store_rows_written_total",
			Help: "Rows that ClickHouse acknowledged, by table. Compare with outcry_analyze counters: fewer rows here are posts that wait.",
		}, []string{"table"}),
		insertSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "outcry_store_insert_seconds",
			Help:    "Duration of one insert attempt, by table. A rise means that ClickHouse falls behind: look at its merges and disk.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"table"}),
		querySeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "outcry_store_query_seconds",
			Help:    "Duration of one query, by query. A rise delays alerts (points) or the board (the others).",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"query"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_store_errors_total",
			Help: "Failed attempts by operation and kind. server: read the message in the log; connection: ClickHouse is down or unreachable; timeout: it is overloaded.",
		}, []string{"operation", "kind"}),
		withdrawn: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outcry_store_withdrawn_rows_total",
			Help: "Stored rows that were emptied because their author deleted or edited the post. A rise is normal when many people delete.",
		}),
	}
	for _, table := range writtenTables {
		m.rows.WithLabelValues(table)
		m.insertSeconds.WithLabelValues(table)
	}
	for _, name := range queryNames {
		m.querySeconds.WithLabelValues(name)
	}
	for _, kind := range errorKinds {
		m.errors.WithLabelValues("insert", kind)
		m.errors.WithLabelValues("query", kind)
	}
	reg.MustRegister(m.rows, m.insertSeconds, m.querySeconds, m.errors, m.withdrawn)
	return m
}

func (m *Metrics) inserted(table string, rows int, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.insertSeconds.WithLabelValues(table).Observe(took.Seconds())
	if err != nil {
		m.errors.WithLabelValues("insert", errorKind(err)).Inc()
		return
	}
	m.rows.WithLabelValues(table).Add(float64(rows))
}

func (m *Metrics) queried(name string, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.querySeconds.WithLabelValues(name).Observe(took.Seconds())
	if err != nil {
		m.errors.WithLabelValues("query", errorKind(err)).Inc()
	}
}

func (m *Metrics) emptied(rows int) {
	if m != nil {
		m.withdrawn.Add(float64(rows))
	}
}

// errorKind sorts an error by who has to act on it.
func errorKind(err error) string {
	var refused *clickhouse.Exception
	var network net.Error
	switch {
	case errors.As(err, &refused):
		return kindServer
	case errors.Is(err, context.Canceled):
		return kindCancelled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, clickhouse.ErrAcquireConnTimeout):
		return kindTimeout
	case errors.As(err, &network):
		if network.Timeout() {
			return kindTimeout
		}
		return kindConnection
	}
	return kindOther
}
