package configs_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"outcry/internal/testenv"
	"outcry/post"
	"outcry/store"
)

func TestMain(m *testing.M) {
	testenv.MaybeRunEngine()
	os.Exit(m.Run())
}

// dashboard is what the test looks at in a Grafana dashboard.
type dashboard struct {
	Panels []struct {
		Title   string `json:"title"`
		Targets []struct {
			SQL string `json:"rawSql"`
		} `json:"targets"`
	} `json:"panels"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Query string `json:"query"`
		} `json:"list"`
	} `json:"templating"`
}

// grafana replaces the macros of Grafana's ClickHouse data source as it does.
var grafana = strings.NewReplacer(
	"$__timeFilter(minute)", "minute >= now() - 3600 AND minute <= now()",
	"$__timeFilter(time)", "time >= now() - 3600 AND time <= now()",
	"$__timeFilter(at)", "at >= now() - 3600 AND at <= now()",
	"$__timeInterval(minute)", "toStartOfInterval(toDateTime(minute), INTERVAL 60 second)",
	"${agency:singlequote}", "'portal'",
)

// TestDashboardQueries asks the real engine every question of the dashboard, so
// that a change of the schema cannot leave a panel empty.
func TestDashboardQueries(t *testing.T) {
	data, err := os.ReadFile("grafana/dashboards/outcry.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	engine := testenv.StartEngine(t)
	fill(t, engine)
	questions := map[string]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			questions[p.Title] = target.SQL
		}
	}
	for _, v := range d.Templating.List {
		questions["variable "+v.Name] = v.Query
	}
	if len(questions) < 7 {
		t.Fatalf("only %d questions were read", len(questions))
	}
	for title, sql := range questions {
		asked := grafana.Replace(sql)
		if strings.Contains(asked, "$") {
			t.Errorf("%s: a macro that the test does not know: %s", title, asked)
		}
		if answer := engine.Exec(t, "SELECT * FROM ("+asked+") FORMAT TSV"); strings.TrimSpace(answer) == "" {
			t.Errorf("%s: no answer to %s", title, asked)
		}
	}
}

// fill stores one of everything that the dashboard shows, a minute ago.
func fill(t *testing.T, engine *testenv.EngineProc) {
	t.Helper()
	cfg := store.DefaultConfig()
	cfg.Addr, cfg.Database = nil, "default"
	s, err := store.New(cfg, store.Deps{
		Log:      slog.New(slog.DiscardHandler),
		Endpoint: func() (string, string, error) { return engine.Endpoint.URL, engine.Endpoint.Token, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := time.Now().UTC().Add(-time.Minute).Truncate(time.Millisecond)
	mention := post.Mention{
		Post: post.Post{
			Kind: post.KindPost, Key: 1, Platform: "x", Source: "test", Time: at, Arrived: at,
			Text: "the portal is down", Author: 7, Agencies: []string{"portal"},
		},
		DetectedLanguage: "en",
		Sentiment:        post.Sentiment{Score: -0.5, Label: post.Negative, Confidence: 1, Scorer: "test-1"},
		Issues:           []post.Label{{ID: "outage", Score: 1}},
	}
	change := post.AlertChange{
		ID: 1, At: at, Fingerprint: 2, Rule: "burst", Series: post.Series{Agency: "portal"}, Severity: "warning",
		From: post.Pending, State: post.Firing, Started: at, Observed: 9, Expected: 1, Surprise: 5, Summary: "a burst",
	}
	for what, err := range map[string]error{
		"migrate":       s.Migrate(t.Context()),
		"mentions":      s.InsertMentions(t.Context(), []post.Mention{mention}),
		"alerts":        s.InsertAlerts(t.Context(), []post.AlertChange{change}),
		"source health": s.InsertSourceHealth(t.Context(), []post.SourceHealth{{At: at, Source: "test", State: post.SourceRunning}}),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}
