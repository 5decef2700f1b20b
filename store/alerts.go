package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

var alertsTarget = newTarget("alerts",
	"at DateTime64(3, 'UTC')",
	"id UInt64",
	"fingerprint UInt64",
	"rule LowCardinality(String)",
	"rule_version LowCardinality(String)",
	"agency LowCardinality(String)",
	"issue LowCardinality(String)",
	"touch_point LowCardinality(String)",
	"platform LowCardinality(String)",
	"language LowCardinality(String)",
	"severity LowCardinality(String)",
	"from_state LowCardinality(String)",
	"state LowCardinality(String)",
	"started DateTime64(3, 'UTC')",
	"window Float64",
	"observed Float64",
	"expected Float64",
	"surprise Float64",
	"negative Float64",
	"summary String",
	"exemplars Array(UInt64)",
	"labels Map(LowCardinality(String), String)",
	"annotations Map(LowCardinality(String), String)",
	"written_at DateTime64(3, 'UTC')",
)

// InsertAlerts appends transitions to the log, in one attempt. One that is
// written again, with the same ID, is read once.
func (s *Store) InsertAlerts(ctx context.Context, changes []post.AlertChange) error {
	if len(changes) == 0 {
		return nil
	}
	now := s.now()
	return s.insert(ctx, alertsTarget, func(batch driver.Batch) error {
		for i := range changes {
			c := &changes[i]
			exemplars := make([]uint64, len(c.Exemplars))
			for j, key := range c.Exemplars {
				exemplars[j] = uint64(key)
			}
			err := batch.Append(clamp(c.At), uint64(c.ID), uint64(c.Fingerprint), c.Rule, c.RuleVersion,
				c.Series.Agency, c.Series.Issue, c.Series.TouchPoint, c.Series.Platform, c.Series.Language,
				c.Severity, string(c.From), string(c.State), clamp(c.Started), time.Duration(c.Window).Seconds(),
				c.Observed, c.Expected, c.Surprise, c.Negative, c.Summary, exemplars,
				filled(c.Labels), filled(c.Annotations), now)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// filled gives the driver a map, which it wants even for nothing.
func filled(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// maxLog bounds the rows that one read of a log returns. Alerts are rare: a log
// beyond this is a fault, and the earliest rows of it matter least.
const maxLog = 200_000

// AlertLog gives the transitions since a time, each once, ordered by time. Of
// more than 200,000 it gives the latest.
func (s *Store) AlertLog(ctx context.Context, since time.Time) ([]post.AlertChange, error) {
	const sql = `SELECT * FROM (
    SELECT at, id, fingerprint, rule, rule_version, agency, issue, touch_point, platform, language, severity,
           from_state, state, started, window, observed, expected, surprise, negative, summary, exemplars, labels, annotations
    FROM (SELECT * FROM alerts WHERE at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') ORDER BY at, id, written_at LIMIT 1 BY id)
    ORDER BY at DESC, id LIMIT {n:Int64})
ORDER BY at, id`
	args := []any{clickhouse.Named("since", clamp(since).UnixMilli()), clickhouse.Named("n", int64(maxLog))}
	var changes []post.AlertChange
	err := s.query(ctx, "alert_log", sql, args, func(rows driver.Rows) error {
		c, err := scanAlert(rows)
		changes = append(changes, c)
		return err
	})
	return changes, err
}

func scanAlert(rows driver.Rows) (post.AlertChange, error) {
	var c post.AlertChange
	var id, fingerprint uint64
	var from, state string
	var window float64
	var exemplars []uint64
	err := rows.Scan(&c.At, &id, &fingerprint, &c.Rule, &c.RuleVersion,
		&c.Series.Agency, &c.Series.Issue, &c.Series.TouchPoint, &c.Series.Platform, &c.Series.Language, &c.Severity,
		&from, &state, &c.Started, &window, &c.Observed, &c.Expected, &c.Surprise, &c.Negative, &c.Summary,
		&exemplars, &c.Labels, &c.Annotations)
	c.ID, c.Fingerprint = post.Key(id), post.Key(fingerprint)
	c.From, c.State = post.AlertState(from), post.AlertState(state)
	c.At, c.Started = unclamp(c.At), unclamp(c.Started)
	c.Window = post.Duration(window * float64(time.Second))
	for _, key := range exemplars {
		c.Exemplars = append(c.Exemplars, post.Key(key))
	}
	if len(c.Labels) == 0 {
		c.Labels = nil
	}
	if len(c.Annotations) == 0 {
		c.Annotations = nil
	}
	return c, err
}

var notificationsTarget = newTarget("notifications",
	"at DateTime64(3, 'UTC')",
	"change_id UInt64",
	"receiver LowCardinality(String)",
	"status LowCardinality(String)",
	"reason String",
	"attempt UInt32",
)

// InsertNotifications appends to the notification log, in one attempt. An entry
// that is written again is read once.
func (s *Store) InsertNotifications(ctx context.Context, notifications []post.Notification) error {
	if len(notifications) == 0 {
		return nil
	}
	return s.insert(ctx, notificationsTarget, func(batch driver.Batch) error {
		for _, n := range notifications {
			attempt := uint32(max(n.Attempt, 0))
			if err := batch.Append(clamp(n.At), uint64(n.Change), n.Receiver, n.Status, n.Reason, attempt); err != nil {
				return err
			}
		}
		return nil
	})
}

// Notifications gives the notification log since a time, ordered by time. Of
// more than 200,000 entries it gives the latest.
func (s *Store) Notifications(ctx context.Context, since time.Time) ([]post.Notification, error) {
	const sql = `SELECT * FROM (
    SELECT DISTINCT at, change_id, receiver, status, reason, attempt
    FROM notifications
    WHERE at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
    ORDER BY at DESC, change_id, receiver, attempt LIMIT {n:Int64})
ORDER BY at, change_id, receiver, attempt`
	args := []any{clickhouse.Named("since", clamp(since).UnixMilli()), clickhouse.Named("n", int64(maxLog))}
	var out []post.Notification
	err := s.query(ctx, "notifications", sql, args, func(rows driver.Rows) error {
		var n post.Notification
		var change uint64
		var attempt uint32
		err := rows.Scan(&n.At, &change, &n.Receiver, &n.Status, &n.Reason, &attempt)
		n.At, n.Change, n.Attempt = unclamp(n.At), post.Key(change), int(attempt)
		out = append(out, n)
		return err
	})
	return out, err
}
