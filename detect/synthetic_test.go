package detect

import (
	"math"
	"math/rand/v2"
	"time"
)

// monday is the first bin of the synthetic series: Monday 2024-01-01, 00:00 UTC.
var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 60

const (
	hour = 60 // bins
	day  = 24 * hour
	week = 7 * day
)

// crowd invents the counts of a series: a negative binomial around a daily and
// weekly rhythm, whose intensity wanders.
type crowd struct {
	rng    *rand.Rand
	rate   float64 // voices per bin on average
	drift  float64 // log intensity, an AR(1) process with a memory of an hour
	wander float64 // its standard deviation
	shape  float64 // gamma shape per bin: smaller scatters more
}

func newCrowd(seed uint64, rate float64) *crowd {
	return &crowd{rng: rand.New(rand.NewPCG(seed, 7)), rate: rate, wander: 0.15, shape: 4}
}

// mean is the intensity of normal times at a bin.
func (c *crowd) mean(bin int64) float64 {
	minute := float64((bin%day + day) % day)
	rhythm := 1 - 0.75*math.Cos(2*math.Pi*(minute-3*hour)/day)
	if d := ((bin / day) + 4) % 7; d == 0 || d == 6 {
		rhythm *= 0.6
	}
	return c.rate * rhythm
}

// next draws the count of a bin, with times the usual voices and so many more.
func (c *crowd) next(bin int64, times, more float64) float64 {
	const keep = 1 - 1.0/hour
	c.drift = keep*c.drift + c.wander*math.Sqrt(1-keep*keep)*c.rng.NormFloat64()
	m := c.mean(bin)*math.Exp(c.drift-c.wander*c.wander/2)*times + more
	return c.poisson(m * c.gamma(c.shape) / c.shape)
}

func (c *crowd) poisson(m float64) float64 {
	if m > 500 {
		return max(0, math.Round(m+math.Sqrt(m)*c.rng.NormFloat64()))
	}
	n, p, limit := 0.0, c.rng.Float64(), math.Exp(-m)
	for p > limit {
		n++
		p *= c.rng.Float64()
	}
	return n
}

// gamma draws with scale 1, by the method of Marsaglia and Tsang.
func (c *crowd) gamma(shape float64) float64 {
	d := shape - 1.0/3
	k := 1 / math.Sqrt(9*d)
	for {
		x := c.rng.NormFloat64()
		v := 1 + k*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		u := c.rng.Float64()
		if math.Log(u) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// feed gives n bins of normal times to the detector and calls see with each verdict.
func (c *crowd) feed(d *Detector, from int64, n int, see func(bin int64, v Verdict)) int64 {
	for i := range int64(n) {
		v := d.Update(from+i, c.next(from+i, 1, 0))
		if see != nil {
			see(from+i, v)
		}
	}
	return from + int64(n)
}
