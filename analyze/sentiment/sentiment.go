// Package sentiment says how the author of a text feels, by scorers that can be
// chosen by name. All of them read English; what they say of other languages
// means little, and the caller had better not ask.
//
// A scorer never fails: it reads a bounded part of a text of any content, and
// is neutral without confidence where there is nothing to judge by.
package sentiment

import (
	"fmt"
	"strings"
	"unicode"

	"outcry/post"
)

// Scorer scores texts. Implementations are safe for concurrent use.
type Scorer interface {
	Score(text string) post.Sentiment
}

// Default is the name of the scorer used where none is chosen.
const Default = "vader"

// Names gives the names that New accepts.
func Names() []string { return []string{"vader", "bayes"} }

// New makes the scorer of a name.
func New(name string) (Scorer, error) {
	switch name {
	case "vader":
		return newVader(), nil
	case "bayes":
		return newBayes()
	}
	return nil, fmt.Errorf("unknown scorer %q: choose one of %s", name, strings.Join(Names(), ", "))
}

// maxRunes bounds what is scored of a text: feelings show long before, and the
// cost of one hostile post stays at about a millisecond.
const maxRunes = 2000

// clean cuts a text to what is scored and puts single spaces between its words:
// both libraries split at the space alone.
func clean(text string) string {
	var b strings.Builder
	b.Grow(min(len(text), 4*maxRunes))
	gap, n := false, 0
	for _, r := range text {
		if n++; n > maxRunes {
			break
		}
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
