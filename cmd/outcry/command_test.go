package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outcry/internal/config"
)

// command runs a command line in this process.
func command(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// TestShippedConfigurationIsTheDefault: every key of configs/outcry.yaml shows
// its default, so that reading the file tells what happens without it.
func TestShippedConfigurationIsTheDefault(t *testing.T) {
	// Where the binary finds no file it does the same.
	want := DefaultConfig()
	want.Agencies, want.Issues, want.Rules = "agencies.yaml", "issues.yaml", "rules.yaml"
	got := DefaultConfig()
	got.dir = filepath.Join("..", "..", "configs")
	if err := config.Load(filepath.Join(got.dir, "outcry.yaml"), &got, config.Options{}); err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := config.Dump(&a, got); err != nil {
		t.Fatal(err)
	}
	if err := config.Dump(&b, want); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Errorf("configs/outcry.yaml gives\n%s\nand the defaults are\n%s", &a, &b)
	}
}

// TestEveryKeyIsInTheShippedConfiguration: an operator finds every key there.
func TestEveryKeyIsInTheShippedConfiguration(t *testing.T) {
	shipped, err := os.ReadFile(filepath.Join("..", "..", "configs", "outcry.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var keys bytes.Buffer
	if err := config.Dump(&keys, DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(keys.String(), "\n") {
		if key, _, ok := strings.Cut(strings.TrimLeft(line, " -"), ":"); ok && !strings.Contains(string(shipped), key+":") && !strings.Contains(string(shipped), key+"_file:") {
			t.Errorf("configs/outcry.yaml does not explain the key %s", key)
		}
	}
}

func TestFaultsAreNamedWithTheirKeyAndLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.yaml")
	text := "kafka:\n  brokers: [nonsense]\nweb:\n  listen: 0.0.0.0:80\nclickhuose: embedded\nagencies: nowhere.yaml\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := command(t, "", "check", "--config", path)
	if err == nil || exitCode(t.Context(), err) != exitUsage {
		t.Fatalf("error %v, want one with exit code 2", err)
	}
	for _, want := range []string{
		"mine.yaml:2: kafka.brokers", "mine.yaml:4: web.listen", "mine.yaml:5: clickhuose", `did you mean "clickhouse"`, "mine.yaml:6: agencies",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in\n%v", want, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{"chek"}, {"run", "now"}, {"run", "--frobnicate"}, {"check", "--config", "no-such-file.yaml"}, {"check", "--dump", "--ready"},
		{"match"}, {"match", "--query", `"open`}, {"score", "--scorer", "oracle"}, {"evaluate", "weather"}, {"evaluate", "issues"},
		{"detect"}, {"replay"}, {"replay", "x.csv", "--format", "xml"}, {"bench", "--rate", "fast"}, {"simulate", "--live", "-1s"},
	} {
		if _, err := command(t, "", args...); err == nil || exitCode(t.Context(), err) != exitUsage {
			t.Errorf("outcry %s: error %v, want one with exit code 2", strings.Join(args, " "), err)
		}
	}
}

func TestMatch(t *testing.T) {
	out, err := command(t, "the Tax-Office is closed\ntax office jobs\nnothing here\n@taxoffice help\n",
		"match", "--query", `("tax office" OR @taxoffice) NOT jobs`)
	if err != nil || out != "the Tax-Office is closed\n@taxoffice help\n" {
		t.Errorf("got %q, %v", out, err)
	}
	out, err = command(t, "the Tax-Office is closed\n", "match", "--explain", "--query", `"tax office"`)
	if err != nil || !strings.Contains(out, `at 4-14: "Tax-Office"`) {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestScore(t *testing.T) {
	out, err := command(t, "the benefits portal keeps timing out, this is terrible\n\n\xff\xfe\n", "score", "--explain")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines for 3: %s", len(lines), out)
	}
	var first struct {
		Label       string
		Score       float64
		Complaint   float64
		Issues      []struct{ ID string }
		TouchPoints []struct{ ID string } `json:"touch_points"`
		Scorer      string
		Because     []any
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	if first.Label != "negative" || first.Score >= 0 || first.Complaint < 0.5 || len(first.Issues) == 0 || first.Issues[0].ID != "down" ||
		len(first.TouchPoints) == 0 || first.TouchPoints[0].ID != "web" || first.Scorer != "vader-1" || len(first.Because) == 0 {
		t.Errorf("understood as %s", lines[0])
	}
	for _, line := range lines[1:] {
		if !strings.Contains(line, `"issues":[]`) || !strings.Contains(line, `"touch_points":[]`) {
			t.Errorf("nothing is said as %s", line)
		}
	}
}

func TestEvaluate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	rows := `{"text":"this is wonderful, thank you","label":"positive"}
{"text":"this is a terrible, horrible service","label":"negative"}
{"text":"the office opens at nine","label":"neutral"}
`
	if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, "", "evaluate", "sentiment", "--data", path, "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var report map[string]any
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"n", "macro_recall", "macro_f1", "accuracy", "per_class", "coverage", "posts_per_second", "scorer"} {
		if _, ok := report[key]; !ok {
			t.Errorf("the report lacks %s: %s", key, out)
		}
	}
	if report["n"] != 3.0 || report["accuracy"] != 1.0 {
		t.Errorf("got %s", out)
	}
}

func TestDetect(t *testing.T) {
	dir := t.TempDir()
	var table strings.Builder
	table.WriteString("timestamp,value\n")
	const minutes = 4 * 24 * 60
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for minute := range minutes {
		value := minute * 7 % 3
		if minute >= minutes-5 {
			value = 60
		}
		fmt.Fprintf(&table, "%s,%d\n", start.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339), value)
	}
	in, out := filepath.Join(dir, "counts.csv"), filepath.Join(dir, "scores.csv")
	if err := os.WriteFile(in, []byte(table.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "", "detect", "--input", in, "--output", out); err != nil {
		t.Fatal(err)
	}
	scores, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(scores)), "\n")
	if lines[0] != "timestamp,value,expected,anomaly_score,alert" || len(lines) != minutes+1 {
		t.Fatalf("%d lines, the first is %s", len(lines), lines[0])
	}
	alerts := 0
	for i, line := range lines[1:] {
		if strings.HasSuffix(line, ",true") {
			alerts++
			if i < minutes-5 {
				t.Errorf("a false alarm: %s", line)
			}
		}
	}
	if alerts == 0 {
		t.Error("the burst at the end is not seen")
	}
	if err := os.WriteFile(in, []byte("timestamp,value\n2026-01-01T00:00:00Z,1\nlater,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "", "detect", "--input", in); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("error %v, want line 3 named", err)
	}
}
