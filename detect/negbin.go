package detect

import "math"

// tailExponent returns −log10 of the mid-P upper tail of a negative binomial
// with mean m and variance v > m: P(Y > y) + ½P(Y = y), continued between the
// integers. It asks for y ≥ m > 0, where the continued fraction converges
// quickly and no digits cancel.
//
// With r = m²/(v−m) and x = m/(m+r), P(Y ≥ y) is the incomplete beta function
// I_x(y, r), whose leading factor is exactly P(Y = y). So the logarithm of the
// mid-P is log P(Y = y) + log(cf − ½), at any depth of the tail.
func tailExponent(y, m, v float64) float64 {
	r := m * m / (v - m)
	x := m / (m + r)
	lyr, _ := math.Lgamma(y + r)
	ly, _ := math.Lgamma(y + 1)
	lr, _ := math.Lgamma(r)
	logPoint := lyr - ly - lr + y*math.Log(x) - r*math.Log1p(m/r)
	return -(logPoint + math.Log(betaFraction(y, r, x)-0.5)) / math.Ln10
}

// betaFraction is the continued fraction of the incomplete beta function
// I_x(a, b), by the method of Lentz, divided by the factor a of the usual form.
func betaFraction(a, b, x float64) float64 {
	const (
		tiny     = 1e-300
		accuracy = 1e-12
		most     = 10_000
	)
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	f := d
	for i := 1; i <= most; i++ {
		n := float64(i)
		step := func(numerator float64) float64 {
			d = 1 + numerator*d
			if math.Abs(d) < tiny {
				d = tiny
			}
			c = 1 + numerator/c
			if math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			return c * d
		}
		f *= step(n * (b - n) * x / ((a + 2*n - 1) * (a + 2*n)))
		change := step(-(a + n) * (a + b + n) * x / ((a + 2*n) * (a + 2*n + 1)))
		f *= change
		if math.Abs(change-1) < accuracy {
			break
		}
	}
	return f
}
