package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// CountMentions counts what is stored of a source, or of all when it is empty:
// the rows (one for each post and agency, repetitions left out) and the distinct
// posts among them. Both are exact, and include what was withdrawn.
func (s *Store) CountMentions(ctx context.Context, source string) (rows, distinct uint64, err error) {
	const sql = `SELECT count(), uniqExact(post_key) FROM mentions FINAL WHERE {source:String} = '' OR source = {source:String}`
	err = s.query(ctx, "count", sql, []any{clickhouse.Named("source", source)}, func(r driver.Rows) error {
		return r.Scan(&rows, &distinct)
	})
	return rows, distinct, err
}

// Latency gives percentiles of the time from a post's arrival to the insert that
// stored it, over the n posts of a source. The insert itself is not in it: see
// the metric outcry_store_insert_seconds.
func (s *Store) Latency(ctx context.Context, source string) (p50, p95, p99 time.Duration, n uint64, err error) {
	const sql = `SELECT quantilesExact(0.5, 0.95, 0.99)(wait), count() FROM (
    SELECT toInt64(dateDiff('millisecond', min(arrived), min(stored_at))) AS wait
    FROM mentions
    WHERE source = {source:String} AND NOT withdrawn
    GROUP BY post_key)`
	var wait []int64
	err = s.query(ctx, "latency", sql, []any{clickhouse.Named("source", source)}, func(r driver.Rows) error {
		return r.Scan(&wait, &n)
	})
	if err != nil || n == 0 {
		return 0, 0, 0, 0, err
	}
	ms := func(i int) time.Duration { return time.Duration(wait[i]) * time.Millisecond }
	return ms(0), ms(1), ms(2), n, nil
}
