package alert

import (
	"slices"
	"strings"
	"testing"
	"time"

	"outcry/post"
)

// One launch-day failure is one line when it begins and one when it is over,
// though three series see it.
func TestOneFailureIsOneLine(t *testing.T) {
	w := newWorld(t)
	w.takeOver()
	w.live(5 * time.Minute)
	w.expectLog()
	began := w.now
	w.complain("tax", "down", began, began.Add(10*time.Minute), 25)
	w.complain("tax", "slow", began, began.Add(10*time.Minute), 8)
	w.live(10 * time.Minute)
	w.expectHeard("FIRING critical tax · down · ")

	log, _ := w.store.AlertLog(t.Context(), time.Time{})
	first := log[0]
	for _, c := range log {
		if c.Series.Issue == "down" {
			first = c
		}
	}
	if d := first.At.Sub(began); d > 3*time.Minute {
		t.Errorf("fired %v after the beginning", d)
	}
	if first.Started.After(first.At) || first.Started.Before(began.Add(-time.Hour)) {
		t.Errorf("started %v, fired %v", first.Started, first.At)
	}
	if first.Negative < 0.8 || first.Observed < 10 || first.Expected > 3 || first.Surprise < 5 || len(first.Exemplars) != 3 || first.RuleVersion == "" {
		t.Errorf("evidence: %+v", first)
	}
	if !strings.Contains(first.Summary, " authors in ") || !strings.Contains(first.Summary, " % negative") || !strings.Contains(first.Summary, "(1 in 10^") {
		t.Errorf("summary %q", first.Summary)
	}

	w.live(90 * time.Minute)
	w.expectHeard("FIRING critical tax · down · ", "RESOLVED critical tax · down · after ")
	got := slices.Sorted(slices.Values(w.store.log()))
	want := []string{
		"agency-burst FIRING => RESOLVED", "agency-burst INACTIVE => PENDING", "agency-burst PENDING => FIRING",
		"issue-burst down FIRING => RESOLVED", "issue-burst down INACTIVE => FIRING",
		"issue-burst slow FIRING => RESOLVED", "issue-burst slow INACTIVE => FIRING",
	}
	if !slices.Equal(got, want) {
		t.Errorf("log %q", got)
	}
	reasons := map[string]int{}
	for _, n := range w.store.notes {
		if n.Status == statusSuppressed {
			reasons[n.Reason]++
		}
	}
	if len(reasons) != 2 || reasons["inhibited by issue-burst · tax · down"] != 2 {
		t.Errorf("reasons of suppressions: %v", reasons)
	}
	ended := map[string]time.Time{}
	for _, c := range w.published {
		if c.State == post.Resolved {
			ended[c.Rule+" "+c.Series.Issue] = c.At
		}
	}
	if end := ended["issue-burst down"]; end.Before(ended["agency-burst "]) || end.Before(ended["issue-burst slow"]) {
		t.Errorf("the alert that was told must not be resolved before the others: %v", ended)
	}
	if n := len(w.published); n != len(want) {
		t.Errorf("%d changes published, %d logged", n, len(want))
	}
}

// A burst of which no issue explains anything is told as the agency's.
func TestUnexplainedBurstIsTheAgencys(t *testing.T) {
	w := newWorld(t)
	w.takeOver()
	w.talk("tax", w.now, w.now.Add(15*time.Minute), 30)
	w.rules = w.rules[:2]
	w.store.voices = slices.DeleteFunc(w.store.voices, func(v voice) bool { return v.issue != "" && v.at.After(noon) })
	w.run(15 * time.Minute)
	w.expectHeard("FIRING warning tax · ")
}

// A more severe alert is told although another one of the agency is.
func TestMoreSevereIsToldToo(t *testing.T) {
	w := newWorld(t)
	w.rules[1].For = 0
	w.takeOver()
	var quiet []voice
	for i := range 200 { // without an issue at first
		quiet = append(quiet, voice{at: w.now.Add(time.Duration(i) * 3 * time.Second), agency: "tax", author: w.someone()})
	}
	w.store.add(quiet...)
	w.live(5 * time.Minute)
	w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 20)
	w.live(5 * time.Minute)
	w.expectHeard("FIRING warning tax · ", "FIRING critical tax · down · ")
}

// Of two that fire at once the more severe is told, though the other is more
// specific.
func TestSeverityGoesBeforeDetail(t *testing.T) {
	w := newWorld(t)
	w.rules[0].Severity, w.rules[1].Severity, w.rules[1].For = "warning", "critical", 0
	w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 25)
	w.talk("tax", w.now, w.now.Add(5*time.Minute), 2)
	w.now = w.now.Add(3 * time.Minute)
	w.takeOver()
	w.run(time.Minute)
	w.expectHeard("FIRING critical tax · ")
	if summary := w.ears.said()[0]; !strings.HasSuffix(summary, " · mostly down") {
		t.Errorf("the issue that explains it is not named: %q", summary)
	}
}

