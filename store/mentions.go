package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

const (
	defaultLimit = 100
	maxLimit     = 10_000
	// rowsPerFetch bounds the rows that one query names, so that its parameters
	// fit into an address.
	rowsPerFetch = 500
)

// place is where a mention stands in the table, and when it was stored.
type place struct {
	agency   string
	time     time.Time
	key      post.Key
	storedAt time.Time // 1970: not asked for
}

// rowID is the sorting key of a row of mentions.
type rowID struct {
	agency string
	milli  int64
	key    post.Key
}

func (p place) id() rowID { return rowID{p.agency, p.time.UnixMilli(), p.key} }

// Mentions gives stored mentions: one for each post, in its latest version,
// none that was withdrawn. Without an agency in the query a post about several
// agencies comes once, with one of them in Agency and all in Agencies.
//
// Without After, the newest posts come first. With After, what was stored after
// that position comes in the order of storing, and fewer than Limit only at the
// end; inserts of several writers overlap, so a reader that must see every post
// steps back by some seconds and leaves out the keys that it knows.
func (s *Store) Mentions(ctx context.Context, q post.MentionQuery) ([]post.StoredMention, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, maxLimit)
	if q.After != nil {
		return s.mentionsAfter(ctx, q)
	}
	return s.newestMentions(ctx, q)
}

// mentionsAfter reads page after page until it has enough: rows of withdrawn
// posts, and of other agencies of the same post, give nothing.
func (s *Store) mentionsAfter(ctx context.Context, q post.MentionQuery) ([]post.StoredMention, error) {
	var out []post.StoredMention
	seen := map[post.Key]bool{}
	after, page := *q.After, max(q.Limit, defaultLimit)
	for {
		places, err := s.pickAfter(ctx, q, after, page)
		if err != nil {
			return nil, err
		}
		mentions, err := s.fetch(ctx, places)
		if err != nil {
			return nil, err
		}
		for _, m := range mentions {
			if !seen[m.Key] {
				seen[m.Key] = true
				out = append(out, m)
			}
		}
		if len(places) < page || len(out) >= q.Limit {
			return out[:min(len(out), q.Limit)], nil
		}
		last := places[len(places)-1]
		after = post.MentionCursor{StoredAt: last.storedAt, Key: last.key}
	}
}

// pickAfter reads without FINAL, which would have to merge everything; fetch
// finds the latest version of what was picked. The rows of one post stay
// together: the position behind a page names a post, not a row.
func (s *Store) pickAfter(ctx context.Context, q post.MentionQuery, after post.MentionCursor, limit int) ([]place, error) {
	where, args := mentionFilter(q)
	where = append(where, "(stored_at > fromUnixTimestamp64Milli({stored:Int64}, 'UTC') OR stored_at = fromUnixTimestamp64Milli({stored:Int64}, 'UTC') AND post_key > {key:UInt64})",
		"stored_at >= fromUnixTimestamp64Milli({stored:Int64}, 'UTC')")
	args = append(args, clickhouse.Named("stored", clamp(after.StoredAt).UnixMilli()), clickhouse.Named("key", uint64(after.Key)))
	return s.pick(ctx, `SELECT agency, time, post_key, stored_at
FROM mentions
WHERE `+strings.Join(where, " AND ")+`
ORDER BY stored_at, post_key
LIMIT `+fmt.Sprint(limit)+` WITH TIES`, args)
}

