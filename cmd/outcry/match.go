package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"outcry/match"
)

// maxLine bounds a line of standard input.
const maxLine = 1 << 20

func newMatchCommand() *cobra.Command {
	var query string
	var explain bool
	cmd := &cobra.Command{
		Use:   "match --query QUERY < lines",
		Short: "Try a query on lines of text",
		Long: `Print the lines of standard input that a query matches.

A space means AND; OR, NOT and parentheses combine; "quotes" make a phrase;
@handle and #hashtag match as a whole. Case and accents do not matter.`,
		Example: `  outcry match --query '("tax office" OR @taxoffice) NOT jobs' < posts.txt
  outcry match --explain --query 'portal down' < posts.txt`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if query == "" {
				return usagef("--query is needed; see %q", cmd.CommandPath()+" --help")
			}
			set, err := match.Compile([]match.Query{{Text: query}})
			if err != nil {
				return usageError{err}
			}
			return matchLines(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), set.NewMatcher(), explain)
		},
	}
	cmd.Flags().StringVar(&query, "query", "", "the query")
	cmd.Flags().BoolVar(&explain, "explain", false, "say which term matched where")
	return cmd
}

func matchLines(ctx context.Context, in io.Reader, out io.Writer, m *match.Matcher, explain bool) error {
	w := bufio.NewWriter(out)
	err := eachLine(ctx, in, func(line string) error {
		doc := match.Doc{Text: line}
		if len(m.Match(&doc)) == 0 {
			return nil
		}
		fmt.Fprintln(w, line)
		if explain {
			for _, hit := range m.Explain(&doc) {
				fmt.Fprintf(w, "    %s at %d-%d: %q\n", hit.Term, hit.Start, hit.End, line[hit.Start:hit.End])
			}
		}
		return nil
	})
	return errors.Join(err, w.Flush())
}

// eachLine calls fn with each line of in until fn fails, ctx ends or in does.
func eachLine(ctx context.Context, in io.Reader, fn func(line string) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(lines.Text()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read line %d: %w", n+1, err)
	}
	return nil
}
