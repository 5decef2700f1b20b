package detect

// Band is what normal times bring: what is expected, and the least count that
// would be as surprising as the level asked for.
type Band struct {
	Expected float64
	Upper    float64
}

// Band gives the band of the sum of the bins that come next, for a surprise of
// level. It describes a single span on a chart; a burst is looked for over
// several windows at once, so an alert may begin below Upper.
func (d *Detector) Band(bins int, level float64) Band {
	if d.next == 0 || bins < 1 {
		return Band{}
	}
	scratch := *d
	expected := 0.0
	for i := range int64(bins) {
		t := scratch.clock.at((d.next+i)*d.m.binSeconds, d.m.location)
		expected += scratch.level() * scratch.profile.factor(t)
	}
	scale := 0
	for scale < scales-1 && windows[scale] < bins {
		scale++
	}
	share := expected * float64(windows[scale]) / float64(bins)
	variance := d.spread.of(scale, share)*expected + expected*expected/(d.a+1)
	target := d.tail.raw(level)

	low, high := expected, expected+1
	for tailExponent(high, expected, variance) < target {
		low, high = high, 2*high
	}
	for range 40 {
		if middle := (low + high) / 2; tailExponent(middle, expected, variance) < target {
			low = middle
		} else {
			high = middle
		}
	}
	return Band{Expected: expected, Upper: max(high, d.m.minVoices)}
}

// Bands feeds counts, which begin at bin first, to a new detector and returns
// the band of every step of bins from the bin from on, the last one complete
// even where counts end within it. Each band knows only of earlier counts.
func Bands(p Params, first int64, counts []float64, from int64, step int, level float64) []Band {
	if step < 1 {
		return nil
	}
	d := NewDetector(p, nil)
	var bands []Band
	for i, y := range counts {
		bin := first + int64(i)
		if bin >= from && (bin-from)%int64(step) == 0 {
			bands = append(bands, d.Band(step, level))
		}
		d.Update(bin, y)
	}
	return bands
}
