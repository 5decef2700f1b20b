package issue

import "math"

// signs is what speaks for and against a complaint in one text.
type signs struct {
	complaining int     // wordings of complaint
	content     int     // wordings of contentment, apology and news
	failing     int     // wordings of any issue
	feeling     float32 // sentiment, −1 to 1
}

// Weights of the signs, fitted by logistic regression on labelled complaints
// and rounded; the bias is lower than fitted, since most posts about an agency
// are news, opinion and talk, and feeling alone must not make a complaint.
const (
	bias              = -0.8
	weightComplaining = 1.8
	weightContent     = -0.5
	weightFailing     = 1.6
	weightFeeling     = -1.0
)

// complaint estimates how likely the text is a complaint.
func (s signs) complaint() float32 {
	z := bias + weightComplaining*saturate(s.complaining) + weightContent*saturate(s.content) +
		weightFailing*saturate(s.failing) + weightFeeling*float64(s.feeling)
	return float32(1 / (1 + math.Exp(-z)))
}

// saturate counts the first wording whole and each further one half, up to 2.
func saturate(n int) float64 {
	switch n {
	case 0:
		return 0
	case 1:
		return 1
	case 2:
		return 1.5
	}
	return 2
}
