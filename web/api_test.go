package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"outcry/post"
)

// decode reads a JSON answer into v and fails on another status.
func decode(t *testing.T, w *httptest.ResponseRecorder, status int, v any) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("Content-Type is %q", got)
	}
	if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
}

type errorAnswer struct {
	Error struct{ Code, Message string }
}

func TestParametersAreStrict(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, nil)
	for path, want := range map[string]string{
		"agencies?limit=1":                          "limit",
		"sources?x=1":                               "x",
		"alerts?agency=nobody":                      "agency",
		"alerts?state=closed":                       "state",
		"series":                                    "agency",
		"series?agency=nobody":                      "agency",
		"series?agency=tax&issue=nothing":           "issue",
		"series?agency=tax&from=yesterday":          "from",
		"series?agency=tax&to=1700000000":           "to",
		"series?agency=tax&step=30s":                "step",
		"series?agency=tax&step=90s":                "step",
		"series?agency=tax&step=-5m":                "step",
		"series?agency=tax&step=48h":                "step",
		"series?agency=tax&agency=water":            "agency",
		"series?agency=tax&author=1":                "author",
		"mentions?limit=0":                          "limit",
		"mentions?limit=501":                        "limit",
		"mentions?limit=x":                          "limit",
		"mentions?before=now":                       "before",
		"mentions?author=987654321":                 "author",
		"stream?agency=nobody":                      "agency",
		"stream?from=2026-01-01T00:00:00Z":          "from",
		"series?agency=tax&to=9999-01-01T00:00:00Z": "to",
		"series?agency=tax&from=2026-03-04T11:00:00Z&to=2026-03-04T10:00:00Z":         "from",
		"series?agency=tax&from=2025-01-01T00:00:00Z&to=2026-03-04T10:00:00Z":         "from",
		"series?agency=tax&from=2026-02-10T00:00:00Z&to=2026-03-04T10:00:00Z&step=1m": "step",
	} {
		var answer errorAnswer
		decode(t, get(t, s, "/api/v1/"+path), http.StatusBadRequest, &answer)
		if answer.Error.Code == "" || !strings.Contains(answer.Error.Message, want) {
			t.Errorf("%s: %+v does not name %s", path, answer.Error, want)
		}
	}
	var answer errorAnswer
	decode(t, get(t, s, "/api/v1/nothing"), http.StatusNotFound, &answer)
	if answer.Error.Code != "not_found" {
		t.Errorf("an unknown endpoint is %+v", answer.Error)
	}
}

func TestStoreFailureIs503AndTellsNoSecret(t *testing.T) {
	store := &fakeStore{fail: map[string]error{readSeries: errors.New("hunter2"), readMentions: errors.New("hunter2"), readAlerts: errors.New("hunter2")}}
	s := newTestServer(t, store, nil)
	for _, path := range []string{"series?agency=tax", "mentions"} {
		w := get(t, s, "/api/v1/"+path)
		var answer errorAnswer
		decode(t, w, http.StatusServiceUnavailable, &answer)
		if answer.Error.Code != "store_unavailable" || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: %s", path, w.Body)
		}
	}
	var alerts struct{ Unknown []string }
	decode(t, get(t, s, "/api/v1/alerts"), http.StatusOK, &alerts)
	if !slices.Contains(alerts.Unknown, readAlerts) {
		t.Errorf("an empty list of alerts does not say that they are unknown: %+v", alerts)
	}
	if m := get(t, s, "/metrics").Body.String(); !strings.Contains(m, `outcry_web_read_failures_total{read="mentions"} 1`) {
		t.Error("failures are not counted")
	}
}

func TestSeries(t *testing.T) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	tax := post.Series{Agency: "tax"}
	store := &fakeStore{
		points: []post.Point{{Series: tax, Minute: at(-50), Posts: 3, Authors: 2, Negative: 1, Score: -.25}, {Series: post.Series{Agency: "water"}, Minute: at(-50), Posts: 99}},
		alerts: []post.AlertChange{
			{ID: 1, Fingerprint: 1, At: at(-40), Started: at(-45), State: post.Firing, Severity: "warning", Series: tax},
			{ID: 2, Fingerprint: 1, At: at(-20), Started: at(-45), State: post.Resolved, Severity: "warning", Series: tax},
			{ID: 3, Fingerprint: 2, At: at(-200), Started: at(-300), State: post.Resolved, Series: tax},
			{ID: 4, Fingerprint: 3, At: at(-5), Started: at(-9), State: post.Firing, Series: post.Series{Agency: "water"}},
			{ID: 5, Fingerprint: 4, At: at(-5), Started: at(-9), State: post.Pending, Series: tax},
		},
	}
	var got chart
	decode(t, get(t, newTestServer(t, store, nil), "/api/v1/series?agency=tax&from=2026-03-04T11:03:00Z&step=10m"), http.StatusOK, &got)
	if len(got.Points) != 6 || !got.From.Equal(at(-60)) || !got.To.Equal(noon) || time.Duration(got.Step) != 10*time.Minute {
		t.Fatalf("%d points from %s to %s by %s", len(got.Points), got.From, got.To, time.Duration(got.Step))
	}
	if p := got.Points[1]; p.Posts != 3 || p.Voices != 2 || p.Negative != 1 || p.Score == nil || *p.Score != -.25 || p.Expected == nil || p.Expected.High != 15 {
		t.Errorf("the point is %+v", p)
	}
	if p := got.Points[2]; p.Posts != 0 || p.Score != nil {
		t.Errorf("a point without posts is %+v", p)
	}
	if len(got.Alerts) != 1 || got.Alerts[0].Fingerprint != 1 || !got.Alerts[0].Ended.Equal(at(-20)) {
		t.Errorf("the marks are %+v", got.Alerts)
	}
}

