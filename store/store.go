package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Store is one database. It is safe for concurrent use.
type Store struct {
	cfg     Config
	log     *slog.Logger
	metrics *Metrics
	conn    driver.Conn
	admin   driver.Conn // on the server's default database: ours may not exist yet
	layout  layout
	now     func() time.Time

	embedded bool // the engine is the embedded one
}

// Deps is what a Store needs from outside.
type Deps struct {
	Log     *slog.Logger
	Metrics *Metrics
	// Endpoint, when set, says where the embedded engine listens now and the
	// token it asks for. It is asked for each request, so it must be quick.
	Endpoint func() (url, token string, err error)
}

// New makes a Store. It connects when first used.
func New(cfg Config, deps Deps) (*Store, error) {
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, log: deps.Log.With("component", "store"), metrics: deps.Metrics, layout: newLayout(cfg), now: time.Now, embedded: deps.Endpoint != nil}
	opts, err := options(cfg, deps.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to ClickHouse: %w", err)
	}
	if s.conn, err = clickhouse.Open(opts); err != nil {
		return nil, fmt.Errorf("prepare the connection to ClickHouse: %w", err)
	}
	opts, err = options(cfg, deps.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to ClickHouse: %w", err)
	}
	opts.Auth.Database = "default"
	opts.MaxOpenConns, opts.MaxIdleConns = 1, 1
	if s.admin, err = clickhouse.Open(opts); err != nil {
		return nil, fmt.Errorf("prepare the connection to ClickHouse: %w", err)
	}
	return s, nil
}

// Ping asks whether ClickHouse answers queries of this database.
func (s *Store) Ping(ctx context.Context) error {
	var one uint8
	if err := s.conn.QueryRow(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("ping ClickHouse: %w", err)
	}
	return nil
}

// Close releases the connections.
func (s *Store) Close() error {
	return errors.Join(s.conn.Close(), s.admin.Close())
}

// query runs one bounded query and hands each row to scan. The name is for the
// metrics and for errors.
func (s *Store) query(ctx context.Context, name, sql string, args []any, scan func(driver.Rows) error) error {
	return s.queryFor(ctx, s.cfg.QueryTimeout, name, sql, args, scan)
}

func (s *Store) queryFor(ctx context.Context, limit time.Duration, name, sql string, args []any, scan func(driver.Rows) error) error {
	// The driver turns the deadline into max_execution_time.
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	err := s.rows(ctx, sql, args, scan)
	s.metrics.queried(name, time.Since(start), err)
	if err != nil {
		return fmt.Errorf("query %s: %w", name, err)
	}
	return nil
}

func (s *Store) rows(ctx context.Context, sql string, args []any, scan func(driver.Rows) error) error {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// The range of times that every column can hold: the rollup counts minutes in
// 32-bit seconds.
var (
	earliest = time.Unix(0, 0).UTC()
	latest   = time.Date(2105, 12, 31, 23, 59, 59, 0, time.UTC)
)

// clamp brings a time into the range that the columns can hold. The zero time
// becomes 1970-01-01, which reads back as the zero time.
func clamp(t time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}

// unclamp gives the zero time for what was stored as 1970-01-01.
func unclamp(t time.Time) time.Time {
	if t.Equal(earliest) {
		return time.Time{}
	}
	return t.UTC()
}
