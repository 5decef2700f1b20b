package store

import (
	"reflect"
	"testing"
	"time"

	"outcry/post"
)

func alertChange(id post.Key, at time.Time, state post.AlertState) post.AlertChange {
	return post.AlertChange{
		ID: id, At: at, Fingerprint: 99, Rule: "burst", RuleVersion: "v1",
		Series:   post.Series{Agency: "tax-office", Issue: "overload", TouchPoint: "site", Platform: "x", Language: "en"},
		Severity: "critical", From: post.Pending, State: state, Started: noon, Window: post.Duration(5 * time.Minute),
		Observed: 120, Expected: 3.5, Surprise: 42.25, Negative: 0.875, Summary: "the site's down: 'error' 503",
		Exemplars: []post.Key{1, 1<<64 - 1}, Labels: map[string]string{"team": "web", "": "odd"}, Annotations: map[string]string{"why": "a\nlonger\ttext"},
	}
}

func TestTheAlertLogKeepsEveryTransitionOnce(t *testing.T) {
	s := newStore(t)
	firing := alertChange(1, noon.Add(time.Minute), post.Firing)
	resolved := alertChange(2, noon.Add(time.Hour), post.Resolved)
	bare := post.AlertChange{ID: 3, At: noon.Add(2 * time.Hour), Series: post.Series{Agency: "city"}}
	before := alertChange(4, noon.Add(-time.Hour), post.Pending)
	must(t, s.InsertAlerts(t.Context(), []post.AlertChange{resolved, bare, before}))
	must(t, s.InsertAlerts(t.Context(), []post.AlertChange{firing}))
	again := firing // another evaluator came to the same transition a little later
	again.At = firing.At.Add(10 * time.Second)
	must(t, s.InsertAlerts(t.Context(), []post.AlertChange{again, resolved}))

	got, err := s.AlertLog(t.Context(), noon)
	must(t, err)
	if want := []post.AlertChange{firing, resolved, bare}; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if n := line(t, s, "SELECT toString(count()) FROM v_alerts"); n != "4" {
		t.Errorf("the view shows %s transitions, want 4", n)
	}
}

func TestTheNotificationLogSaysWhy(t *testing.T) {
	s := newStore(t)
	want := []post.Notification{
		{At: noon, Change: 1, Receiver: "on-call", Status: "failed", Reason: "503 from the receiver", Attempt: 1},
		{At: noon.Add(time.Second), Change: 1, Receiver: "on-call", Status: "sent", Attempt: 2},
		{At: noon.Add(time.Second), Change: 1, Receiver: "press", Status: "suppressed", Reason: "silenced by 'weekend'"},
	}
	must(t, s.InsertNotifications(t.Context(), []post.Notification{want[2], want[0]}))
	must(t, s.InsertNotifications(t.Context(), []post.Notification{want[1], want[0]})) // repeated
	must(t, s.InsertNotifications(t.Context(), []post.Notification{{At: noon.Add(-time.Hour), Receiver: "on-call", Status: "sent"}}))
	got, err := s.Notifications(t.Context(), noon)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestSourceHealthIsTheLatest(t *testing.T) {
	s := newStore(t)
	now := time.Now().UTC().Truncate(time.Second) // rows are kept for 90 days
	running := post.SourceHealth{At: now, Source: "bluesky", State: post.SourceRunning, LastEvent: now.Add(-time.Second), Received: 10, Published: 5, Refused: 1}
	gap := post.SourceHealth{At: now.Add(time.Minute), Source: "bluesky", State: post.SourceGap, GapFrom: now, LastEvent: now, Received: 11, Detail: "cursor too old"}
	feed := post.SourceHealth{At: now.Add(-time.Hour), Source: "a-feed", State: post.SourceBackoff, Detail: "404"}
	must(t, s.InsertSourceHealth(t.Context(), []post.SourceHealth{gap, feed, running}))
	must(t, s.InsertSourceHealth(t.Context(), []post.SourceHealth{gap}))
	got, err := s.SourceHealth(t.Context())
	must(t, err)
	if want := []post.SourceHealth{feed, gap}; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if n := line(t, s, "SELECT toString(count()) FROM v_source_health"); n != "2" {
		t.Errorf("the view shows %s rows, want one for each source", n)
	}
}

func TestNothingIsSentForNothing(t *testing.T) {
	s, err := New(DefaultConfig(), Deps{Endpoint: func() (string, string, error) { t.Error("connected"); return "", "", nil }})
	must(t, err)
	must(t, s.InsertMentions(t.Context(), nil))
	must(t, s.InsertDeletes(t.Context(), nil))
	must(t, s.InsertAlerts(t.Context(), nil))
	must(t, s.InsertNotifications(t.Context(), nil))
	must(t, s.InsertSourceHealth(t.Context(), nil))
	got, err := s.MentionsByKey(t.Context(), nil)
	must(t, err)
	if got != nil {
		t.Errorf("got %v", got)
	}
	must(t, s.Close())
}