// The step that is not over yet is told apart: it is low because it is not over.
func TestSeriesTellsTheUnfinishedStep(t *testing.T) {
	now := noon.Add(7 * time.Minute)
	s := newTestServer(t, &fakeStore{}, func(_ *Config, d *Deps) { d.Now = func() time.Time { return now } })
	var got chart
	decode(t, get(t, s, "/api/v1/series?agency=tax&step=10m"), http.StatusOK, &got)
	if !got.Complete.Equal(noon) || !got.To.Equal(noon.Add(10*time.Minute)) {
		t.Errorf("complete until %s of %s", got.Complete, got.To)
	}
}

// What is normal is asked once a minute for all viewers, and its absence leaves the posts.
func TestExpectedIsCachedAndOptional(t *testing.T) {
	now := noon
	b := &bands{}
	s := newTestServer(t, &fakeStore{}, func(_ *Config, d *Deps) { d.Expected, d.Now = b, func() time.Time { return now } })
	for range 5 {
		get(t, s, "/api/v1/series?agency=tax&to=2026-03-04T12:00:00Z")
	}
	if b.asked != 1 {
		t.Errorf("asked %d times", b.asked)
	}
	now = now.Add(bandFresh)
	get(t, s, "/api/v1/series?agency=tax&to=2026-03-04T12:00:00Z")
	if b.asked != 2 {
		t.Errorf("asked %d times after a minute", b.asked)
	}
	b.err = errors.New("no history")
	var got chart
	decode(t, get(t, s, "/api/v1/series?agency=water"), http.StatusOK, &got)
	if got.Expected || got.Points[0].Expected != nil {
		t.Errorf("a failed detector gave %+v", got.Points[0])
	}
	none := newTestServer(t, &fakeStore{}, func(_ *Config, d *Deps) { d.Expected = nil })
	decode(t, get(t, none, "/api/v1/series?agency=water"), http.StatusOK, &got)
}

// Paging through mentions gives each post once, also where several share a time.
func TestMentionsPageWithoutLoss(t *testing.T) {
	store := &fakeStore{}
	for i := range 100 {
		store.store(said(post.Key(i+1), noon.Add(-time.Duration(i/3)*time.Second), fmt.Sprint("post ", i)))
	}
	s := newTestServer(t, store, nil)
	seen := map[string]int{}
	path := "/api/v1/mentions?agency=tax&limit=7"
	for pages := 0; path != ""; pages++ {
		var page struct {
			Mentions   []struct{ Key string }
			NextBefore string `json:"next_before"`
		}
		decode(t, get(t, s, path), http.StatusOK, &page)
		for _, m := range page.Mentions {
			seen[m.Key]++
		}
		path = ""
		if page.NextBefore != "" {
			path = "/api/v1/mentions?agency=tax&limit=7&before=" + page.NextBefore
		}
		if pages > 100 {
			t.Fatal("paging does not end")
		}
	}
	if len(seen) != 100 {
		t.Errorf("paging found %d of 100 posts", len(seen))
	}
	for key, n := range seen {
		if n != 1 {
			t.Errorf("post %s came %d times", key, n)
		}
	}
}

func TestMentionsHaveNoAuthor(t *testing.T) {
	store := &fakeStore{mentions: []post.StoredMention{said(1, noon, "hello")}}
	var page struct{ Mentions []map[string]any }
	decode(t, get(t, newTestServer(t, store, nil), "/api/v1/mentions"), http.StatusOK, &page)
	var fields []string
	for name := range page.Mentions[0] {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	want := "agencies complaint confidence issues key label language platform score scorer text time touch_points version"
	if got := strings.Join(fields, " "); got != want {
		t.Errorf("a mention has the fields %s, want %s", got, want)
	}
}

func TestAlertsByStateAndAgency(t *testing.T) {
	change := func(id, fp post.Key, agency string, state post.AlertState, ago time.Duration) post.AlertChange {
		return post.AlertChange{ID: id, Fingerprint: fp, At: noon.Add(-ago), Started: noon.Add(-ago), State: state, Severity: "info", Series: post.Series{Agency: agency}}
	}
	store := &fakeStore{alerts: []post.AlertChange{
		change(1, 1, "tax", post.Firing, 50*time.Hour), change(2, 1, "tax", post.Resolved, 40*time.Hour), // long over
		change(3, 2, "tax", post.Firing, 3*time.Hour), change(4, 2, "tax", post.Resolved, 2*time.Hour),
		change(5, 3, "tax", post.Pending, time.Hour), change(6, 3, "tax", post.Firing, time.Minute),
		change(7, 4, "water", post.Pending, time.Minute),
		change(8, 5, "water", post.Pending, 3*time.Minute), change(9, 5, "water", post.Inactive, 2*time.Minute),
	}}
	s := newTestServer(t, store, nil)
	for query, want := range map[string]string{
		"":                             "3:firing 4:pending",
		"?state=open&agency=tax":       "3:firing",
		"?state=resolved":              "2:resolved",
		"?state=all":                   "3:firing 4:pending 2:resolved",
		"?state=resolved&agency=water": "",
	} {
		var answer struct {
			Alerts []struct{ Fingerprint, State string }
		}
		decode(t, get(t, s, "/api/v1/alerts"+query), http.StatusOK, &answer)
		var got []string
		for _, a := range answer.Alerts {
			got = append(got, a.Fingerprint+":"+a.State)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("alerts%s: %v, want %s", query, got, want)
		}
	}
}
