package alert

import (
	"strings"
	"testing"
	"time"

	"outcry/post"
)

// TestWhichSourcesAreBlind goes through every state a source can be in: one that
// is forgotten here would be taken for calm.
func TestWhichSourcesAreBlind(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for state, want := range map[post.SourceState]string{
		post.SourceRunning:  "",
		post.SourceGap:      "",
		post.SourceFinished: "",
		post.SourceBackoff:  "failing",
		post.SourceStalled:  "stalled",
		post.SourceFailed:   "failed for good",
	} {
		s := sightOf([]post.SourceHealth{{At: now, Source: "feed", State: state}}, now, time.Minute)
		got, blind := s.blind["feed"]
		if blind != (want != "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: blind %t, %q; want %q", state, blind, got, want)
		}
		if gap := state == post.SourceGap; s.gap != gap {
			t.Errorf("%s: gap %t", state, s.gap)
		}
	}
}
