// Package evaluate measures how well texts are understood, against texts that
// people have labelled. It is pure: it reads rows, calls what it is given, and
// counts.
package evaluate

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"outcry/post"
)

// Judge is what is measured: it says of a text what a Mention says of a post.
type Judge func(text string) post.Mention

// Task is what to measure.
type Task string

// The tasks of `outcry evaluate`.
const (
	TaskSentiment Task = "sentiment"
	TaskComplaint Task = "complaint"
	TaskIssues    Task = "issues"
)

// The labels of complaint rows.
const (
	Complaint    = "complaint"
	NotComplaint = "not_complaint"
)

// ComplaintThreshold is the complaint score from which a text counts as one.
const ComplaintThreshold = 0.5

// Report is the result of an evaluation. Shares are between 0 and 1.
type Report struct {
	Task           Task             `json:"task"`
	Scorer         string           `json:"scorer,omitempty"`
	N              int              `json:"n"`
	MacroRecall    float64          `json:"macro_recall"`
	MacroF1        float64          `json:"macro_f1"`
	Accuracy       float64          `json:"accuracy"` // for issues: rows whose set of labels is exactly right
	MicroF1        *float64         `json:"micro_f1,omitempty"`
	PerClass       map[string]Class `json:"per_class"`
	Coverage       []Coverage       `json:"coverage,omitempty"`
	PostsPerSecond float64          `json:"posts_per_second,omitempty"` // of one goroutine
	TouchPoints    *Report          `json:"touch_points,omitempty"`
}

// Class is the result for one label.
type Class struct {
	N         int     `json:"n"` // rows that carry it
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Coverage is the accuracy on the share of rows the judge is surest of.
type Coverage struct {
	Coverage float64 `json:"coverage"`
	Accuracy float64 `json:"accuracy"`
}

// coverages are the shares at which accuracy is reported.
var coverages = [...]float64{1, 0.8, 0.6, 0.4}

// Run judges every row and compares. known holds the ids of issues and touch
// points that may occur; it is used for TaskIssues only.
func Run(task Task, rows []Row, judge Judge, known Known) (*Report, error) {
	if len(rows) == 0 {
		return nil, errors.New("evaluate: no labelled texts")
	}
	check, ok := map[Task]func(*Row) error{
		TaskSentiment: func(r *Row) error { _, err := sentimentOf(r); return err },
		TaskComplaint: checkComplaint,
		TaskIssues:    known.check,
	}[task]
	if !ok {
		return nil, fmt.Errorf("evaluate: unknown task %q: sentiment, complaint or issues", task)
	}
	for i := range rows {
		if err := check(&rows[i]); err != nil {
			return nil, fmt.Errorf("evaluate %s: row %d: %w", task, i+1, err)
		}
	}

	mentions := make([]post.Mention, len(rows))
	start := time.Now()
	for i := range rows {
		mentions[i] = judge(rows[i].Text)
	}
	elapsed := time.Since(start)

	var r *Report
	switch task {
	case TaskSentiment:
		r = sentiment(rows, mentions)
	case TaskComplaint:
		r = complaint(rows, mentions)
	default:
		r = issues(rows, mentions, known)
	}
	r.Task, r.N, r.Scorer = task, len(rows), mentions[0].Sentiment.Scorer
	if elapsed > 0 {
		r.PostsPerSecond = float64(len(rows)) / elapsed.Seconds()
	}
	return r, nil
}

// sentimentOf gives the sentiment a row is labelled with.
func sentimentOf(r *Row) (string, error) {
	classes := []string{string(post.Negative), string(post.Neutral), string(post.Positive)}
	for _, label := range []string{r.Label, r.Sentiment} {
		if slices.Contains(classes, label) {
			return label, nil
		}
	}
	return "", fmt.Errorf("neither label %q nor sentiment %q is negative, neutral or positive", r.Label, r.Sentiment)
}

func checkComplaint(r *Row) error {
	if r.Label != Complaint && r.Label != NotComplaint {
		return fmt.Errorf("label %q is neither complaint nor not_complaint", r.Label)
	}
	return nil
}

func sentiment(rows []Row, mentions []post.Mention) *Report {
	results := make([]result, len(rows))
	for i := range rows {
		want, _ := sentimentOf(&rows[i])
		s := mentions[i].Sentiment
		results[i] = result{want: want, got: string(s.Label), confidence: float64(s.Confidence)}
	}
	return singleLabel(results)
}

func complaint(rows []Row, mentions []post.Mention) *Report {
	results := make([]result, len(rows))
	for i := range rows {
		p := float64(mentions[i].Complaint)
		results[i] = result{want: rows[i].Label, got: NotComplaint, confidence: 1 - p}
		if p >= ComplaintThreshold {
			results[i].got, results[i].confidence = Complaint, p
		}
	}
	return singleLabel(results)
}
