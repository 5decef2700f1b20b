package alert

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"outcry/post"
)

var noon = time.Date(2025, 3, 5, 12, 0, 0, 0, time.UTC) // a Wednesday

// Each story is a series of signals, one a minute, and the transitions that
// they make: c calm, e elevated, A active, ? unknown, ! a failed evaluation,
// h calm while others stand behind the alert.
func TestLifeCycleStories(t *testing.T) {
	for _, c := range []struct {
		name     string
		wait     time.Duration // for
		signals  string
		expected string
	}{
		{"INACTIVE => FIRING", 0, "ccA", "2 INACTIVE => FIRING"},
		{"INACTIVE => PENDING => FIRING", 2 * time.Minute, "cAAA", "1 INACTIVE => PENDING, 3 PENDING => FIRING"},
		{"PENDING => INACTIVE when calm", 2 * time.Minute, "AAcA", "0 INACTIVE => PENDING, 2 PENDING => INACTIVE, 3 INACTIVE => PENDING"},
		{"PENDING => INACTIVE when only elevated", 2 * time.Minute, "Ae", "0 INACTIVE => PENDING, 1 PENDING => INACTIVE"},
		{"pending waits while nothing is known", 2 * time.Minute, "A???A", "0 INACTIVE => PENDING, 4 PENDING => FIRING"},
		{"FIRING => RESOLVED after calm", 0, "Acccc", "0 INACTIVE => FIRING, 4 FIRING => RESOLVED"},
		{"elevated does not open", 0, "eeee", ""},
		{"elevated keeps open", 0, "Aeeeeeeccc", "0 INACTIVE => FIRING"},
		{"flapping does not close", 0, "AccAccAccAcccc", "0 INACTIVE => FIRING, 13 FIRING => RESOLVED"},
		{"unknown withholds the all-clear", 0, "Acc???????ccc", "0 INACTIVE => FIRING"},
		{"calm counts anew after unknown", 0, "Acc?cccc", "0 INACTIVE => FIRING, 7 FIRING => RESOLVED"},
		{"a failed query is not calm", 0, "Acc!ccc", "0 INACTIVE => FIRING"},
		{"held until the others are over", 0, "Ahhhhhhhc", "0 INACTIVE => FIRING, 8 FIRING => RESOLVED"},
		{"RESOLVED => FIRING again", 0, "AccccA", "0 INACTIVE => FIRING, 4 FIRING => RESOLVED, 5 RESOLVED => FIRING"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Rule{For: c.wait, KeepFiringFor: 3 * time.Minute}
			s := state{State: post.Inactive}
			got := ""
			for i, sig := range c.signals {
				now := noon.Add(time.Duration(i) * time.Minute)
				if sig == '!' {
					s = suspend(s)
					continue
				}
				o := observation{Since: now, Signal: map[rune]signal{'c': calm, 'h': calm, 'e': elevated, 'A': active, '?': unknown}[sig], Held: sig == 'h'}
				next := step(r, s, o, now)
				if next.State != s.State {
					if got != "" {
						got += ", "
					}
					got += strconv.Itoa(i) + " " + transition(s.State, next.State)
				}
				s = next
			}
			if got != c.expected {
				t.Errorf("got  %s\nwant %s", got, c.expected)
			}
		})
	}
}

// Whatever is seen: an alert fires only while its condition holds, is resolved
// only when calm, and no two changes of it have one identity.
func TestLifeCycleLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &Rule{
			For:           time.Duration(rapid.IntRange(0, 3).Draw(t, "for")) * time.Minute,
			KeepFiringFor: time.Duration(rapid.IntRange(0, 3).Draw(t, "keep")) * time.Minute,
		}
		s := state{State: post.Inactive}
		ids := map[post.Key]bool{}
		now := noon
		for range rapid.IntRange(1, 60).Draw(t, "evaluations") {
			now = now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "seconds")) * time.Second)
			o := observation{
				Signal: signal(rapid.IntRange(0, 3).Draw(t, "signal")),
				Since:  now.Add(-time.Duration(rapid.IntRange(0, 30).Draw(t, "window")) * time.Minute).Truncate(time.Minute),
				Held:   rapid.Bool().Draw(t, "held"),
			}
			next := step(r, s, o, now)
			if next.State != s.State {
				if next.State == post.Firing && o.Signal != active {
					t.Fatalf("fires on signal %v", o.Signal)
				}
				if next.State == post.Resolved && (o.Signal != calm || o.Held || s.State != post.Firing) {
					t.Fatalf("resolved from %s on signal %v, held %v", s.State, o.Signal, o.Held)
				}
				id := changeID(1, next.Started, next.State)
				if ids[id] {
					t.Fatalf("%s has the identity of an earlier change", transition(s.State, next.State))
				}
				ids[id] = true
			}
			s = next
		}
	})
}

func TestFingerprintTellsAlertsApart(t *testing.T) {
	series := []post.Series{{Agency: "a"}, {Agency: "a", Issue: "x"}, {Agency: "a", TouchPoint: "x"}, {Agency: "ax"}, {Agency: "a", Language: "x"}, {Agency: "a", Platform: "x"}}
	seen := map[post.Key]bool{}
	for _, s := range series {
		seen[fingerprint("r", s, "")] = true
	}
	seen[fingerprint("r2", series[0], "")] = true
	seen[fingerprint("r", series[0], "x")] = true
	if len(seen) != len(series)+2 {
		t.Errorf("%d fingerprints of %d alerts", len(seen), len(series)+2)
	}
}
