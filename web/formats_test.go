package web

import (
	"testing"
	"time"
)

func TestNumbersForPeople(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 0.02: "<0.1", 0.1: "0.1", 5.96: "6", 6.04: "6", 6.2: "6.2", 9.96: "10", 12.6: "13",
		999: "999", 1000: "1\u202f000", 1234567: "1\u202f234\u202f567",
	} {
		if got := num(f); got != want {
			t.Errorf("num(%v) = %q, want %q", f, got, want)
		}
	}
	for surprise, want := range map[float64]string{0.3: "not unusual", 3: "1 in 1\u202f000", 23.2: "1 in 10²³", 1e12: "1 in 10³⁰⁰"} {
		if got := odds(surprise); got != want {
			t.Errorf("odds(%v) = %q, want %q", surprise, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 40 * time.Second: "40 s", 90 * time.Second: "1 min", 2 * time.Hour: "2 h",
		150 * time.Minute: "2 h 30 min", 72 * time.Hour: "3 days",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}
