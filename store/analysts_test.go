package store

import (
	_ "embed"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

//go:embed testdata/analysts.sql
var analystsQueries string

// The queries that analysts are shown must keep working as the schema changes.
func TestTheQueriesOfAnalysts(t *testing.T) {
	s := newStore(t)
	now := time.Now().UTC().Truncate(time.Second)
	var batch []post.Mention
	for i := range 12 {
		at := now.Add(-time.Duration(i) * time.Minute)
		if i >= 10 {
			at = at.Add(-7*24*time.Hour - 15*time.Minute)
		}
		batch = append(batch, mention(post.Key(i+1), at, withIssues("overload", "phone"), withTouchPoints("site"), func(m *post.Mention) {
			m.Text, m.Complaint = fmt.Sprintf("The site is down, try %d", i%4), float32(i)/20
		}))
	}
	must(t, s.InsertMentions(t.Context(), batch))
	firing, resolved := alertChange(1, now.Add(-time.Hour), post.Firing), alertChange(2, now.Add(-20*time.Minute), post.Resolved)
	must(t, s.InsertAlerts(t.Context(), []post.AlertChange{firing, resolved}))
	must(t, s.InsertNotifications(t.Context(), []post.Notification{
		{At: firing.At.Add(3 * time.Second), Change: 1, Receiver: "on-call", Status: "sent", Attempt: 1},
		{At: firing.At, Change: 1, Receiver: "press", Status: "suppressed", Reason: "silenced"},
	}))

	want := [][]string{
		{"tax-office overload 10 2 1", "tax-office phone 10 2 1"},
		{"x en 0.45 The site is down, try 1", "x en 0.4 The site is down, try 0", "x en 0.35 The site is down, try 3", "x en 0.3 The site is down, try 2"},
		{"burst tax-office overload 40 120 3 press: silenced"},
	}
	queries := statements(analystsQueries)
	if len(queries) != len(want) {
		t.Fatalf("%d queries, want %d", len(queries), len(want))
	}
	for i, query := range queries {
		if got := table(t, s, query); strings.Join(got, "\n") != strings.Join(want[i], "\n") {
			t.Errorf("query %d gave\n%s\nwant\n%s", i+1, strings.Join(got, "\n"), strings.Join(want[i], "\n"))
		}
	}
}

// table gives the rows of a query as text, without the times.
func table(t *testing.T, s *Store, sql string) []string {
	t.Helper()
	var out []string
	must(t, s.rows(t.Context(), sql, nil, func(rows driver.Rows) error {
		values := make([]any, len(rows.ColumnTypes()))
		for i, c := range rows.ColumnTypes() {
			values[i] = reflect.New(c.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return err
		}
		var fields []string
		for _, v := range values {
			if _, isTime := v.(*time.Time); !isTime {
				fields = append(fields, fmt.Sprint(reflect.ValueOf(v).Elem()))
			}
		}
		out = append(out, strings.Join(fields, " "))
		return nil
	}))
	return out
}