// newestMentions looks at ever longer times before the newest post until it has
// enough: the whole table is long.
func (s *Store) newestMentions(ctx context.Context, q post.MentionQuery) ([]post.StoredMention, error) {
	var places []place
	windows, err := s.windows(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, from := range windows {
		q.From = from
		where, args := mentionFilter(q)
		places, err = s.pick(ctx, `SELECT agency, time, post_key, stored_at
FROM mentions FINAL
WHERE `+strings.Join(where, " AND ")+`
ORDER BY time DESC, post_key, agency
LIMIT 1 BY post_key
LIMIT `+fmt.Sprint(q.Limit), args)
		if err != nil {
			return nil, err
		}
		if len(places) >= q.Limit {
			break
		}
	}
	return s.fetch(ctx, places)
}

// windows gives the starts of the times to look at, the shortest first.
func (s *Store) windows(ctx context.Context, q post.MentionQuery) ([]time.Time, error) {
	if !q.From.IsZero() {
		return []time.Time{q.From}, nil
	}
	var newest time.Time
	err := s.query(ctx, "mentions", "SELECT max(time) FROM mentions", nil, func(rows driver.Rows) error {
		return rows.Scan(&newest)
	})
	if err != nil {
		return nil, err
	}
	if !q.To.IsZero() && q.To.Before(newest) {
		newest = q.To
	}
	return []time.Time{newest.Add(-10 * time.Minute), newest.Add(-24 * time.Hour), newest.Add(-31 * 24 * time.Hour), earliest}, nil
}

// mentionFilter gives the conditions of a query, all of which must hold.
func mentionFilter(q post.MentionQuery) (where []string, args []any) {
	where = []string{"NOT withdrawn"}
	add := func(condition, name string, value any) {
		where = append(where, condition)
		args = append(args, clickhouse.Named(name, value))
	}
	if q.Agency != "" {
		add("agency = {agency:String}", "agency", q.Agency)
	}
	if q.Issue != "" {
		add("has(issues, {issue:String})", "issue", q.Issue)
	}
	if q.TouchPoint != "" {
		add("has(touch_points, {touch_point:String})", "touch_point", q.TouchPoint)
	}
	if q.Platform != "" {
		add("platform = {platform:String}", "platform", q.Platform)
	}
	if q.Language != "" {
		add("language = {language:String}", "language", q.Language)
	}
	if q.Label != "" {
		add("label = {label:Int8}", "label", polarity(q.Label))
	}
	if !q.From.IsZero() {
		add("time >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')", "from", clamp(q.From).UnixMilli())
	}
	if !q.To.IsZero() {
		add("time < fromUnixTimestamp64Milli({to:Int64}, 'UTC')", "to", clamp(q.To).UnixMilli())
	}
	return where, args
}

// pick runs a query that gives places.
func (s *Store) pick(ctx context.Context, sql string, args []any) ([]place, error) {
	var places []place
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(finalSettings))
	err := s.query(ctx, "mentions", sql, args, func(rows driver.Rows) error {
		var p place
		var key uint64
		err := rows.Scan(&p.agency, &p.time, &key, &p.storedAt)
		p.key = post.Key(key)
		places = append(places, p)
		return err
	})
	return places, err
}

// finalSettings make FINAL right and quick: all versions of a row are in one
// partition, and a skip index could hide a later version.
var finalSettings = clickhouse.Settings{
	"do_not_merge_across_partitions_select_final": 1,
	"use_skip_indexes_if_final":                   0,
}

// fetch reads the latest version of the rows in their order, each post once and
// without those that were withdrawn meanwhile.
func (s *Store) fetch(ctx context.Context, places []place) ([]post.StoredMention, error) {
	if len(places) == 0 {
		return nil, nil
	}
	found := make(map[rowID]post.StoredMention, len(places))
	for chunk := range slices.Chunk(places, rowsPerFetch) {
		if err := s.fetchInto(ctx, found, chunk); err != nil {
			return nil, err
		}
	}
	keys := make([]post.Key, len(places))
	for i := range places {
		keys[i] = places[i].key
	}
	withdrawn, err := s.tombstones(ctx, keys)
	if err != nil {
		return nil, err
	}
	mentions := make([]post.StoredMention, 0, len(places))
	seen := make(map[post.Key]bool, len(places))
	for _, p := range places {
		m, ok := found[p.id()]
		if !ok || seen[p.key] || m.Version().Before(withdrawn[p.key]) {
			continue
		}
		seen[p.key] = true
		if p.storedAt.After(earliest) {
			m.StoredAt = p.storedAt.UTC()
		}
		mentions = append(mentions, m)
	}
	return mentions, nil
}

