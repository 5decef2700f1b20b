package detect

import (
	"math"
	"time"
)

// Detector follows one series. It is not safe for concurrent use, but a copy of
// the value is an independent detector.
type Detector struct {
	m      *model
	parent *Detector
	clock  clock
	next   int64 // the bin that comes next; 0 before the first

	learned int64   // bins learned
	voices  float64 // voices learned
	a, b    float64 // discounted voices and exposure: the level is (a+½)/(b+1)
	profile profile
	hourNow int64 // hour of the last refresh of the profile

	span   span
	spread spread
	tail   tail

	frozenFrom  int64 // first bin of the present freeze; 0 when learning
	frozenUntil int64
	fastUntil   int64 // a new level is being accepted until then
}

// Verdict is what a detector says of one bin and those before it.
type Verdict struct {
	Warm     bool          // heard long enough to be judged; a Surprise before that means nothing
	Window   time.Duration // since the burst began, by what is seen in the span where it is clearest; one bin when nothing stands out
	Observed float64       // voices in that span
	Expected float64       // voices normal in that span
	Surprise float64       // −log10 of the rate per bin at which normal times peak as high; at most 300
	Frozen   bool          // learning is stopped so that the burst does not become normal

	exponent float64 // −log10 of the tail before calibration; 0 when nothing stands out
}

// NewDetector returns a detector that has heard nothing. A parent, when given,
// is the wider series this one is part of: its rhythm is assumed until the
// series shows its own. Feed a bin to the parent first.
func NewDetector(p Params, parent *Detector) *Detector {
	d := &Detector{parent: parent, profile: newProfile()}
	if parent != nil {
		d.m = parent.m
	} else {
		d.m = newModel(p)
	}
	return d
}

// Next is the bin that the detector waits for, 0 before the first. A bin is
// numbered by its start: Unix seconds divided by the width of a bin.
func (d *Detector) Next() int64 { return d.next }

// Learned is how many bins were learned.
func (d *Detector) Learned() int64 { return d.learned }

// Update judges the closed bin and learns it. Bins come in order; those left
// out were not heard. A bin before Next is ignored and the zero Verdict
// returned.
func (d *Detector) Update(bin int64, y float64) Verdict {
	v, _ := d.update(bin, y)
	return v
}

// Hold judges a closed bin without learning it: for times when part of what is
// counted may be missing. The bin still belongs to the windows that follow.
func (d *Detector) Hold(bin int64, y float64) Verdict {
	if bin < d.next {
		return Verdict{}
	}
	v, _, _ := d.judge(bin, y)
	d.next = bin + 1
	return v
}

// Expected is what the bin would bring in normal times, from what is known now.
func (d *Detector) Expected(bin int64) float64 {
	c := d.clock
	return d.level() * d.profile.factor(c.at(bin*d.m.binSeconds, d.m.location))
}

// update is Update that also tells what was expected of the bin alone.
func (d *Detector) update(bin int64, y float64) (Verdict, float64) {
	if bin < d.next {
		return Verdict{}, 0
	}
	v, t, mu := d.judge(bin, y)
	d.learn(bin, t, y, mu, &v)
	return v, mu
}

// Peek judges bins that are not to be learned yet, the last of which may still
// be filling: counts of bin, bin+1, and so on. The verdict is that of the last.
func (d *Detector) Peek(bin int64, counts []float64) Verdict {
	scratch := *d
	var v Verdict
	for i, y := range counts {
		v = scratch.Hold(bin+int64(i), y)
	}
	return v
}

// judge puts the bin at the end of the span and tests every window. It moves
// nothing that is learned.
func (d *Detector) judge(bin int64, y float64) (Verdict, localTime, float64) {
	if d.next != 0 && bin > d.next {
		d.span.clear()
	}
	t := d.clock.at(bin*d.m.binSeconds, d.m.location)
	if hour := floorDiv(bin*d.m.binSeconds, 3600); hour != d.hourNow {
		d.hourNow = hour
		var parent *profile
		if d.parent != nil {
			parent = &d.parent.profile
		}
		d.profile.refresh(d.m.decayHour, parent)
	}
	mu := d.level() * d.profile.factor(t)
	d.span.push(y, mu)
	return d.scan(y, mu), t, mu
}

// level is the voices per bin of an average hour.
func (d *Detector) level() float64 { return (d.a + 0.5) / (d.b + 1) }

// warm tells whether the series was heard long enough.
func (d *Detector) warm() bool {
	return d.learned >= d.m.warmUp || d.voices >= busyVoices && d.learned >= d.m.warmUp/2
}

// scan finds the window in which the burst is clearest.
func (d *Detector) scan(y, mu float64) Verdict {
	best := -1
	var bestE float64
	for i, k := range windows {
		if d.span.filled < k {
			break
		}
		expected := d.span.sumMu[i]
		observed := d.span.sumY[i] + expected/float64(k)
		if observed < d.m.minVoices {
			continue
		}
		observed -= d.span.highest(k)
		phi := d.spread.of(i, expected)
		if excess := observed - expected; observed < d.m.minVoices || excess <= 0 || excess*excess <= phi*expected {
			continue
		}
		variance := phi*expected + expected*expected/(d.a+1)
		if e := tailExponent(observed, expected, variance); best < 0 || e > bestE {
			best, bestE = i, e
		}
	}
	v := Verdict{Warm: d.warm(), Window: d.m.width(1), Observed: y, Expected: mu}
	if best >= 0 {
		bins, observed, expected := d.span.onset(windows[best])
		v.Window, v.Observed, v.Expected = d.m.width(bins), observed, expected
		v.exponent, v.Surprise = bestE, d.tail.calibrate(bestE)
	}
	return v
}

func (m *model) width(bins int) time.Duration {
	return time.Duration(int64(bins)*m.binSeconds) * time.Second
}

// learn takes the bin into what is normal, unless a burst is on.
func (d *Detector) learn(bin int64, t localTime, y, mu float64, v *Verdict) {
	d.next = bin + 1
	if d.freeze(bin, v) {
		v.Frozen = true
		d.tail.drop()
		return
	}
	fast := bin < d.fastUntil
	bounded := y
	if d.learned >= d.m.winsorFrom && !fast {
		bounded = min(y, mu+3*math.Sqrt(d.spread.of(0, mu*float64(windows[0]))*mu+1))
	}
	decay := d.m.decayLevel
	if fast {
		decay = d.m.decayFast
	}
	d.a = decay*d.a + bounded
	d.b = decay*d.b + d.profile.factor(t)
	d.profile.add(t, bounded)
	d.spread.add(&d.span, d.m.decaySpread)
	if d.warm() {
		d.tail.add(bin, v.exponent, d.m.cluster)
	}
	d.learned++
	d.voices += bounded
}

// freeze decides whether learning is stopped at this bin.
func (d *Detector) freeze(bin int64, v *Verdict) bool {
	if !v.Warm || bin < d.fastUntil {
		return false
	}
	if v.Surprise >= freezeAt {
		if d.frozenFrom == 0 {
			d.frozenFrom = bin
		}
		d.frozenUntil = bin + d.m.freezeHold
	}
	if d.frozenFrom == 0 {
		return false
	}
	switch {
	case bin >= d.frozenFrom+d.m.freezeLimit:
		d.fastUntil = bin + d.m.fastFor
	case bin <= d.frozenUntil:
		return true
	}
	d.frozenFrom = 0
	return false
}
