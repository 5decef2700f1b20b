package detect

import (
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// level is the surprise of one false alarm in ten weeks of minutes.
var level = math.Log10(10 * week)

// trained is a detector that has heard two weeks of a crowd, and a bit more so
// that tests begin at different hours.
func trained(c *crowd, extra int) (*Detector, int64) {
	d := NewDetector(DefaultParams(), nil)
	return d, c.feed(d, monday, 2*week+extra, nil)
}

func TestFalseAlarmsStayRare(t *testing.T) {
	const seeds, watched = 6, 3
	total, weeks := 0, 0
	for _, rate := range []float64{0.02, 0.1, 0.5, 2, 10, 50} {
		alarms := 0
		for seed := range uint64(seeds) {
			c := newCrowd(seed, rate)
			d, from := trained(c, 0)
			last := int64(0)
			c.feed(d, from, watched*week, func(bin int64, v Verdict) {
				if v.Surprise >= level {
					if bin > last+hour {
						alarms++
					}
					last = bin
				}
			})
		}
		if perWeek := float64(alarms) / (seeds * watched); perWeek > 0.2 {
			t.Errorf("%v voices a minute: %.2f false alarms per series-week, at most 0.2 allowed", rate, perWeek)
		}
		total, weeks = total+alarms, weeks+seeds*watched
	}
	if perWeek := float64(total) / float64(weeks); perWeek > 0.1 {
		t.Errorf("%.3f false alarms per series-week over all rates, nominal is 0.1", perWeek)
	}
	t.Logf("%d false alarms in %d series-weeks", total, weeks)
}

// delays gives for each seed how many bins a burst lasted before it was seen;
// limit where it was not.
func delays(rate, times, more float64, limit int) []int {
	var out []int
	for seed := range uint64(15) {
		c := newCrowd(seed+500, rate)
		d, from := trained(c, int(8*hour+seed*47)) // between 8 and 20 o'clock
		seen := limit
		for i := range limit {
			v := d.Update(from+int64(i), c.next(from+int64(i), times, more))
			if v.Surprise >= level {
				seen = i + 1
				break
			}
		}
		out = append(out, seen)
	}
	slices.Sort(out)
	return out
}

func TestBurstsAreSeenSoon(t *testing.T) {
	for _, c := range []struct {
		rate, times, more float64
		median, worst     int
	}{
		{0.5, 10, 0, 4, 12},
		{2, 10, 0, 3, 8},
		{10, 10, 0, 3, 8},
		{50, 10, 0, 3, 8},
		{2, 5, 0, 8, 40},
		{50, 5, 0, 6, 30},
		{0.02, 1, 1, 9, 30},
		{0.02, 1, 3, 4, 10},
	} {
		got := delays(c.rate, c.times, c.more, 60)
		median, worst := got[len(got)/2], got[len(got)-1]
		t.Logf("%v/min ×%v +%v: median %d min, slowest %d min", c.rate, c.times, c.more, median, worst)
		if median > c.median || worst > c.worst {
			t.Errorf("%v/min ×%v +%v: median %d min (at most %d), slowest %d min (at most %d)",
				c.rate, c.times, c.more, median, c.median, worst, c.worst)
		}
	}
}

// A series that bursts again and again must not learn that bursts are normal.
func TestBurstsDoNotMaskTheNext(t *testing.T) {
	caught := 0
	const seeds, bursts = 5, 7
	for seed := range uint64(seeds) {
		c := newCrowd(seed+900, 0.02)
		d, bin := trained(c, 0)
		for range bursts {
			bin = c.feed(d, bin, 3*day-2*hour+37, nil)
			seen := false
			for range 2 * hour {
				v := d.Update(bin, c.next(bin, 1, 3))
				seen = seen || v.Surprise >= level
				bin++
			}
			if seen {
				caught++
			}
		}
	}
	if caught < seeds*bursts {
		t.Errorf("%d of %d bursts were seen", caught, seeds*bursts)
	}
}

func TestLearningFreezesDuringABurst(t *testing.T) {
	c := newCrowd(3, 5)
	d, bin := trained(c, 12*hour)
	before := d.level()
	frozen := 0
	for range 2 * hour {
		if d.Update(bin, c.next(bin, 10, 0)).Frozen {
			frozen++
		}
		bin++
	}
	if frozen < 2*hour-10 {
		t.Errorf("frozen in %d of %d bins of the burst", frozen, 2*hour)
	}
	if after := d.level(); after > 1.2*before {
		t.Errorf("the level went from %.2f to %.2f during the burst", before, after)
	}
}

// What stays for more than half a day is the new normal.
func TestNewLevelIsAccepted(t *testing.T) {
	c := newCrowd(4, 3)
	d, bin := trained(c, 0)
	c.rate *= 8
	bin = c.feed(d, bin, 2*day, nil)
	alarms := 0
	c.feed(d, bin, day, func(_ int64, v Verdict) {
		if v.Surprise >= level {
			alarms++
		}
	})
	if alarms > 0 {
		t.Errorf("%d alarms on the third day of a new level", alarms)
	}
}

func TestOneBinAloneIsNoBurst(t *testing.T) {
	d := NewDetector(DefaultParams(), nil)
	bin := monday
	for range 2 * week {
		d.Update(bin, 0)
		bin++
	}
	if v := d.Peek(bin, []float64{500}); v.Surprise > 0 {
		t.Errorf("one bin of 500 has a surprise of %.1f", v.Surprise)
	}
}

func TestFewVoicesAreNoBurst(t *testing.T) {
	d := NewDetector(DefaultParams(), nil)
	bin := monday
	for range 2 * week {
		d.Update(bin, 0)
		bin++
	}
	if v := d.Peek(bin, []float64{1, 1, 1, 1}); v.Surprise > 0 {
		t.Errorf("four voices on a silent series have a surprise of %.1f", v.Surprise)
	}
	if v := d.Peek(bin, []float64{3, 3, 3}); v.Surprise < level {
		t.Errorf("nine voices in three minutes on a silent series have a surprise of only %.1f", v.Surprise)
	}
}

// A feed that has just been switched on is not a burst.
func TestNewSeriesIsNotJudged(t *testing.T) {
	c := newCrowd(5, 30)
	d := NewDetector(DefaultParams(), nil)
	for i := range int64(day - 1) {
		if v := d.Update(monday+i, c.next(monday+i, 1, 0)); v.Warm {
			t.Fatalf("judged after %d minutes", i)
		}
	}
	c.feed(d, monday+day-1, 3*day, func(bin int64, v Verdict) {
		if v.Surprise >= level && v.Warm {
			t.Errorf("alarm %d minutes after the start: %+v", bin-monday, v)
		}
	})
}

// Missing minutes teach nothing, and what follows them is no burst.
func TestGapIsNotSilence(t *testing.T) {
	c := newCrowd(6, 10)
	d, bin := trained(c, 9*hour)
	before := d.level()
	bin += 7 * hour
	v := d.Update(bin, c.next(bin, 1, 0))
	if v.Surprise > 0 || math.Abs(d.level()-before) > 0.1*before {
		t.Errorf("after a gap: surprise %.1f, level %.2f, before %.2f", v.Surprise, d.level(), before)
	}
	silent, end := trained(newCrowd(6, 10), 9*hour)
	for range 7 * hour {
		silent.Update(end, 0)
		end++
	}
	if silent.level() > 0.8*before {
		t.Error("seven hours of real silence should have lowered the level")
	}
}

// The rhythm follows the clock on the wall, so the night on which it is put
// back or forward raises nothing.
func TestDaylightSaving(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zone database here: %v", err)
	}
	p := DefaultParams()
	p.Location = berlin
	change := time.Date(2024, 3, 31, 1, 0, 0, 0, time.UTC).Unix() / 60 // 02:00 becomes 03:00
	d := NewDetector(p, nil)
	start := change - 3*week
	var expected []float64
	for bin := start; bin < change+2*day; bin++ {
		local := time.Unix(bin*60, 0).In(berlin)
		minute := float64(local.Hour()*hour + local.Minute())
		y := math.Round(30 - 25*math.Cos(2*math.Pi*(minute-3*hour)/day))
		v, mu := d.update(bin, y)
		if bin > change {
			expected = append(expected, mu)
			if v.Surprise >= level {
				t.Fatalf("alarm at %s", local)
			}
		}
	}
	for _, at := range []int{3, 9, 15, 21} { // on the wall
		minute := int(time.Date(2024, 4, 1, at-2, 0, 0, 0, time.UTC).Unix()/60 - change - 1)
		want := 30 - 25*math.Cos(2*math.Pi*float64(at-3)/24)
		if got := expected[minute]; math.Abs(got-want) > 0.1*want+1 {
			t.Errorf("the day after the change, %d o'clock: expected %.1f, usual is %.1f", at, got, want)
		}
	}
}

func TestSameHistorySameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.Uint8(), 1, 3000).Draw(t, "counts")
		step := rapid.Int64Range(1, 400).Draw(t, "gap")
		feed := func(peek bool) *Detector {
			parent := NewDetector(DefaultParams(), nil)
			d := NewDetector(DefaultParams(), parent)
			bin := monday
			for i, y := range counts {
				if i%1000 == 999 {
					bin += step
				}
				if peek {
					d.Peek(bin, []float64{float64(y), 7})
				}
				parent.Update(bin, float64(y)*2)
				d.Update(bin, float64(y))
				bin++
			}
			return d
		}
		if a, b := feed(false), feed(true); !reflect.DeepEqual(a, b) {
			t.Fatal("the same bins gave another state")
		}
	})
}

// Peek says what Update is about to say.
func TestPeekForetellsUpdate(t *testing.T) {
	c := newCrowd(8, 4)
	d, bin := trained(c, 10*hour)
	recent := []float64{c.next(bin, 6, 0), c.next(bin+1, 6, 0), c.next(bin+2, 6, 0)}
	ahead := d.Peek(bin, recent)
	d.Update(bin, recent[0])
	if one := d.Peek(bin+1, recent[1:]); one.Window != ahead.Window || one.Observed != ahead.Observed {
		t.Errorf("with one bin learned %+v, with none %+v", one, ahead)
	}
	if d.Next() != bin+1 {
		t.Errorf("peeking moved the detector to bin %d", d.Next())
	}
}

