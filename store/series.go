package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

// ErrTooMany says that a query found more rows than Config.MaxRows. Ask for a
// shorter time, a wider step or one agency.
var ErrTooMany = errors.New("more rows than allowed")

// Points gives the points of the series, ordered by series and time. Minutes
// without posts have no point. At most Config.MaxRows points; EachPoint has no
// such limit.
func (s *Store) Points(ctx context.Context, q post.SeriesQuery) ([]post.Point, error) {
	sql, args, err := pointsQuery(q, s.cfg.MaxRows+1)
	if err != nil {
		return nil, err
	}
	var points []post.Point
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(seriesSettings))
	err = s.query(ctx, "points", sql, args, func(rows driver.Rows) error {
		p, err := scanPoint(rows)
		points = append(points, p)
		return err
	})
	if err == nil && len(points) > s.cfg.MaxRows {
		return nil, fmt.Errorf("query points: %w (%d)", ErrTooMany, s.cfg.MaxRows)
	}
	return points, err
}

// EachPoint hands each point to fn, ordered by series and time, without holding
// them: two weeks of all series fit no memory. An error of fn ends it and is
// returned. It asks for one agency after the other, so that ClickHouse need not
// hold all series either.
func (s *Store) EachPoint(ctx context.Context, q post.SeriesQuery, fn func(post.Point) error) error {
	agencies := []string{q.Agency}
	if q.Agency == "" {
		var err error
		if agencies, err = s.agencies(ctx, q.From, q.To); err != nil {
			return err
		}
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(seriesSettings))
	for _, agency := range agencies {
		q.Agency = agency
		sql, args, err := pointsQuery(q, 0)
		if err != nil {
			return err
		}
		err = s.queryFor(ctx, s.cfg.HistoryTimeout, "points", sql, args, func(rows driver.Rows) error {
			p, err := scanPoint(rows)
			if err != nil {
				return err
			}
			return fn(p)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// agencies gives those that have posts in the time, ordered.
func (s *Store) agencies(ctx context.Context, from, to time.Time) ([]string, error) {
	var out []string
	sql := "SELECT DISTINCT agency FROM series_1m WHERE minute >= toDateTime({from:Int64}, 'UTC') AND minute < toDateTime({to:Int64}, 'UTC') ORDER BY agency LIMIT 100000"
	err := s.query(ctx, "points", sql, minuteRange(from, to), func(rows driver.Rows) error {
		var agency string
		err := rows.Scan(&agency)
		out = append(out, agency)
		return err
	})
	return out, err
}

// seriesSettings let two weeks of many series spill to disk instead of taking the
// memory that inserts need.
var seriesSettings = clickhouse.Settings{
	"max_bytes_before_external_group_by": 256 << 20,
	"max_bytes_before_external_sort":     256 << 20,
}

// pointsQuery writes the query of the series. A limit of 0 is none.
func pointsQuery(q post.SeriesQuery, limit int) (sql string, args []any, err error) {
	step := q.Step
	if step == 0 {
		step = time.Minute
	}
	if step < time.Minute || step%time.Minute != 0 {
		return "", nil, fmt.Errorf("query points: step %v is not a number of whole minutes", step)
	}
	args = append(minuteRange(q.From, q.To), clickhouse.Named("step", int64(step.Seconds())))
	var where strings.Builder
	where.WriteString("minute >= toDateTime({from:Int64}, 'UTC') AND minute < toDateTime({to:Int64}, 'UTC')")
	if q.Agency != "" {
		where.WriteString(" AND agency = {agency:String}")
		args = append(args, clickhouse.Named("agency", q.Agency))
	}
	if q.Issue != "" {
		where.WriteString(" AND issue = {issue:String}")
		args = append(args, clickhouse.Named("issue", q.Issue))
	}
	columns := []string{"agency"}
	for _, d := range []struct {
		by     bool
		column string
		only   bool // posts without it have no point
	}{
		{q.By.Issue || q.Issue != "", "issue", true},
		{q.By.TouchPoint, "touch_point", true},
		{q.By.Platform, "platform", false},
		{q.By.Language, "language", false},
	} {
		if !d.by {
			columns = append(columns, "'' AS no_"+d.column)
			continue
		}
		columns = append(columns, d.column)
		if d.only {
			where.WriteString(" AND " + d.column + " != ''")
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `SELECT %s,
       toDateTime(intDiv(toInt64(toUnixTimestamp(minute)), {step:Int64}) * {step:Int64}, 'UTC') AS t,
       uniqCombined64Merge(posts), uniqCombined64Merge(negative), uniqCombined64Merge(voices), uniqCombined64Merge(levels)
FROM series_1m
WHERE %s
GROUP BY ALL
ORDER BY 1, 2, 3, 4, 5, t`, strings.Join(columns, ", "), where.String())
	if limit > 0 {
		fmt.Fprintf(&b, "\nLIMIT %d", limit)
	}
	return b.String(), args, nil
}

func scanPoint(rows driver.Rows) (post.Point, error) {
	var p post.Point
	var levels uint64
	err := rows.Scan(&p.Agency, &p.Issue, &p.TouchPoint, &p.Platform, &p.Language, &p.Minute, &p.Posts, &p.Negative, &p.Authors, &levels)
	p.Minute = p.Minute.UTC()
	// Above some thousands of posts each count is an estimate of its own.
	p.Negative = min(p.Negative, p.Posts)
	p.Score = meanScore(p.Posts, levels)
	return p, err
}

// meanScore undoes the levels of the rollup: half points above −1.
func meanScore(posts, levels uint64) float64 {
	if posts == 0 {
		return 0
	}
	return min(float64(levels)/float64(posts)/2-1, 1)
}

// minuteRange gives the parameters from and to, in seconds.
func minuteRange(from, to time.Time) []any {
	return []any{clickhouse.Named("from", clamp(from).Unix()), clickhouse.Named("to", clamp(to).Unix())}
}

// AgencySummaries tells how each agency was spoken of in the ten minutes, the
// hour and the day that end with the minute of now. Agencies without posts in
// that day are absent.
func (s *Store) AgencySummaries(ctx context.Context, now time.Time) ([]post.AgencySummary, error) {
	end := now.Truncate(time.Minute).Add(time.Minute)
	const sql = `SELECT agency,
       uniqCombined64MergeIf(posts, minute >= toDateTime({ten:Int64}, 'UTC')),
       uniqCombined64MergeIf(voices, minute >= toDateTime({ten:Int64}, 'UTC')),
       uniqCombined64MergeIf(negative, minute >= toDateTime({ten:Int64}, 'UTC')),
       uniqCombined64MergeIf(posts, minute >= toDateTime({hour:Int64}, 'UTC')),
       uniqCombined64MergeIf(voices, minute >= toDateTime({hour:Int64}, 'UTC')),
       uniqCombined64MergeIf(negative, minute >= toDateTime({hour:Int64}, 'UTC')),
       uniqCombined64Merge(posts), uniqCombined64Merge(voices), uniqCombined64Merge(negative)
FROM series_1m
WHERE minute >= toDateTime({from:Int64}, 'UTC') AND minute < toDateTime({to:Int64}, 'UTC')
GROUP BY agency
ORDER BY agency
LIMIT 100000`
	args := append(minuteRange(end.Add(-24*time.Hour), end),
		clickhouse.Named("ten", clamp(end.Add(-10*time.Minute)).Unix()),
		clickhouse.Named("hour", clamp(end.Add(-time.Hour)).Unix()))
	var out []post.AgencySummary
	err := s.query(ctx, "summaries", sql, args, func(rows driver.Rows) error {
		var a post.AgencySummary
		var ten, hour, day uint64
		err := rows.Scan(&a.Agency,
			&a.TenMinutes.Posts, &a.TenMinutes.Voices, &ten,
			&a.Hour.Posts, &a.Hour.Voices, &hour,
			&a.Day.Posts, &a.Day.Voices, &day)
		a.TenMinutes.Negative = share(ten, a.TenMinutes.Posts)
		a.Hour.Negative = share(hour, a.Hour.Posts)
		a.Day.Negative = share(day, a.Day.Posts)
		out = append(out, a)
		return err
	})
	return out, err
}

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return min(float64(part)/float64(whole), 1)
}
