package alert

import (
	"reflect"
	"testing"
	"time"

	"outcry/detect"
	"outcry/post"
)

// never holds nothing.
func never(int64) bool { return false }

// reading is a tracker that is fed minutes by hand.
type reading struct {
	*tracker
	rows map[int64]map[post.Series]uint64 // minute → authors
}

func newReading(from time.Time) *reading {
	r := &reading{tracker: newTracker(detect.DefaultParams(), 100, []post.Dimensions{{Issue: true}}), rows: map[int64]map[post.Series]uint64{}}
	r.next = minuteOf(from)
	return r
}

func (r *reading) put(minute int64, s post.Series, authors uint64) {
	if r.rows[minute] == nil {
		r.rows[minute] = map[post.Series]uint64{}
	}
	r.rows[minute][s] = authors
}

// to reads and learns up to a minute, in readings of so many minutes.
func (r *reading) to(end, width int64) {
	for to := r.next; to < end; {
		to = min(max(to, r.next)+width, end)
		minutes := int(to - r.next)
		r.begin(minutes)
		for _, set := range r.sets {
			for m := r.next; m < to; m++ {
				for s, n := range r.rows[m] {
					if (s.Issue != "") == set.by.Issue {
						r.count(set, post.Point{Series: s, Minute: timeOf(m), Authors: n}, minutes)
					}
				}
			}
		}
		r.learn(to, never)
	}
}

// steady fills a stretch with an agency and one of its issues.
func (r *reading) steady(from, to int64) {
	for m := from; m < to; m++ {
		r.put(m, post.Series{Agency: "tax"}, uint64(1+m%3))
		if m%7 == 3 {
			r.put(m, post.Series{Agency: "tax", Issue: "down"}, 1)
		}
	}
}

// Silence everywhere at once, where much is expected, is not heard: it teaches
// nothing.
func TestSilenceEverywhereIsAGap(t *testing.T) {
	start := minuteOf(noon)
	r := newReading(noon)
	r.steady(start, start+4*1440)
	r.to(start+4*1440, 500)
	d := r.agencies.order[0].detector
	before, expected := d.Learned(), d.Expected(d.Next())
	r.to(start+4*1440+600, 7)
	if d.Learned() != before {
		t.Errorf("%d minutes of silence were learned", d.Learned()-before)
	}
	r.steady(start+4*1440+600, start+4*1440+700)
	r.to(start+4*1440+700, 7)
	if d.Learned() != before+100 {
		t.Errorf("%d minutes were learned after the gap, want 100", d.Learned()-before)
	}
	if e := d.Expected(d.Next()); e < 0.8*expected {
		t.Errorf("after the gap %.2f are expected, before it %.2f", e, expected)
	}
}

// Silence where little is expected is silence.
func TestSilenceOfTheQuietIsLearned(t *testing.T) {
	start := minuteOf(noon)
	r := newReading(noon)
	for m := start; m < start+3*1440; m += 120 {
		r.put(m, post.Series{Agency: "tax"}, 1)
	}
	r.to(start+3*1440, 300)
	if n := r.agencies.order[0].detector.Learned(); n < 3*1440-gapMinutes-1 {
		t.Errorf("%d of %d minutes were learned", n, 3*1440)
	}
}

// A part of an agency that is first heard of in the midst was silent before;
// and the width of the readings makes no difference.
func TestReadingsOfAnyWidthAreAlike(t *testing.T) {
	start := minuteOf(noon)
	var trackers []*reading
	for _, width := range []int64{1, 61, 2880} {
		r := newReading(noon)
		r.steady(start+300, start+2*1440)
		for m := start + 1440; m < start+1500; m++ {
			r.put(m, post.Series{Agency: "tax", Issue: "slow"}, 2)
		}
		r.to(start+2*1440, width)
		trackers = append(trackers, r)
	}
	slow := trackers[0].set(post.Dimensions{Issue: true}).series[post.Series{Agency: "tax", Issue: "slow"}].detector
	if slow.Learned() < 2*1440-301 || slow.Expected(slow.Next()) > 0.5 {
		t.Errorf("%d minutes learned, %.2f expected", slow.Learned(), slow.Expected(slow.Next()))
	}
	for _, other := range trackers[1:] {
		for i, set := range trackers[0].sets {
			for s, tr := range set.series {
				if o := other.sets[i].series[s]; o == nil || !reflect.DeepEqual(tr.detector, o.detector) {
					t.Errorf("%+v differs by the width of the readings", s)
				}
			}
		}
	}
}
