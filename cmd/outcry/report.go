package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"outcry/analyze/evaluate"
)

// printReport writes a report of an evaluation for people.
func printReport(out io.Writer, r *evaluate.Report) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%s", r.Task)
	if r.Scorer != "" {
		fmt.Fprintf(out, " by %s", r.Scorer)
	}
	fmt.Fprintf(out, ", %d texts: macro-recall %.1f, macro-F1 %.1f, accuracy %.1f", r.N, 100*r.MacroRecall, 100*r.MacroF1, 100*r.Accuracy)
	if r.MicroF1 != nil {
		fmt.Fprintf(out, ", micro-F1 %.1f", 100**r.MicroF1)
	}
	if r.PostsPerSecond > 0 {
		fmt.Fprintf(out, "; %.0f posts/s", r.PostsPerSecond)
	}
	fmt.Fprintln(out)
	fmt.Fprintln(w, "\ttexts\tprecision\trecall\tF1\t")
	for _, name := range slices.Sorted(maps.Keys(r.PerClass)) {
		c := r.PerClass[name]
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t\n", name, c.N, 100*c.Precision, 100*c.Recall, 100*c.F1)
	}
	for _, c := range r.Coverage {
		fmt.Fprintf(w, "accuracy at %.0f %% coverage\t\t\t\t%.1f\t\n", 100*c.Coverage, 100*c.Accuracy)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.TouchPoints != nil {
		return printReport(out, r.TouchPoints)
	}
	return nil
}
