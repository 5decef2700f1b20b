package alert

import (
	"cmp"
	"slices"
	"time"

	"outcry/detect"
	"outcry/post"
)

// tracker follows every series that rules look at, one minute at a time. It
// does no I/O and reads no clock.
type tracker struct {
	params   detect.Params
	most     int // series of one breakdown
	sets     []*seriesSet
	next     int64 // the first minute that is not decided yet
	silent   bool  // in a stretch of silence that was recognised as a gap
	refused  int   // points of series over the limit, since the last call of counted
	agencies *seriesSet
}

// seriesSet is the series of one breakdown.
type seriesSet struct {
	by     post.Dimensions
	series map[post.Series]*tracked
	order  []*tracked // in the order of their appearance
	depth  int        // dimensions besides the agency
}

// tracked is one series.
type tracked struct {
	series   post.Series
	parent   *tracked // the agency, for a part of it
	detector *detect.Detector
	from     int64          // the first minute of the present reading
	counts   []float64      // of the present reading, from from on
	verdict  detect.Verdict // as of the last look
	end      int64          // the minute after the last one of the verdict
}

// newTracker watches the breakdowns, and always the agencies as a whole: they
// lend the others their rhythm.
func newTracker(params detect.Params, most int, breakdowns []post.Dimensions) *tracker {
	t := &tracker{params: params, most: most}
	for _, by := range append([]post.Dimensions{{}}, breakdowns...) {
		if t.set(by) != nil {
			continue
		}
		s := &seriesSet{by: by, series: map[post.Series]*tracked{}}
		for _, on := range []bool{by.Issue, by.TouchPoint, by.Platform, by.Language} {
			if on {
				s.depth++
			}
		}
		t.sets = append(t.sets, s)
	}
	// Parents come first: a detector may look at its parent.
	slices.SortStableFunc(t.sets, func(a, b *seriesSet) int { return cmp.Compare(a.depth, b.depth) })
	t.agencies = t.sets[0]
	return t
}

// set gives the series of a breakdown; nil if it is not watched.
func (t *tracker) set(by post.Dimensions) *seriesSet {
	for _, s := range t.sets {
		if s.by == by {
			return s
		}
	}
	return nil
}

// size is the number of series.
func (t *tracker) size() int {
	n := 0
	for _, s := range t.sets {
		n += len(s.order)
	}
	return n
}

// begin starts a reading of the minutes from t.next to the end of a query.
func (t *tracker) begin(minutes int) {
	for _, s := range t.sets {
		for _, tr := range s.order {
			tr.reset(t.next, minutes)
		}
	}
}

func (tr *tracked) reset(from int64, minutes int) {
	tr.from = from
	tr.counts = slices.Grow(tr.counts[:0], minutes)[:minutes]
	clear(tr.counts)
}

// count takes one point of the reading that begin started.
func (t *tracker) count(s *seriesSet, p post.Point, minutes int) {
	at := minuteOf(p.Minute) - t.next
	if at < 0 || at >= int64(minutes) || p.Agency == "" {
		return
	}
	tr := s.series[p.Series]
	if tr == nil {
		if len(s.order) >= t.most {
			t.refused++
			return
		}
		tr = t.start(s, p.Series)
		tr.reset(t.next, minutes)
	}
	tr.counts[at] += float64(p.Authors)
}

// start begins to watch a series. A part of an agency was silent as long as the
// agency has been heard; an agency itself is new.
func (t *tracker) start(s *seriesSet, series post.Series) *tracked {
	tr := &tracked{series: series}
	var whole *detect.Detector
	if s != t.agencies {
		if tr.parent = t.agencies.series[post.Series{Agency: series.Agency}]; tr.parent != nil {
			whole = tr.parent.detector
		}
	}
	tr.detector = detect.NewDetector(t.params, whole)
	if whole != nil {
		for m := whole.Next() - whole.Learned(); m < whole.Next(); m++ {
			tr.detector.Update(m, 0)
		}
	}
	s.series[series] = tr
	s.order = append(s.order, tr)
	return tr
}

const (
	gapVoices  = 15.0 // voices expected while nothing at all was heard that make a silence a gap: one in three million
	gapKnown   = 1440 // an agency heard for less says nothing about silence
	gapMinutes = 60   // a silence this long that was not recognised as a gap is believed
)

// learn takes the minutes of the reading before end into the detectors. A
// minute is held (judged but not learned) where held says so. Minutes of
// silence in every agency at once are decided later: they are zeros, or a gap.
func (t *tracker) learn(end int64, held func(minute int64) bool) {
	expected := 0.0
	for m := t.next; m < end; m++ {
		if t.heard(m) {
			t.feed(m+1, held)
			t.silent = false
			expected = 0
			continue
		}
		if t.silent {
			t.next = m + 1
			continue
		}
		for _, tr := range t.agencies.order {
			if tr.detector.Learned() >= gapKnown {
				expected += tr.detector.Expected(m)
			}
		}
		switch {
		case expected >= gapVoices:
			t.silent = true
			t.next = m + 1
		case m+1-t.next >= gapMinutes:
			t.feed(m+1, held)
			expected = 0
		}
	}
}

// heard tells whether anything was counted in a minute of the reading.
func (t *tracker) heard(m int64) bool {
	for _, tr := range t.agencies.order {
		if tr.counts[m-tr.from] > 0 {
			return true
		}
	}
	return false
}

// feed gives the minutes from t.next to end to every detector.
func (t *tracker) feed(end int64, held func(int64) bool) {
	for ; t.next < end; t.next++ {
		hold := held(t.next)
		for _, s := range t.sets {
			for _, tr := range s.order {
				y := tr.counts[t.next-tr.from]
				switch {
				case y == 0 && !tr.begun():
				case hold:
					tr.detector.Hold(t.next, y)
				default:
					tr.detector.Update(t.next, y)
				}
			}
		}
	}
}

// begun tells whether the agency of the series has been heard of: with the first
// thing said of it the agency and all its parts begin.
func (tr *tracked) begun() bool {
	return tr.detector.Next() != 0 || tr.parent != nil && tr.parent.detector.Next() != 0
}

// look judges what is not learned yet: the minutes before closed, and with the
// running minute, which only adds voices. The more surprising of both counts.
func (t *tracker) look(closed int64) {
	for _, s := range t.sets {
		for _, tr := range s.order {
			recent := tr.counts[min(t.next-tr.from, int64(len(tr.counts))):]
			n := min(max(closed-t.next, 0), int64(len(recent)))
			tr.verdict, tr.end = tr.detector.Peek(t.next, recent[:n]), t.next+n
			for i := n; i < int64(len(recent)); i++ {
				if v := tr.detector.Peek(t.next, recent[:i+1]); v.Surprise > tr.verdict.Surprise || i == 0 {
					tr.verdict, tr.end = v, t.next+i+1
				}
			}
		}
	}
}

// counted gives how many points were refused because of the limit, and starts
// to count anew.
func (t *tracker) counted() int {
	n := t.refused
	t.refused = 0
	return n
}

// since is when the burst of the verdict began, as far as its window tells.
func (tr *tracked) since() time.Time { return timeOf(tr.end).Add(-tr.verdict.Window) }

func minuteOf(t time.Time) int64 { return t.Unix() / 60 }
func timeOf(m int64) time.Time   { return time.Unix(m*60, 0).UTC() }
