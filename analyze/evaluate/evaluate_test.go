package evaluate

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outcry/post"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// answers gives a Judge that answers by text.
func answers(m map[string]post.Mention) Judge {
	return func(text string) post.Mention { return m[text] }
}

func feeling(label post.Polarity, confidence float32) post.Mention {
	return post.Mention{Sentiment: post.Sentiment{Label: label, Confidence: confidence, Scorer: "test-1"}}
}

func TestSentimentFigures(t *testing.T) {
	rows := []Row{
		{Text: "a", Label: "negative"}, {Text: "b", Label: "negative"}, {Text: "c", Label: "complaint", Sentiment: "positive"},
		{Text: "d", Label: "neutral"}, {Text: "e", Label: "neutral"},
	}
	r, err := Run(TaskSentiment, rows, answers(map[string]post.Mention{
		"a": feeling(post.Negative, 0.9), "b": feeling(post.Neutral, 0.5), "c": feeling(post.Positive, 0.8),
		"d": feeling(post.Neutral, 0.7), "e": feeling(post.Positive, 0.6),
	}), Known{})
	if err != nil {
		t.Fatal(err)
	}
	// Worked by hand: recall 1/2, 1/2, 1; precision 1, 1/2, 1/2; F1 2/3, 1/2, 2/3.
	if r.N != 5 || r.Scorer != "test-1" || !near(r.Accuracy, 0.6) || !near(r.MacroRecall, 2.0/3) || !near(r.MacroF1, (2.0/3+0.5+2.0/3)/3) {
		t.Errorf("got %+v", r)
	}
	if c := r.PerClass["negative"]; c.N != 2 || !near(c.Precision, 1) || !near(c.Recall, 0.5) || !near(c.F1, 2.0/3) {
		t.Errorf("negative: %+v", c)
	}
	want := []Coverage{{1, 0.6}, {0.8, 0.75}, {0.6, 1}, {0.4, 1}}
	for i, c := range r.Coverage {
		if c.Coverage != want[i].Coverage || !near(c.Accuracy, want[i].Accuracy) {
			t.Errorf("coverage %+v, want %+v", c, want[i])
		}
	}
}

// A judge that is equally sure of everything is as good on any part of it,
// whatever the order of the rows.
func TestCoverageOfEqualConfidence(t *testing.T) {
	results := []result{{"a", "a", 0.5}, {"a", "b", 0.5}, {"a", "a", 0.5}, {"a", "b", 0.5}}
	for _, c := range coverage(results) {
		if !near(c.Accuracy, 0.5) {
			t.Errorf("%+v, want 0.5", c)
		}
	}
}

func TestComplaintFigures(t *testing.T) {
	rows := []Row{{Text: "a", Label: Complaint}, {Text: "b", Label: Complaint}, {Text: "c", Label: NotComplaint}}
	r, err := Run(TaskComplaint, rows, answers(map[string]post.Mention{
		"a": {Complaint: 0.5}, "b": {Complaint: 0.49}, "c": {Complaint: 0.1},
	}), Known{})
	if err != nil {
		t.Fatal(err)
	}
	if !near(r.Accuracy, 2.0/3) || !near(r.PerClass[Complaint].Recall, 0.5) || !near(r.PerClass[NotComplaint].Precision, 0.5) {
		t.Errorf("got %+v", r)
	}
}