// As long as anything of the agency fires that nobody was told of, the alert
// that was told stands for it.
func TestToldAlertStandsForTheOthers(t *testing.T) {
	w := newWorld(t)
	w.takeOver()
	w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 25)
	w.complain("tax", "slow", w.now.Add(2*time.Minute), w.now.Add(2*time.Hour), 10)
	w.live(2 * time.Hour)
	w.expectHeard("FIRING critical tax · down")
	w.live(90 * time.Minute)
	w.expectHeard("FIRING critical tax · down", "RESOLVED critical tax · down")
}

// Another agency's failure is another matter.
func TestAgenciesDoNotInhibitEachOther(t *testing.T) {
	w := newWorld(t)
	w.talk("post", noon.Add(-4*day), noon, 2)
	w.takeOver()
	w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 20)
	w.complain("post", "slow", w.now, w.now.Add(5*time.Minute), 20)
	w.talk("post", w.now, w.now.Add(5*time.Minute), 2)
	w.live(5 * time.Minute)
	said := w.ears.said()
	slices.Sort(said)
	if len(said) != 2 || !strings.HasPrefix(said[0], "FIRING critical post · slow") || !strings.HasPrefix(said[1], "FIRING critical tax · down") {
		t.Errorf("heard %q", said)
	}
}

// One person who writes all the time is one voice.
func TestOneVoiceIsNoBurst(t *testing.T) {
	w := newWorld(t)
	w.takeOver()
	for i := range 60 {
		w.store.add(voice{at: w.now.Add(time.Duration(i) * 20 * time.Second), agency: "tax", issue: "scam", author: 7, negative: true})
	}
	w.live(20 * time.Minute)
	w.expectLog()
}

// An archive of years ago, and one of last week, raise nothing.
func TestReplayedArchiveRaisesNothing(t *testing.T) {
	w := newWorld(t)
	w.takeOver()
	old := time.Date(2017, 11, 14, 20, 0, 0, 0, time.UTC)
	w.complain("tax", "down", old, old.Add(time.Hour), 60)
	w.complain("tax", "down", noon.Add(-3*day), noon.Add(-3*day+time.Hour), 60)
	w.live(10 * time.Minute)
	w.expectLog()
	if n := w.metric("outcry_alert_rebuilds_total"); n != 1 {
		t.Errorf("rebuilt %v times; an archive within the history is learned once", n)
	}
}

// A history that is loaded after the start is learned, and a burst right after
// it is seen.
func TestBackfillIsLearned(t *testing.T) {
	w := newWorld(t)
	w.store = newMemory()
	w.takeOver()
	w.run(time.Minute)
	w.talk("tax", noon.Add(-4*day), noon, 2)
	w.live(25 * time.Second)
	if n := w.metric("outcry_alert_rebuilds_total"); n != 1 {
		t.Errorf("rebuilt %v times half a minute after a back-fill", n)
	}
	w.live(35 * time.Second)
	w.complain("tax", "down", w.now, w.now.Add(4*time.Minute), 20)
	w.live(4 * time.Minute)
	w.expectHeard("FIRING critical tax · down · ")
}

// Without a past nothing is judged.
func TestNewAgencyIsNotJudged(t *testing.T) {
	w := newWorld(t)
	w.store = newMemory()
	w.takeOver()
	w.talk("tax", noon, noon.Add(30*time.Minute), 20)
	w.complain("tax", "down", noon.Add(20*time.Minute), noon.Add(30*time.Minute), 40)
	w.run(30 * time.Minute)
	w.expectLog()
}

// Rows that come late are counted as long as their minute is not learned.
func TestLateRowsCount(t *testing.T) {
	w := newWorld(t)
	w.takeOver()
	w.talk("tax", w.now, w.now.Add(10*time.Minute), 2)
	for range 6 {
		began := w.now
		w.run(time.Minute)
		w.complain("tax", "down", began, began.Add(time.Minute), 20) // a minute late
	}
	w.expectHeard("FIRING critical tax · down · ")
}

func TestFailedQueryResolvesNothing(t *testing.T) {
	for _, method := range []string{"Points", "SourceHealth"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			w.takeOver()
			w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 20)
			w.live(5 * time.Minute)
			w.expectHeard("FIRING")
			before := w.store.log()
			w.talk("tax", w.now, w.now.Add(2*time.Hour), 2)
			w.run(40 * time.Minute) // nearly calm for long enough
			w.store.breakdown(method, errStore)
			w.run(40 * time.Minute)
			if got := w.store.log(); !slices.Equal(got, before) {
				t.Fatalf("log %q", got)
			}
			if w.metric("outcry_alert_evaluations_total", resultFailed) < 400 {
				t.Error("failed evaluations were not counted")
			}
			w.store.breakdown(method, nil)
			w.run(time.Minute)
			w.expectHeard("FIRING")
			w.run(30 * time.Minute)
			w.expectHeard("FIRING", "RESOLVED")
		})
	}
}

