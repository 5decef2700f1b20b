package evaluate

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"outcry/post"
)

// result is the judgement of one row where each row has one label.
type result struct {
	want, got  string
	confidence float64
}

// tally counts the outcomes of one label.
type tally struct{ both, wanted, given int }

func (t tally) class() Class {
	c := Class{N: t.wanted, Precision: ratio(t.both, t.given), Recall: ratio(t.both, t.wanted)}
	c.F1 = f1(t)
	return c
}

// f1 is the harmonic mean of precision and recall, 0 where there is neither.
func f1(t tally) float64 { return ratio(2*t.both, t.wanted+t.given) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// singleLabel reports on rows with one label each. Means are over the labels
// that occur in the rows: a judge that gives another label loses recall by it.
func singleLabel(results []result) *Report {
	classes := make(map[string]tally)
	right := 0
	for _, r := range results {
		count(classes, r.want, func(t *tally) { t.wanted++ })
		count(classes, r.got, func(t *tally) { t.given++ })
		if r.want == r.got {
			right++
			count(classes, r.want, func(t *tally) { t.both++ })
		}
	}
	maps.DeleteFunc(classes, func(_ string, t tally) bool { return t.wanted == 0 })
	report := summarize(classes)
	report.Accuracy = ratio(right, len(results))
	report.Coverage = coverage(results)
	return report
}

func count(classes map[string]tally, label string, change func(*tally)) {
	t := classes[label]
	change(&t)
	classes[label] = t
}

// summarize fills the per-class figures and their means.
func summarize(classes map[string]tally) *Report {
	r := &Report{PerClass: make(map[string]Class, len(classes))}
	for _, label := range slices.Sorted(maps.Keys(classes)) { // sorted: sums of floats must not depend on map order
		c := classes[label].class()
		r.PerClass[label] = c
		r.MacroRecall += c.Recall / float64(len(classes))
		r.MacroF1 += c.F1 / float64(len(classes))
	}
	return r
}

// coverage reports the accuracy on the rows of highest confidence. Rows of
// equal confidence at the edge count by their mean, so that their order in the
// file does not matter.
func coverage(results []result) []Coverage {
	sorted := slices.Clone(results)
	slices.SortStableFunc(sorted, func(a, b result) int { return cmp.Compare(b.confidence, a.confidence) })
	var out []Coverage
	for _, share := range coverages {
		n := max(1, int(math.Round(share*float64(len(sorted)))))
		edge := sorted[n-1].confidence
		var sure, right, tied, tiedRight int
		for _, r := range sorted {
			ok := 0
			if r.want == r.got {
				ok = 1
			}
			switch {
			case r.confidence > edge:
				sure++
				right += ok
			case r.confidence == edge:
				tied++
				tiedRight += ok
			}
		}
		accuracy := (float64(right) + float64(n-sure)*ratio(tiedRight, tied)) / float64(n)
		out = append(out, Coverage{Coverage: share, Accuracy: accuracy})
	}
	return out
}

// Known holds the ids that labelled rows may use.
type Known struct{ Issues, TouchPoints []string }

func (k Known) check(r *Row) error {
	for _, id := range r.Issues {
		if !slices.Contains(k.Issues, id) {
			return fmt.Errorf("unknown issue %q", id)
		}
	}
	for _, id := range r.TouchPoints {
		if !slices.Contains(k.TouchPoints, id) {
			return fmt.Errorf("unknown touch point %q", id)
		}
	}
	return nil
}

func issues(rows []Row, mentions []post.Mention, known Known) *Report {
	r := multiLabel(known.Issues, rows, func(i int) ([]string, []post.Label) { return rows[i].Issues, mentions[i].Issues })
	r.TouchPoints = multiLabel(known.TouchPoints, rows, func(i int) ([]string, []post.Label) {
		return rows[i].TouchPoints, mentions[i].TouchPoints
	})
	r.TouchPoints.N = len(rows)
	return r
}

// multiLabel reports on rows that may carry several labels. Macro means are
// over the labels that occur in rows; the micro mean counts every decision.
func multiLabel(known []string, rows []Row, of func(i int) (want []string, got []post.Label)) *Report {
	classes := make(map[string]tally)
	for _, id := range known {
		classes[id] = tally{}
	}
	exact := 0
	for i := range rows {
		want, labels := of(i)
		got := make([]string, len(labels))
		for j, l := range labels {
			got[j] = l.ID
			count(classes, l.ID, func(t *tally) { t.given++ })
		}
		same := len(got) == len(want)
		for _, id := range want {
			count(classes, id, func(t *tally) { t.wanted++ })
			if slices.Contains(got, id) {
				count(classes, id, func(t *tally) { t.both++ })
			} else {
				same = false
			}
		}
		if same {
			exact++
		}
	}
	var all tally
	for _, t := range classes {
		all.both += t.both
		all.wanted += t.wanted
		all.given += t.given
	}
	maps.DeleteFunc(classes, func(_ string, t tally) bool { return t.wanted == 0 })
	r := summarize(classes)
	micro := f1(all)
	r.MicroF1 = &micro
	r.Accuracy = ratio(exact, len(rows))
	return r
}
