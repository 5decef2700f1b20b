package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"outcry/analyze"
	"outcry/analyze/evaluate"
	"outcry/analyze/issue"
	"outcry/analyze/sentiment"
	"outcry/post"
)

// scoreLine is what `outcry score` says of a line.
type scoreLine struct {
	Label       post.Polarity  `json:"label"`
	Score       float32        `json:"score"`
	Confidence  float32        `json:"confidence"`
	Language    string         `json:"language"`
	Complaint   float32        `json:"complaint"`
	Issues      []post.Label   `json:"issues"`
	TouchPoints []post.Label   `json:"touch_points"`
	Scorer      string         `json:"scorer"`
	Because     []issue.Reason `json:"because,omitempty"`
}

// scorerFlag adds --scorer to a command.
func scorerFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("scorer", sentiment.Default, "sentiment scorer: "+strings.Join(sentiment.Names(), " or "))
}

// loadEnricher reads what a command needs to understand texts.
func loadEnricher(cmd *cobra.Command, scorer string) (*analyze.Enricher, error) {
	cfg, _, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	var issues issue.Config
	if err := cfg.loadPart(cfg.Issues, "issues.yaml", &issues); err != nil {
		return nil, err
	}
	enricher, err := newEnricher(scorer, issues)
	if err != nil {
		return nil, usageError{fmt.Errorf("--scorer: %w", err)}
	}
	return enricher, nil
}

// understand runs a text through an enricher. Input that is not valid UTF-8 is
// repaired as ingest does it.
func understand(e *analyze.Enricher, text string) post.Mention {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	m := post.Mention{Post: post.Post{Text: text}}
	e.Enrich(&m)
	return m
}

func newScoreCommand() *cobra.Command {
	var explain bool
	cmd := &cobra.Command{
		Use:   "score < lines",
		Short: "Score lines of text",
		Long: `Print one JSON object for each line of standard input: sentiment, language,
complaint (0 to 1), issues, touch points and the scorer's name and version.`,
		Example: `  echo "the benefits portal keeps timing out" | outcry score
  outcry score --scorer bayes --explain < posts.txt`,
	}
	scorer := scorerFlag(cmd)
	cmd.Flags().BoolVar(&explain, "explain", false, "add which wording caused which label")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		enricher, err := loadEnricher(cmd, *scorer)
		if err != nil {
			return err
		}
		w := bufio.NewWriter(cmd.OutOrStdout())
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		err = eachLine(cmd.Context(), cmd.InOrStdin(), func(line string) error {
			m := understand(enricher, line)
			s := scoreLine{
				Label: m.Sentiment.Label, Score: m.Sentiment.Score, Confidence: m.Sentiment.Confidence,
				Language: m.DetectedLanguage, Complaint: m.Complaint,
				Issues: emptyList(m.Issues), TouchPoints: emptyList(m.TouchPoints), Scorer: m.Sentiment.Scorer,
			}
			if explain {
				s.Because = enricher.Explain(m.Text)
			}
			return out.Encode(s)
		})
		return errors.Join(err, w.Flush())
	}
	return cmd
}

// emptyList makes JSON show [] and not null.
func emptyList(labels []post.Label) []post.Label {
	if labels == nil {
		return []post.Label{}
	}
	return labels
}

func newEvaluateCommand() *cobra.Command {
	var data, format string
	cmd := &cobra.Command{
		Use:   "evaluate sentiment|complaint|issues --data FILE",
		Short: "Measure accuracy on labelled texts",
		Long: `Compare what Outcry understands with labelled texts, one JSON object a line
(gzip understood): {"text", "label"} with negative|neutral|positive or
complaint|not_complaint, or {"text", "issues": [ids], "touch_points": [ids]}.`,
		Example: `  outcry evaluate sentiment --data tweets.jsonl.gz --scorer vader
  outcry evaluate issues --data posts.jsonl --format json`,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"sentiment", "complaint", "issues"},
	}
	scorer := scorerFlag(cmd)
	cmd.Flags().StringVar(&data, "data", "", "file of labelled texts")
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if data == "" {
			return usagef("--data is needed; see %q", cmd.CommandPath()+" --help")
		}
		if format != "text" && format != "json" {
			return usagef("--format must be text or json, not %q", format)
		}
		enricher, err := loadEnricher(cmd, *scorer)
		if err != nil {
			return err
		}
		rows, err := evaluate.ReadFile(data)
		if err != nil {
			return err
		}
		judge := func(text string) post.Mention { return understand(enricher, text) }
		known := evaluate.Known{Issues: issue.IDs(), TouchPoints: issue.TouchPointIDs()}
		report, err := evaluate.Run(evaluate.Task(args[0]), rows, judge, known)
		if err != nil {
			return err
		}
		report.Scorer = *scorer
		if format == "json" {
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetIndent("", "  ")
			return out.Encode(report)
		}
		return report.WriteText(cmd.OutOrStdout())
	}
	return cmd
}
