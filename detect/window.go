package detect

// span is the recent past: the last bins with what was expected of each, and
// the sums over every window.
type span struct {
	y, mu  [maxWindow]float64
	sumY   [scales]float64
	sumMu  [scales]float64
	next   int // where the next bin goes
	filled int // bins present since the last gap
}

// push appends a bin.
func (s *span) push(y, mu float64) {
	for i, k := range windows {
		s.sumY[i] += y
		s.sumMu[i] += mu
		if s.filled >= k {
			old := s.at(k)
			s.sumY[i] -= s.y[old]
			s.sumMu[i] = max(s.sumMu[i]-s.mu[old], mu)
		}
	}
	s.y[s.next], s.mu[s.next] = y, mu
	s.next = (s.next + 1) % maxWindow
	s.filled = min(s.filled+1, maxWindow)
}

// at is the index of the bin that was pushed back bins ago; 1 is the last.
func (s *span) at(back int) int { return (s.next - back + maxWindow) % maxWindow }

// clear forgets every bin: what follows a gap is not next to what was before.
func (s *span) clear() { *s = span{} }

// highest is the largest count of the last k bins.
func (s *span) highest(k int) float64 {
	top := 0.0
	for back := 1; back <= k; back++ {
		top = max(top, s.y[s.at(back)])
	}
	return top
}

// onset finds where, in the last k bins, the excess began: the stretch up to now
// with the largest excess, of two bins at least.
func (s *span) onset(k int) (bins int, observed, expected float64) {
	y, mu := 0.0, 0.0
	for back := 1; back <= k; back++ {
		i := s.at(back)
		y, mu = y+s.y[i], mu+s.mu[i]
		if back == 2 || back > 2 && y-mu > observed-expected {
			bins, observed, expected = back, y, mu
		}
	}
	return bins, observed, expected
}
