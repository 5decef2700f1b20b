package detect

// spread is how much the counts of a series scatter around their expectation,
// for each window: 1 is a Poisson series, posts that provoke posts make it
// larger. Discounted with a half-life of a week.
type spread struct {
	squares [scales]float64 // Σ (Y−M)²/k
	mass    [scales]float64 // Σ M/k
	weight  float64         // Σ 1
}

// of gives the dispersion of window i when so much is expected in it. Beyond the
// average it grows with what is expected, as far as it was learned: of a series
// that is nearly silent the average says nothing.
func (s *spread) of(i int, expected float64) float64 {
	phi := (s.squares[i] + dispersionWeight*dispersionPrior) / (s.mass[i] + dispersionWeight)
	if average := s.mass[i] * float64(windows[i]); expected*s.weight > average && average > 0 {
		known := s.mass[i] / (s.mass[i] + dispersionWeight)
		phi = 1 + (phi-1)*(1+known*(expected*s.weight/average-1))
	}
	return max(phi, dispersionFloor)
}

// add learns the windows that end with the last bin. One residual is bounded,
// so that a single odd hour does not make the series look wild for a week.
func (s *spread) add(recent *span, decay float64) {
	s.weight = decay*s.weight + 1
	for i, k := range windows {
		if recent.filled < k {
			s.squares[i] *= decay
			s.mass[i] *= decay
			continue
		}
		expected := recent.sumMu[i]
		residual := recent.sumY[i] - expected
		square := min(residual*residual, 12*s.of(i, expected)*expected+1)
		s.squares[i] = decay*s.squares[i] + square/float64(k)
		s.mass[i] = decay*s.mass[i] + expected/float64(k)
	}
}
