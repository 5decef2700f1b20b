package store

import (
	"context"

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
