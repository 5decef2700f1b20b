package sentiment

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/cdipaolo/sentiment"

	"outcry/post"
)

// bayes scores by cdipaolo/sentiment, a naive Bayes classifier of film reviews
// that knows two classes only. It is kept as the baseline that better scorers
// are measured against.
type bayes struct {
	models sentiment.Models // read only after it is restored
}

func newBayes() (*bayes, error) {
	models, err := sentiment.Restore()
	if err != nil {
		return nil, fmt.Errorf("restore the model of scorer bayes: %w", err)
	}
	return &bayes{models: models}, nil
}

// How often each class was right on development tweets (TweetEval validation).
// The classifier's own probability is no measure: it multiplies hundreds of
// small numbers and is near 0 or 1 whether right or wrong.
const (
	bayesPositive = 0.46
	bayesNegative = 0.25
)

// Score implements Scorer.
func (b *bayes) Score(text string) post.Sentiment {
	s := post.Sentiment{Label: post.Neutral, Scorer: "bayes-1"}
	text = clean(text)
	if !strings.ContainsFunc(text, unicode.IsLetter) {
		return s // the classifier reads letters only and would answer by its prior
	}
	if b.models[sentiment.English].Predict(text) == 1 {
		s.Label, s.Score, s.Confidence = post.Positive, bayesPositive, bayesPositive
	} else {
		s.Label, s.Score, s.Confidence = post.Negative, -bayesNegative, bayesNegative
	}
	return s
}
