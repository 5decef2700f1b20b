package detect

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Row is one count of one series, as a table of counts gives it.
type Row struct {
	Series string
	Time   time.Time // within the bin counted; normally its start
	Value  float64
}

// Score is what the detector says of a row.
type Score struct {
	Expected float64 // normal for this bin
	Anomaly  float64 // 0 to 1, surprise/(surprise+level): an alert from ½ on
	Alert    bool
}

// Errors of Scorer.
var (
	ErrValue = errors.New("not a count: must be 0 or more and finite")
	ErrOrder = errors.New("earlier than, or in the same bin as, the row before it in its series")
)

// Scorer scores a table of counts row by row. The rows of a series must come in
// the order of time, one for each bin; bins without a row are missing, not zero.
// A score depends on its row and on earlier rows of its series only.
type Scorer struct {
	params Params
	level  float64
	series map[string]*Detector
}

// NewScorer returns a Scorer that alerts from a surprise of level on.
func NewScorer(p Params, level float64) *Scorer {
	return &Scorer{params: p, level: level, series: map[string]*Detector{}}
}

// Score scores the next row. The error is ErrValue or ErrOrder, and the row
// then has no effect.
func (s *Scorer) Score(r Row) (Score, error) {
	if r.Value < 0 || math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		return Score{}, fmt.Errorf("value %v: %w", r.Value, ErrValue)
	}
	d := s.series[r.Series]
	if d == nil {
		d = NewDetector(s.params, nil)
		s.series[r.Series] = d
	}
	bin := floorDiv(r.Time.Unix(), d.m.binSeconds)
	if d.Next() != 0 && bin < d.Next() {
		return Score{}, fmt.Errorf("row at %s: %w", r.Time.UTC().Format(time.RFC3339), ErrOrder)
	}
	v, expected := d.update(bin, r.Value)
	out := Score{Expected: expected}
	if v.Warm {
		out.Anomaly = v.Surprise / (v.Surprise + s.level)
		out.Alert = v.Surprise >= s.level
	}
	return out, nil
}