// The window of a verdict is the time since the burst began.
func TestWindowBeginsWithTheBurst(t *testing.T) {
	d := NewDetector(DefaultParams(), nil)
	bin := monday
	for range 2 * week {
		d.Update(bin, float64(1+bin%3))
		bin++
	}
	for i := range 10 {
		v := d.Update(bin, 30)
		want := time.Duration(i+1) * time.Minute
		if i >= 2 && (v.Window < want || v.Window > want+4*time.Minute || v.Observed < 30*float64(i+1) || v.Expected > 3*float64(i+5)) {
			t.Errorf("minute %d of a burst: %+v", i+1, v)
		}
		bin++
	}
}

// A held bin is judged like any other and teaches nothing.
func TestHoldDoesNotLearn(t *testing.T) {
	c := newCrowd(13, 4)
	d, bin := trained(c, 10*hour)
	before := *d
	var v Verdict
	for range 20 {
		v = d.Hold(bin, 60)
		bin++
	}
	if v.Surprise < level || d.Next() != bin {
		t.Errorf("a burst in held bins has a surprise of %.1f, next bin %d", v.Surprise, d.Next()-bin)
	}
	if d.a != before.a || d.b != before.b || d.voices != before.voices || d.learned != before.learned {
		t.Error("a held bin was learned")
	}
	if e := before.Expected(before.next); math.Abs(e-before.level()*before.profile.factor(before.clock.at(before.next*60, time.UTC))) > 1e-12 || e <= 0 {
		t.Errorf("expected %v", e)
	}
}

func TestLateBinIsIgnored(t *testing.T) {
	d, bin := trained(newCrowd(9, 4), 0)
	before := *d
	if v := d.Update(bin-5, 1e6); v != (Verdict{}) || !reflect.DeepEqual(before, *d) {
		t.Errorf("a bin before Next changed the detector, verdict %+v", v)
	}
}

