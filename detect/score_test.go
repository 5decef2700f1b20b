package detect

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestScorerIsCausal(t *testing.T) {
	c := newCrowd(20, 2)
	rows := make([]Row, 10*day)
	for i := range rows {
		bin := monday + int64(i)
		times := 1.0
		if i >= 9*day && i < 9*day+30 {
			times = 12
		}
		rows[i] = Row{Series: "a", Time: time.Unix(bin*60, 0), Value: c.next(bin, times, 0)}
	}
	all, head := NewScorer(DefaultParams(), level), NewScorer(DefaultParams(), level)
	alerts := 0
	for i, r := range rows {
		whole, err := all.Score(r)
		if err != nil {
			t.Fatal(err)
		}
		if i < 9*day+10 { // scored without knowing of anything later, beside another series
			if _, err := head.Score(Row{Series: "b", Time: r.Time, Value: 3}); err != nil {
				t.Fatal(err)
			}
			if part, err := head.Score(r); err != nil || part != whole {
				t.Fatalf("row %d: %+v alone (%v), %+v with the rest", i, part, err, whole)
			}
		}
		if whole.Anomaly < 0 || whole.Anomaly > 1 || whole.Alert != (whole.Anomaly >= 0.5) {
			t.Fatalf("row %d: %+v", i, whole)
		}
		if whole.Alert {
			alerts++
			if i < 9*day || i > 9*day+70 {
				t.Errorf("alert at row %d", i)
			}
		}
	}
	if alerts < 20 {
		t.Errorf("%d rows of the burst alerted", alerts)
	}
}

func TestScorerRefuses(t *testing.T) {
	s := NewScorer(DefaultParams(), level)
	at := time.Unix(monday*60, 0)
	if _, err := s.Score(Row{Time: at, Value: 1}); err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := s.Score(Row{Time: at.Add(time.Minute), Value: v}); !errors.Is(err, ErrValue) {
			t.Errorf("value %v: %v", v, err)
		}
	}
	for _, back := range []time.Duration{0, 30 * time.Second, -time.Minute} {
		if _, err := s.Score(Row{Time: at.Add(back), Value: 1}); !errors.Is(err, ErrOrder) {
			t.Errorf("row %v after the first: %v", back, err)
		}
	}
	if _, err := s.Score(Row{Time: at.Add(time.Minute), Value: 1}); err != nil {
		t.Errorf("the row after refused ones: %v", err)
	}
}