func TestBlindSourceWithholdsTheAllClear(t *testing.T) {
	w := newWorld(t)
	healthy := func(at time.Time) post.SourceHealth {
		return post.SourceHealth{At: at, Source: "bluesky", State: post.SourceRunning, LastEvent: at}
	}
	w.takeOver()
	beat := func(d time.Duration, h func(time.Time) post.SourceHealth) {
		for end := w.now.Add(d); w.now.Before(end); {
			w.store.mu.Lock()
			w.store.health = []post.SourceHealth{h(w.now), {At: w.now, Source: "archive", State: post.SourceFinished}}
			w.store.mu.Unlock()
			w.live(20 * time.Second)
		}
	}
	w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 20)
	beat(5*time.Minute, healthy)
	w.expectHeard("FIRING critical tax · down")
	learned := w.shift.tracker.agencies.order[0].detector.Learned()
	beat(2*time.Hour, func(at time.Time) post.SourceHealth {
		h := healthy(at)
		h.State, h.Detail = post.SourceStalled, "connected and silent\x1b[2J"
		return h
	})
	w.expectHeard("FIRING critical tax · down", "FIRING warning source bluesky is blind · stalled, last event ")
	if now := w.shift.tracker.agencies.order[0].detector.Learned(); now > learned+3 {
		t.Errorf("%d minutes were learned while a source was blind", now-learned)
	}
	if said := w.ears.said()[1]; strings.Contains(said, "\x1b") || !strings.HasSuffix(said, ` · connected and silent\u001b[2J`) {
		t.Errorf("summary %q", said)
	}
	if n := w.metric("outcry_alert_blind_sources"); n != 1 {
		t.Errorf("%v blind sources", n)
	}
	beat(20*time.Minute, healthy)
	w.expectHeard("FIRING critical tax · down", "FIRING warning source bluesky", "RESOLVED warning source bluesky is not blind", "RESOLVED critical tax · down")
}

// When ingest is down every source is unreported: that is one alert.
func TestIngestDownIsOneAlert(t *testing.T) {
	w := newWorld(t)
	for _, source := range []string{"bluesky", "mastodon", "feeds"} {
		w.store.health = append(w.store.health, post.SourceHealth{At: w.now, Source: source, State: post.SourceRunning})
	}
	w.takeOver()
	w.run(10 * time.Minute)
	w.expectHeard("FIRING warning source all sources is blind · none of 3 was reported since 2025-03-05 12:00 UTC")
	w.run(25 * time.Hour)
	w.expectHeard("FIRING warning source all sources", "RESOLVED warning source all sources")
}

func TestSeriesOverTheLimitAreCounted(t *testing.T) {
	w := newWorld(t)
	w.cfg.MaxSeries = 2
	w.takeOver()
	for _, issue := range []string{"a", "b", "c", "d"} {
		w.complain("tax", issue, w.now, w.now.Add(time.Minute), 1)
	}
	w.live(30 * time.Second)
	if n := w.metric("outcry_alert_series"); n != 3 { // tax, tax·down, tax·a
		t.Errorf("%v series are watched", n)
	}
	if n := w.metric("outcry_alert_series_refused_total"); n < 3 {
		t.Errorf("%v points were refused", n)
	}
}

// Kafka being down delays nobody.
func TestPeopleAreToldWhileKafkaIsDown(t *testing.T) {
	w := newWorld(t)
	w.publish = errStore
	w.takeOver()
	w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 20)
	w.live(5 * time.Minute)
	w.expectHeard("FIRING critical tax · down")
	if n := w.metric("outcry_alert_unpublished_changes"); n < 2 || len(w.published) != 0 {
		t.Errorf("%v changes wait, %d published", n, len(w.published))
	}
	w.publish = nil
	w.live(time.Minute)
	if n := w.metric("outcry_alert_unpublished_changes"); n != 0 || len(w.published) != len(w.store.log()) {
		t.Errorf("%v changes wait, %d of %d published", n, len(w.published), len(w.store.log()))
	}
}

// The alert needs the exemplars least.
func TestAlertGoesWithoutExemplars(t *testing.T) {
	w := newWorld(t)
	w.store.breakdown("Exemplars", errStore)
	w.takeOver()
	w.complain("tax", "down", w.now, w.now.Add(5*time.Minute), 20)
	w.live(5 * time.Minute)
	w.expectHeard("FIRING critical tax · down")
}
