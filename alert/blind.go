package alert

import (
	"fmt"
	"time"

	"outcry/alert/notify"
	"outcry/post"
)

const (
	labelSource = "source" // names the source that a blind alert is about
	allSources  = "all sources"

	longestDetail = 200 // runes of what a source says of itself: it may repeat what a server answered

	// forgetSource is when a source that is no longer reported counts as removed.
	forgetSource = 24 * time.Hour
	// blindLimit is how long a blind source withholds the all-clear and keeps
	// the detectors from learning. One that nobody repairs for longer must not
	// keep every other alert open; its own alert goes on.
	blindLimit = 12 * time.Hour
)

// sight is what the health of the sources means for alerts.
type sight struct {
	blind map[string]string // source → why, for people
	gap   bool              // posts may be missing, though no source is blind now
}

// sightOf judges the latest row of each source. A source that nobody reported
// for longer than timeout is blind too: the process that reads it is down. When
// that is so for all of several, it is one matter, not several.
func sightOf(rows []post.SourceHealth, now time.Time, timeout time.Duration) sight {
	s := sight{blind: map[string]string{}}
	watched, unreported := 0, 0
	var latest time.Time
	for _, h := range rows {
		if h.State == post.SourceFinished || now.Sub(h.At) > forgetSource {
			continue
		}
		watched++
		if h.At.After(latest) {
			latest = h.At
		}
		switch {
		case now.Sub(h.At) > timeout:
			unreported++
			s.blind[h.Source] = "not reported since " + clockTime(h.At) + ": is ingest running?"
		case h.State == post.SourceBackoff, h.State == post.SourceStalled, h.State == post.SourceFailed:
			s.blind[h.Source] = describe(h)
		case h.State == post.SourceGap:
			s.gap = true
		}
	}
	if unreported == watched && watched > 1 {
		s.blind = map[string]string{allSources: fmt.Sprintf("none of %d was reported since %s: is ingest running?", watched, clockTime(latest))}
	}
	return s
}

func describe(h post.SourceHealth) string {
	text := "stalled"
	switch h.State {
	case post.SourceBackoff:
		text = "failing"
	case post.SourceFailed:
		text = "failed for good"
	}
	if !h.LastEvent.IsZero() {
		text += ", last event " + clockTime(h.LastEvent)
	}
	if h.Detail != "" {
		text += " · " + notify.Plain(h.Detail, longestDetail)
	}
	return text
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// watch remembers since when each source is blind.
type watch map[string]time.Time

// update takes a new sight and tells whether some source has been blind for a
// time short enough to withhold the all-clear.
func (w watch) update(s sight, now time.Time) (withheld bool) {
	for source := range w {
		if s.blind[source] == "" {
			delete(w, source)
		}
	}
	for source := range s.blind {
		if w[source].IsZero() {
			w[source] = now
		}
		withheld = withheld || now.Sub(w[source]) < blindLimit
	}
	return withheld
}
