package detect

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The expected values were computed with mpmath at 60 digits: for whole counts
// by summing the probabilities, for others by its incomplete beta function.
func TestTailExponentKnownValues(t *testing.T) {
	for _, c := range []struct{ y, mean, variance, want float64 }{
		{5, 0.1, 0.15, 3.6894581933475},
		{5, 4, 6, 0.5158515837082},
		{10, 1.5, 2.5, 3.1128761152491},
		{37, 2.1, 4, 10.429108512669},
		{12.4, 3.3, 7, 2.155223213297},
		{100, 50, 75, 6.2864567909221},
		{60, 50, 52.5, 1.0587252792618},
		{500, 50, 75, 140.83599798996},
		{5.5, 0.001, 0.0015, 6.1087044611403},
		{2000, 1000, 1500, 104.10828879892},
		{1010, 1000, 1050, 0.4237952238322},
		{50000, 5000, 20000, 4055.6436996358},
		{300, 0.5, 0.75, 143.31246767495},
		{7, 6.9, 7.3, 0.33807967281766},
	} {
		got := tailExponent(c.y, c.mean, c.variance)
		if math.Abs(got-c.want) > 1e-9*max(1, c.want) {
			t.Errorf("tailExponent(%v, %v, %v) = %.13g, want %.13g", c.y, c.mean, c.variance, got, c.want)
		}
	}
}

// More voices are always more surprising, and the exponent is a number for
// whatever a series can bring.
func TestTailExponentRisesWithCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := math.Exp(rapid.Float64Range(-12, 12).Draw(t, "log mean"))
		v := m * rapid.Float64Range(dispersionFloor, 100).Draw(t, "dispersion")
		y := m + math.Exp(rapid.Float64Range(-3, 12).Draw(t, "log excess"))
		low, high := tailExponent(y, m, v), tailExponent(y*1.01+0.01, m, v)
		if math.IsNaN(low) || math.IsInf(low, 0) || low < 0 || high <= low {
			t.Fatalf("mean %v variance %v: count %v gives %v, a larger one %v", m, v, y, low, high)
		}
	})
}
