package detect

import "math"

// tail turns the raw exponent of the negative binomial into a surprise whose
// meaning is the same for every series: it records how often, and by how much,
// the peaks of normal times exceed a threshold, and extrapolates from there as
// an exponential (peaks over threshold). Peaks within an hour are one.
type tail struct {
	bins   float64 // bins watched
	peaks  float64
	excess float64 // summed, in units of the exponent
	top    float64 // of the cluster being watched; 0 when none
	last   int64   // its last bin above the threshold
}

// mostSurprise bounds the surprise: beyond it the number says nothing.
const mostSurprise = 300

// fit gives the rate of peaks per bin, as −log10, and the mean excess.
func (t *tail) fit() (rarity, slope float64) {
	rarity = -math.Log10((t.peaks + tailPrior) / (t.bins + 100*tailPrior))
	slope = max((t.excess+tailPrior/math.Ln10)/(t.peaks+tailPrior), 1/math.Ln10)
	return rarity, slope
}

// calibrate gives the surprise of a raw exponent.
func (t *tail) calibrate(e float64) float64 {
	rarity, slope := t.fit()
	return min(max(rarity+(e-tailFrom)/(slope*math.Ln10), 0), mostSurprise)
}

// raw is the inverse of calibrate.
func (t *tail) raw(surprise float64) float64 {
	rarity, slope := t.fit()
	return tailFrom + (min(surprise, mostSurprise)-rarity)*slope*math.Ln10
}

// add watches one bin of normal times.
func (t *tail) add(bin int64, e float64, apart int64) {
	t.bins++
	if t.top > 0 && bin > t.last+apart {
		t.peaks++
		t.excess += min(t.top-tailFrom, tailCap)
		t.top = 0
	}
	if e > tailFrom {
		t.top = max(t.top, e)
		t.last = bin
	}
}

// drop forgets the cluster being watched: it became a burst.
func (t *tail) drop() { t.top = 0 }
