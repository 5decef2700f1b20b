package store

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"outcry/post"
)

var sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)```")

// analystsGuide gives the guide for analysts and the queries in it.
func analystsGuide(t *testing.T) (text string, queries []string) {
	t.Helper()
	guide, err := os.ReadFile(filepath.Join("..", "docs", "analysts.md"))
	must(t, err)
	for _, block := range sqlBlock.FindAllStringSubmatch(string(guide), -1) {
		queries = append(queries, block[1])
	}
	if len(queries) < 10 {
		t.Fatalf("the guide has %d queries, want ten questions and more", len(queries))
	}
	return string(guide), queries
}

// Every query of the guide runs, before the first post and after an incident,
// and finds something in what an incident leaves behind.
func TestQueriesOfTheGuideRun(t *testing.T) {
	s := newStore(t)
	_, queries := analystsGuide(t)
	for i, query := range queries {
		if err := s.rows(t.Context(), query, nil, func(driver.Rows) error { return nil }); err != nil {
			t.Errorf("query %d on an empty database: %v\n%s", i+1, err, query)
		}
	}
	anIncident(t, s)
	for i, query := range queries {
		if got := table(t, s, query); len(got) == 0 {
			t.Errorf("query %d finds nothing of an incident:\n%s", i+1, query)
		}
	}
}

// anIncident leaves in every table what a burst about the agency of the guide
// would: posts now and a week ago, an alert, who was told, and a source that fails.
func anIncident(t *testing.T, s *Store) {
	t.Helper()
	const agency = "demo-northmark"
	now := time.Now().UTC().Truncate(time.Second)
	var batch []post.Mention
	for i := range 60 {
		at := now.Add(-time.Duration(i) * 10 * time.Second)
		if i >= 50 {
			at = at.Add(-7*24*time.Hour - 15*time.Minute)
		}
		batch = append(batch, mention(post.Key(i+1), at, about(agency), withIssues("down"), withTouchPoints("web"), func(m *post.Mention) {
			m.Text, m.Arrived = fmt.Sprintf("the portal is down, try %d", i), at.Add(time.Second)
		}))
	}
	must(t, s.InsertMentions(t.Context(), batch))
	firing := alertChange(1, now.Add(-time.Minute), post.Firing)
	firing.Series, firing.Exemplars = post.Series{Agency: agency, Issue: "down"}, []post.Key{1, 2, 3}
	must(t, s.InsertAlerts(t.Context(), []post.AlertChange{firing}))
	must(t, s.InsertNotifications(t.Context(), []post.Notification{
		{At: now, Change: firing.ID, Receiver: "pager", Status: "failed", Reason: "no answer", Attempt: 1},
	}))
	must(t, s.InsertSourceHealth(t.Context(), []post.SourceHealth{
		{At: now, Source: "forum", State: post.SourceBackoff, LastEvent: now.Add(-time.Hour), Detail: "no answer"},
	}))
}

// A table that the guide does not name is one that nobody finds.
func TestGuideNamesEveryTable(t *testing.T) {
	guide, _ := analystsGuide(t)
	s := newStore(t)
	for _, name := range lines(t, s, "SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name") {
		if !strings.Contains(guide, "`"+name+"`") {
			t.Errorf("docs/analysts.md does not name the table %s", name)
		}
	}
}