func (s *Store) fetchInto(ctx context.Context, found map[rowID]post.StoredMention, places []place) error {
	agencies := make([]string, len(places))
	times := make([]int64, len(places))
	keys := make([]uint64, len(places))
	for i, p := range places {
		agencies[i], times[i], keys[i] = p.agency, p.time.UnixMilli(), uint64(p.key)
	}
	const sql = `SELECT agency, time, post_key, version, platform, source, arrived, stored_at, platform_language, language, author,
       text, permalink, links, agencies, CAST(label, 'Int8'), score, confidence, scorer, complaint,
       issues, issue_scores, touch_points, touch_point_scores
FROM mentions FINAL
WHERE NOT withdrawn AND (agency, time, post_key) IN (
    SELECT row.1, fromUnixTimestamp64Milli(row.2, 'UTC'), row.3
    FROM (SELECT arrayJoin(arrayZip({agencies:Array(String)}, {times:Array(Int64)}, {keys:Array(UInt64)})) AS row))`
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(finalSettings))
	args := []any{clickhouse.Named("agencies", agencies), clickhouse.Named("times", times), clickhouse.Named("keys", keys)}
	return s.query(ctx, "mentions", sql, args, func(rows driver.Rows) error {
		m, err := scanMention(rows)
		if err != nil {
			return err
		}
		found[rowID{m.Agency, m.Time.UnixMilli(), m.Key}] = m
		return nil
	})
}

func scanMention(rows driver.Rows) (post.StoredMention, error) {
	var m post.StoredMention
	var key, author uint64
	var label int8
	var version time.Time
	var issues, touchPoints []string
	var issueScores, touchPointScores []float32
	err := rows.Scan(&m.Agency, &m.Time, &key, &version, &m.Platform, &m.Source, &m.Arrived, &m.StoredAt, &m.Language, &m.DetectedLanguage, &author,
		&m.Text, &m.Permalink, &m.Links, &m.Agencies, &label, &m.Sentiment.Score, &m.Sentiment.Confidence, &m.Sentiment.Scorer, &m.Complaint,
		&issues, &issueScores, &touchPoints, &touchPointScores)
	if err != nil {
		return m, err
	}
	m.Key, m.Author = post.Key(key), post.Key(author)
	m.Time, m.Arrived, m.StoredAt = m.Time.UTC(), m.Arrived.UTC(), m.StoredAt.UTC()
	m.Kind = post.KindPost
	if version.After(m.Time) {
		m.Kind, m.Edited = post.KindEdit, version.UTC()
	}
	m.Sentiment.Label = [...]post.Polarity{post.Negative, post.Neutral, post.Positive}[label+1]
	m.Issues, m.TouchPoints = join(issues, issueScores), join(touchPoints, touchPointScores)
	return m, nil
}

// Exemplars gives up to n posts of the series in from ≤ time < to that show what
// is meant: each by another voice and with another text, complaints first. Posts
// whose text is gone are left out.
func (s *Store) Exemplars(ctx context.Context, series post.Series, from, to time.Time, n int) ([]post.StoredMention, error) {
	where, args := mentionFilter(post.MentionQuery{
		Agency: series.Agency, Issue: series.Issue, TouchPoint: series.TouchPoint,
		Platform: series.Platform, Language: series.Language, From: from, To: to,
	})
	args = append(args, clickhouse.Named("n", int64(min(max(n, 1), maxLimit))))
	places, err := s.pick(ctx, `SELECT agency, time, post_key, stored_at FROM (
    SELECT agency, time, post_key, stored_at, if(author = 0, post_key, author) AS voice, label = 'negative' AS negative, complaint
    FROM mentions FINAL
    WHERE text != '' AND `+strings.Join(where, " AND ")+`
    ORDER BY negative DESC, complaint DESC, time DESC, post_key, agency
    LIMIT 1 BY cityHash64(lowerUTF8(text)))
ORDER BY negative DESC, complaint DESC, time DESC, post_key, agency
LIMIT 1 BY voice
LIMIT {n:Int64}`, args)
	if err != nil {
		return nil, err
	}
	return s.fetch(ctx, places)
}

// MentionsByKey gives the posts of these keys that are stored and not withdrawn,
// newest first: the evidence that an alert names. At most 10000 keys.
func (s *Store) MentionsByKey(ctx context.Context, keys []post.Key) ([]post.StoredMention, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	places, err := s.pick(ctx, `SELECT agency, time, post_key, toDateTime64(0, 3, 'UTC')
FROM mention_keys
WHERE post_key IN `+keySet(keys[:min(len(keys), maxLimit)])+`
ORDER BY time DESC, post_key, agency`, nil)
	if err != nil {
		return nil, err
	}
	return s.fetch(ctx, places)
}
