package alert

import (
	"testing"
	"time"

	"outcry/detect"
)

func TestBurstSummary(t *testing.T) {
	name := func(id string) string { return map[string]string{"down": "System down"}[id] }
	for _, c := range []struct {
		v    detect.Verdict
		e    evidence
		want string
	}{
		{
			detect.Verdict{Window: 5 * time.Minute, Expected: 2.14, Surprise: 9.8}, evidence{voices: 37, negative: 0.861},
			"FIRING critical x · 37 authors in 5 min, expected 2.1 (1 in 10^9) · 86 % negative",
		},
		{
			detect.Verdict{Window: 30 * time.Minute, Expected: 0.01, Surprise: 120}, evidence{voices: 1, mostly: "down"},
			"FIRING critical x · 1 author in 30 min, expected under 0.1 (less than 1 in 10^30) · 0 % negative · mostly System down",
		},
		{
			detect.Verdict{Window: 2 * time.Minute, Expected: 1234.5, Surprise: 6}, evidence{voices: 9000, negative: 1},
			"FIRING critical x · 9000 authors in 2 min, expected 1234 (1 in 10^6) · 100 % negative",
		},
	} {
		if got := burstSummary("FIRING critical x", c.v, c.e, name); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		20 * time.Second: "0 min", 42 * time.Minute: "42 min", time.Hour: "1 h", 150 * time.Minute: "2 h 30 min", 47 * time.Hour: "47 h", 75 * time.Hour: "3 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}
