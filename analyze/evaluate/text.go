package evaluate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// WriteText writes the report for people to read.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s of %d texts, scorer %s, %.0f texts/s\n\n", r.Task, r.N, r.Scorer, r.PostsPerSecond)
	r.figures(t)
	if r.TouchPoints != nil {
		fmt.Fprintf(t, "\ntouch points\n\n")
		r.TouchPoints.figures(t)
	}
	return t.Flush()
}

// figures writes what issues and touch points have in common. A tabwriter
// keeps the first error of its writer for Flush.
func (r *Report) figures(t *tabwriter.Writer) {
	fmt.Fprintf(t, "macro recall\t%.1f %%\n", 100*r.MacroRecall)
	fmt.Fprintf(t, "macro F1\t%.1f %%\n", 100*r.MacroF1)
	if r.MicroF1 != nil {
		fmt.Fprintf(t, "micro F1\t%.1f %%\n", 100**r.MicroF1)
	}
	fmt.Fprintf(t, "accuracy\t%.1f %%\n", 100*r.Accuracy)
	for _, c := range r.Coverage {
		if c.Coverage < 1 {
			fmt.Fprintf(t, "  on the surest %.0f %%\t%.1f %%\n", 100*c.Coverage, 100*c.Accuracy)
		}
	}
	fmt.Fprintf(t, "\nlabel\ttexts\tprecision\trecall\tF1\n")
	for _, label := range slices.Sorted(maps.Keys(r.PerClass)) {
		c := r.PerClass[label]
		fmt.Fprintf(t, "%s\t%d\t%.1f %%\t%.1f %%\t%.1f %%\n", label, c.N, 100*c.Precision, 100*c.Recall, 100*c.F1)
	}
}