func TestIssueFigures(t *testing.T) {
	known := Known{Issues: []string{"down", "wait", "lost"}, TouchPoints: []string{"web"}}
	rows := []Row{
		{Text: "a", Issues: []string{"down", "wait"}, TouchPoints: []string{"web"}},
		{Text: "b", Issues: []string{"wait"}},
		{Text: "c"},
	}
	r, err := Run(TaskIssues, rows, answers(map[string]post.Mention{
		"a": {Issues: []post.Label{{ID: "down"}}, TouchPoints: []post.Label{{ID: "web"}}},
		"b": {Issues: []post.Label{{ID: "wait"}, {ID: "lost"}}},
	}), known)
	if err != nil {
		t.Fatal(err)
	}
	// Of 3 labels wanted and 3 given, 2 agree.
	if !near(*r.MicroF1, 4.0/6) || !near(r.MacroF1, (1+2.0/3)/2) || !near(r.Accuracy, 1.0/3) {
		t.Errorf("got %+v, micro %v", r, *r.MicroF1)
	}
	if _, ok := r.PerClass["lost"]; ok {
		t.Error("a label that no row carries is reported")
	}
	if r.TouchPoints == nil || !near(*r.TouchPoints.MicroF1, 1) || !near(r.TouchPoints.Accuracy, 1) {
		t.Errorf("touch points: %+v", r.TouchPoints)
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"n":3`, `"micro_f1":`, `"macro_f1":`, `"macro_recall":`, `"accuracy":`, `"per_class":`, `"touch_points":{`, `"posts_per_second":`} {
		if !strings.Contains(string(out), key) {
			t.Errorf("the JSON lacks %s: %s", key, out)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestWriteText(t *testing.T) {
	r, err := Run(TaskIssues, []Row{{Text: "a", Issues: []string{"down"}}}, answers(nil), Known{Issues: []string{"down"}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"issues of 1 texts", "micro F1", "down", "touch points"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if err := r.WriteText(brokenWriter{}); err == nil {
		t.Error("a writer that fails is not reported")
	}
}

func TestRunRefusesWrongRows(t *testing.T) {
	judge := answers(nil)
	for _, c := range []struct {
		task Task
		rows []Row
		want string
	}{
		{TaskSentiment, nil, "no labelled texts"},
		{"mood", []Row{{Text: "a"}}, "unknown task"},
		{TaskSentiment, []Row{{Text: "a", Label: "positive"}, {Text: "b", Label: "complaint"}}, "row 2"},
		{TaskComplaint, []Row{{Text: "a", Label: "positive"}}, "neither complaint nor"},
		{TaskIssues, []Row{{Text: "a", Issues: []string{"weather"}}}, `unknown issue "weather"`},
		{TaskIssues, []Row{{Text: "a", TouchPoints: []string{"moon"}}}, `unknown touch point "moon"`},
	} {
		if _, err := Run(c.task, c.rows, judge, Known{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.task, err, c.want)
		}
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	body := []byte("{\"text\":\"a\",\"label\":\"positive\"}\n\n{\"text\":\"b\",\"issues\":[\"down\"]}\n")
	plain, zipped := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "a.jsonl.gz")
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	truncated := filepath.Join(dir, "truncated.jsonl.gz")
	for path, content := range map[string][]byte{plain: body, zipped: buf.Bytes(), truncated: buf.Bytes()[:buf.Len()-10]} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{plain, zipped} {
		rows, err := ReadFile(path)
		if err != nil || len(rows) != 2 || rows[1].Issues[0] != "down" {
			t.Errorf("%s: %v, %v", path, rows, err)
		}
	}
	if _, err := ReadFile(truncated); err == nil {
		t.Error("a truncated file is read without error")
	}
	if _, err := ReadFile(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing file is read without error")
	}
}

func TestReadNamesEveryBadLine(t *testing.T) {
	_, err := Read("x.jsonl", strings.NewReader("{\"text\":\"a\"}\n{oops\n{\"label\":\"positive\"}\n{\"text\":5}\n\xff\n"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"x.jsonl:2: not a labelled text", `x.jsonl:3: "text" is missing`, "x.jsonl:4: not a labelled", "x.jsonl:5: not valid UTF-8"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if _, err := Read("x", strings.NewReader(strings.Repeat("a", maxLine+1))); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("long line: %v", err)
	}
	if _, err := Read("x", strings.NewReader("\n\n")); err == nil || !strings.Contains(err.Error(), "no labelled texts") {
		t.Errorf("empty file: %v", err)
	}
	if _, err := Read("x", strings.NewReader(strings.Repeat("oops\n", 1000))); err == nil || strings.Count(err.Error(), "\n") > maxFaults {
		t.Errorf("too many faults are listed: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"text\":\"a\",\"label\":\"positive\"}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := Read("x", bytes.NewReader(data))
		if err == nil && len(rows) == 0 {
			t.Fatal("neither rows nor an error")
		}
	})
}
