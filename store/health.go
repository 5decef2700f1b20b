package store

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

var sourceHealthTarget = newTarget("source_health",
	"at DateTime64(3, 'UTC')",
	"source LowCardinality(String)",
	"state LowCardinality(String)",
	"last_event DateTime64(3, 'UTC')",
	"gap_from DateTime64(3, 'UTC')",
	"received UInt64",
	"published UInt64",
	"refused UInt64",
	"detail String",
)

// InsertSourceHealth appends to the health log of the sources, in one attempt.
func (s *Store) InsertSourceHealth(ctx context.Context, rows []post.SourceHealth) error {
	if len(rows) == 0 {
		return nil
	}
	return s.insert(ctx, sourceHealthTarget, func(batch driver.Batch) error {
		for _, h := range rows {
			err := batch.Append(clamp(h.At), h.Source, string(h.State), clamp(h.LastEvent), clamp(h.GapFrom),
				h.Received, h.Published, h.Refused, h.Detail)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SourceHealth gives the latest row of each source, ordered by source.
func (s *Store) SourceHealth(ctx context.Context) ([]post.SourceHealth, error) {
	const sql = `SELECT at, source, state, last_event, gap_from, received, published, refused, detail
FROM source_health
ORDER BY source, at DESC
LIMIT 1 BY source
LIMIT 100000`
	var out []post.SourceHealth
	err := s.query(ctx, "source_health", sql, nil, func(rows driver.Rows) error {
		var h post.SourceHealth
		var state string
		err := rows.Scan(&h.At, &h.Source, &state, &h.LastEvent, &h.GapFrom, &h.Received, &h.Published, &h.Refused, &h.Detail)
		h.State = post.SourceState(state)
		h.At, h.LastEvent, h.GapFrom = unclamp(h.At), unclamp(h.LastEvent), unclamp(h.GapFrom)
		out = append(out, h)
		return err
	})
	return out, err
}
