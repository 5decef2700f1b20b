// Package issue recognises, by phrases that a person can read and change, that
// the author of a text complains of a service, what fails, and where they meet
// the failure.
//
// It is a first estimate. Phrases see what is said, not what is meant: irony,
// quotation and hearsay count like the real thing, and a way to complain that
// nobody has written down is not heard. Whoever alerts on its labels looks at
// many posts, where single mistakes cancel out.
package issue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"outcry/match"
	"outcry/post"
)

// Classifier recognises complaints, issues and touch points. It is safe for
// concurrent use.
type Classifier struct {
	set      *match.Set
	targets  []target // by query of set: what a match of it counts for
	issues   []string
	points   []string
	matchers sync.Pool // of *reader
}

// target is what the match of a query counts for.
type target struct {
	kind      kind
	index     int32    // of the issue or touch point
	languages []string // of the wording
}

// counts tells whether the wording counts in a text of the given language.
func (t *target) counts(language string) bool {
	return language == "" || language == undetermined || slices.Contains(t.languages, language) || slices.Contains(t.languages, borrowed)
}

const (
	borrowed     = "en"  // the language whose wordings count everywhere
	undetermined = "und" // the language of a text that does not tell
)

type kind uint8

const (
	kindFor kind = iota
	kindAgainst
	kindIssue
	kindTouchPoint
)

// reader is what one classification works with.
type reader struct {
	matcher *match.Matcher
	issues  []int // by issue: wordings found
	points  []int
}

// Result is what was recognised in a text.
type Result struct {
	Complaint   float32      // how likely the author complains, 0 to 1
	Issues      []post.Label // strongest first; empty where it is no complaint
	TouchPoints []post.Label // likewise
}

// ComplaintThreshold is the complaint score from which issues are reported.
const ComplaintThreshold = 0.5

// New compiles a configuration.
func New(cfg Config) (*Classifier, error) {
	c := &Classifier{}
	var queries []match.Query
	add := func(w Wording, name string, t target) {
		seen := make(map[string]int) // languages share wordings; one must not count twice
		for _, l := range w.all() {
			folded := strings.ToLower(l.query)
			i, ok := seen[folded]
			if !ok {
				i = len(c.targets)
				seen[folded] = i
				queries = append(queries, match.Query{ID: name + "." + l.key, Text: l.query})
				c.targets = append(c.targets, t)
			}
			c.targets[i].languages = append(c.targets[i].languages, l.language)
		}
	}
	add(cfg.Complaint.For, "complaint.for", target{kind: kindFor})
	add(cfg.Complaint.Against, "complaint.against", target{kind: kindAgainst})
	for i, e := range cfg.Issues {
		c.issues = append(c.issues, e.ID)
		add(e.Wording, e.ID, target{kind: kindIssue, index: int32(i)})
	}
	for i, e := range cfg.TouchPoints {
		c.points = append(c.points, e.ID)
		add(e.Wording, e.ID, target{kind: kindTouchPoint, index: int32(i)})
	}
	set, err := match.Compile(queries)
	if err != nil {
		return nil, fmt.Errorf("compile issue phrases: %w", err)
	}
	c.set = set
	c.matchers.New = func() any {
		return &reader{matcher: set.NewMatcher(), issues: make([]int, len(c.issues)), points: make([]int, len(c.points))}
	}
	return c, nil
}

// Classify reads a text in a language (ISO 639-1, or "und") whose author feels
// as sentiment says.
func (c *Classifier) Classify(text, language string, sentiment post.Sentiment) Result {
	r := c.matchers.Get().(*reader)
	defer c.matchers.Put(r)
	s := c.read(r, text, language)
	s.feeling = sentiment.Score
	result := Result{Complaint: s.complaint()}
	if result.Complaint < ComplaintThreshold {
		return result
	}
	result.Issues = labels(c.issues, r.issues)
	result.TouchPoints = labels(c.points, r.points)
	return result
}

// read counts the wordings found in a text.
func (c *Classifier) read(r *reader, text, language string) signs {
	clear(r.issues)
	clear(r.points)
	var s signs
	for _, q := range r.matcher.Match(&match.Doc{Text: text}) {
		t := &c.targets[q]
		if !t.counts(language) {
			continue
		}
		switch t.kind {
		case kindFor:
			s.complaining++
		case kindAgainst:
			s.content++
		case kindIssue:
			s.failing++
			r.issues[t.index]++
		default:
			r.points[t.index]++
		}
	}
	return s
}

// labels gives the entries that were found, strongest first.
func labels(ids []string, found []int) []post.Label {
	var out []post.Label
	for i, n := range found {
		if n > 0 {
			out = append(out, post.Label{ID: ids[i], Score: strength(n)})
		}
	}
	slices.SortStableFunc(out, func(a, b post.Label) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// strength is how sure n wordings make of a label: each further one halves the
// remaining doubt.
func strength(n int) float32 {
	doubt := float32(0.4)
	for ; n > 1 && doubt > 0.02; n-- {
		doubt /= 2
	}
	return 1 - doubt
}

// Reason is a place in a text where a wording was found, and what it counts for.
type Reason struct {
	For     string `json:"for"`     // "complaint", "no complaint", or the id of an issue or touch point
	Wording string `json:"wording"` // as issues.yaml has it, in the query language
	Start   int    `json:"start"`   // byte offsets into the text
	End     int    `json:"end"`
}

// Explain gives every place in text where a wording was found that counts in
// its language, also where the text as a whole does not read like a complaint.
func (c *Classifier) Explain(text, language string) []Reason {
	r := c.matchers.Get().(*reader)
	defer c.matchers.Put(r)
	var reasons []Reason
	for _, h := range r.matcher.Explain(&match.Doc{Text: text}) {
		if !c.targets[h.Query].counts(language) {
			continue
		}
		reasons = append(reasons, Reason{For: c.describe(&c.targets[h.Query]), Wording: h.Term, Start: h.Start, End: h.End})
	}
	return reasons
}

func (c *Classifier) describe(t *target) string {
	switch t.kind {
	case kindFor:
		return "complaint"
	case kindAgainst:
		return "no complaint"
	case kindIssue:
		return c.issues[t.index]
	}
	return c.points[t.index]
}
