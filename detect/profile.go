package detect

// profile is the rhythm of a series: how much louder than its average each hour
// of the day and each day of the week is.
//
// A factor is the mean count of its hour over the mean of all hours, shrunk to
// the parent's factor by as many voices as the prior is worth. Both are kept as
// discounted sums with a half-life of three weeks.
type profile struct {
	hourVoices, hourBins [24]float64 // bins are weighted by the factor of their day, and the other way round
	dayVoices, dayBins   [7]float64
	hour                 [24]float64 // the factors as of the start of the current hour
	day                  [7]float64
}

func newProfile() profile {
	var p profile
	for i := range p.hour {
		p.hour[i] = 1
	}
	for i := range p.day {
		p.day[i] = 1
	}
	return p
}

// factor gives the rhythm at a moment, interpolated between the centres of the
// hours so that the expectation has no steps.
func (p *profile) factor(t localTime) float64 {
	at := float64(t.secondOfDay)/3600 - 0.5
	from := int(at+24) - 24 // floor, for at ≥ −24
	share := at - float64(from)
	return p.day[t.day] * (p.hour[(from+24)%24]*(1-share) + p.hour[(from+25)%24]*share)
}

// add learns a count.
func (p *profile) add(t localTime, y float64) {
	h := t.secondOfDay / 3600
	p.hourVoices[h] += y
	p.hourBins[h] += p.day[t.day]
	p.dayVoices[t.day] += y
	p.dayBins[t.day] += p.hour[h]
}

// refresh discounts the sums and recomputes the factors; once an hour.
func (p *profile) refresh(decay float64, parent *profile) {
	hourMean := mean(p.hourVoices[:], p.hourBins[:])
	dayMean := mean(p.dayVoices[:], p.dayBins[:])
	for i := range p.hour {
		prior := 1.0
		if parent != nil {
			prior = parent.hour[i]
		}
		p.hour[i] = (p.hourVoices[i] + profileWeight*prior) / (hourMean*p.hourBins[i] + profileWeight)
		p.hourVoices[i] *= decay
		p.hourBins[i] *= decay
	}
	for i := range p.day {
		prior := 1.0
		if parent != nil {
			prior = parent.day[i]
		}
		p.day[i] = (p.dayVoices[i] + 4*profileWeight*prior) / (dayMean*p.dayBins[i] + 4*profileWeight)
		p.dayVoices[i] *= decay
		p.dayBins[i] *= decay
	}
}

// mean is the average over the slots that were heard, each counted once: a
// night heard twice as long as a day must not pull the average down.
func mean(voices, bins []float64) float64 {
	sum, n := 0.0, 0.0
	for i, b := range bins {
		if b > 0 {
			sum += voices[i] / b
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}