// A part inherits the rhythm of the whole, so its first nights and mornings are
// expected.
func TestChildBorrowsRhythm(t *testing.T) {
	parentCrowd := newCrowd(10, 20)
	parent, bin := trained(parentCrowd, 0)
	child := NewDetector(DefaultParams(), parent)
	crowd := newCrowd(11, 0.2)
	for range 2 * day {
		parent.Update(bin, parentCrowd.next(bin, 1, 0))
		child.Update(bin, crowd.next(bin, 1, 0))
		bin++
	}
	night := child.profile.factor(localTime{secondOfDay: 3 * 3600, day: 3})
	noon := child.profile.factor(localTime{secondOfDay: 15 * 3600, day: 3})
	if night > 0.5*noon {
		t.Errorf("a child of two days expects %.2f at night and %.2f in the afternoon", night, noon)
	}
}

func TestStateIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Detector{}); size > 1600 {
		t.Errorf("a detector takes %d bytes, at most 1600 are promised", size)
	}
}

// Whatever is counted, verdicts and bands are numbers.
func TestVerdictsAreNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewDetector(DefaultParams(), nil)
		bin := rapid.Int64Range(-1e6, 1e8).Draw(t, "bin")
		for range rapid.IntRange(1, 4).Draw(t, "phases") {
			y := math.Exp(rapid.Float64Range(-2, 17).Draw(t, "log count"))
			n := rapid.IntRange(1, 4*day).Draw(t, "bins")
			for i := range n {
				v := d.Update(bin, math.Floor(y*float64(i%3)))
				if bad(v.Surprise) || bad(v.Expected) || v.Surprise > mostSurprise {
					t.Fatalf("bin %d of %v: %+v", i, y, v)
				}
				bin++
			}
			if b := d.Band(1, level); bad(b.Expected) || bad(b.Upper) || b.Upper < b.Expected {
				t.Fatalf("band %+v", b)
			}
			bin += rapid.Int64Range(0, 100).Draw(t, "gap")
		}
	})
}

func bad(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) || x < 0 }

func TestBandHoldsNormalTimes(t *testing.T) {
	c := newCrowd(12, 8)
	counts := make([]float64, 3*week)
	for i := range counts {
		counts[i] = c.next(monday+int64(i), 1, 0)
	}
	for _, step := range []int{1, 5, 60} {
		from := monday + 2*week
		above, sumExpected, sumCounted := 0, 0.0, 0.0
		bands := Bands(DefaultParams(), monday, counts, from, step, level)
		for i, b := range bands {
			y := 0.0
			for k := range step {
				y += counts[2*week+i*step+k]
			}
			if y > b.Upper {
				above++
			}
			sumExpected, sumCounted = sumExpected+b.Expected, sumCounted+y
		}
		if len(bands) != week/step || above > 1 {
			t.Errorf("step %d: %d bands, %d counts above the band", step, len(bands), above)
		}
		if r := sumExpected / sumCounted; r < 0.85 || r > 1.15 {
			t.Errorf("step %d: expected %.2f of what came", step, r)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, bc := range []struct {
		name string
		rate float64
	}{{"silent", 0.02}, {"quiet", 2}, {"busy", 50}} {
		b.Run(bc.name, func(b *testing.B) {
			c := newCrowd(1, bc.rate)
			counts := make([]float64, week)
			for i := range counts {
				counts[i] = c.next(monday+int64(i), 1, 0)
			}
			d := NewDetector(DefaultParams(), nil)
			i := int64(0)
			for b.Loop() {
				d.Update(monday+i, counts[i%week])
				i++
			}
		})
	}
}

// Voices on both sides of a gap are not one burst.
func TestGapSeparatesWindows(t *testing.T) {
	d := NewDetector(DefaultParams(), nil)
	bin := monday
	for range 2 * week {
		d.Update(bin, 0)
		bin++
	}
	together := *d
	together.Update(bin, 6)
	if v := together.Update(bin+1, 6); v.Surprise < level {
		t.Errorf("twelve voices in two minutes have a surprise of only %.1f", v.Surprise)
	}
	d.Update(bin, 6)
	if v := d.Update(bin+600, 6); v.Surprise > 0 {
		t.Errorf("six voices before and six after a gap have a surprise of %.1f", v.Surprise)
	}
}
