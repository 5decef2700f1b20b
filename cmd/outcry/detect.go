package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"outcry/detect"
	"outcry/ingest"
)

// detectLevel is the surprise from which a row is an alert: about one false
// alarm in ten weeks of minutes.
const detectLevel = 5.0

func newDetectCommand() *cobra.Command {
	var input, output, mode string
	var bin time.Duration
	cmd := &cobra.Command{
		Use:   "detect --input counts.csv --output scores.csv",
		Short: "Score a table of counts with the burst detector",
		Long: `Read a table with the columns timestamp, value and, optionally, series, and write
the same rows with expected, anomaly_score (0 to 1) and alert. A row's score
depends on that row and earlier ones only. Rows of a series come in the order of
time.`,
		Example: `  outcry detect --input counts.csv --bin 5m --output scores.csv`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if input == "" {
				return usagef("--input is needed; see %q", cmd.CommandPath()+" --help")
			}
			if mode != "pager" {
				return usagef("--mode must be pager, not %q", mode)
			}
			params := detect.DefaultParams()
			if params.Bin = bin; bin < time.Second || bin > 24*time.Hour {
				return usagef("--bin must be from 1s to 24h, not %s", bin)
			}
			in, err := os.Open(input)
			if err != nil {
				return err
			}
			defer in.Close()
			out := cmd.OutOrStdout()
			if output != "" && output != "-" {
				f, err := os.Create(output)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, f.Close()) }()
				out = f
			}
			if err := detectTable(cmd.Context(), in, out, detect.NewScorer(params, detectLevel)); err != nil {
				return fmt.Errorf("%s: %w", input, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&input, "input", "", "CSV file of counts")
	cmd.Flags().StringVar(&output, "output", "", `CSV file of scores (default: standard output)`)
	cmd.Flags().DurationVar(&bin, "bin", time.Minute, "width of a bin")
	cmd.Flags().StringVar(&mode, "mode", "pager", "pager: bursts worth waking somebody for")
	return cmd
}

// detectTable scores a table row by row.
func detectTable(ctx context.Context, in io.Reader, out io.Writer, scorer *detect.Scorer) error {
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("read the header: %w", err)
	}
	column := map[string]int{}
	for i, name := range header {
		column[name] = i
	}
	for _, name := range []string{"timestamp", "value"} {
		if _, ok := column[name]; !ok {
			return fmt.Errorf("line 1: there is no column %s", name)
		}
	}
	w := csv.NewWriter(out)
	if err := w.Write(append(header, "expected", "anomaly_score", "alert")); err != nil {
		return err
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err // names its line
		}
		line, _ := r.FieldPos(0)
		if err := ctx.Err(); err != nil {
			return err
		}
		row, err := detectRow(record, column)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		score, err := scorer.Score(row)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if err := w.Write(append(record,
			strconv.FormatFloat(score.Expected, 'g', 6, 64),
			strconv.FormatFloat(score.Anomaly, 'f', 6, 64),
			strconv.FormatBool(score.Alert))); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func detectRow(record []string, column map[string]int) (detect.Row, error) {
	var row detect.Row
	var err error
	if i, ok := column["series"]; ok {
		row.Series = record[i]
	}
	text := record[column["value"]]
	if row.Value, err = strconv.ParseFloat(text, 64); err != nil {
		return row, fmt.Errorf("value %q is not a number", text)
	}
	text = record[column["timestamp"]]
	if row.Time, err = ingest.ParseTime(text); err != nil {
		return row, fmt.Errorf("timestamp %q is not a time such as 2026-03-01T09:30:00Z", text)
	}
	return row, nil
}
