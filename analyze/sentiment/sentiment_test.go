package sentiment

import (
	"math"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"outcry/analyze/evaluate"
	"outcry/analyze/internal/labelled"
	"outcry/post"
)

// loaded makes each scorer once: reading their models takes most of a test.
var loaded = sync.OnceValues(func() (map[string]Scorer, error) {
	all := make(map[string]Scorer)
	for _, name := range Names() {
		s, err := New(name)
		if err != nil {
			return nil, err
		}
		all[name] = s
	}
	return all, nil
})

func mustNew(t testing.TB, name string) Scorer {
	t.Helper()
	all, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return all[name]
}

func TestScore(t *testing.T) {
	for _, c := range []struct {
		scorer, text string
		want         post.Polarity
	}{
		{"vader", "This is a terrible, awful service!!", post.Negative},
		{"vader", "What a wonderful, friendly team, thank you!", post.Positive},
		{"vader", "The office opens at nine.", post.Neutral},
		{"vader", "not\ngood", post.Negative}, // words at a line break are two words
		{"vader", "😢", post.Negative},
		{"vader", "", post.Neutral},
		{"vader", " \n\t", post.Neutral},
		{"bayes", "This is a terrible, awful waste", post.Negative},
		{"bayes", "A wonderful, moving masterpiece", post.Positive},
		{"bayes", "", post.Neutral},
		{"bayes", "12:30 😡 ...", post.Neutral}, // it reads letters only
	} {
		got := mustNew(t, c.scorer).Score(c.text)
		if got.Label != c.want || got.Scorer != c.scorer+"-1" {
			t.Errorf("%s of %q: %+v, want %s", c.scorer, c.text, got, c.want)
		}
	}
}

func TestUnknownScorerNamesTheKnown(t *testing.T) {
	if _, err := New("oracle"); err == nil || !strings.Contains(err.Error(), "vader, bayes") {
		t.Errorf("error %v", err)
	}
}

// check holds what every score must be.
func check(t *testing.T, text string, s post.Sentiment) {
	t.Helper()
	if math.IsNaN(float64(s.Score)) || s.Score < -1 || s.Score > 1 || s.Confidence < 0 || s.Confidence > 1 {
		t.Fatalf("%.60q: %+v is out of range", text, s)
	}
	if s.Label == post.Negative && s.Score >= 0 || s.Label == post.Positive && s.Score <= 0 {
		t.Fatalf("%.60q: score and label of %+v disagree", text, s)
	}
}

func TestHostileTexts(t *testing.T) {
	for _, name := range Names() {
		s := mustNew(t, name)
		for _, unit := range []string{"a", " ", "!", "?", "'", "not ", "😡", "\xff", "\x00", "\u200d", "very very ", "kind of ",
			"no ", "least ", "but ", "AAA ", "the shit ", "🏳️‍🌈", "ß", "税", "a\u0301", ". ", "great bad "} {
			for _, n := range []int{1, 2, 3, 5, 4000} {
				text := strings.Repeat(unit, n)
				check(t, text, s.Score(text))
			}
		}
	}
}

func FuzzScore(f *testing.F) {
	scorers := []Scorer{mustNew(f, "vader"), mustNew(f, "bayes")}
	f.Add("no or nor good but least very kind of bad!!?? 😡")
	f.Add("\xff\xfe \x00")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range scorers {
			check(t, text, s.Score(text))
		}
	})
}

func TestCleanBoundsAndSeparates(t *testing.T) {
	if got := clean(" a\n\tb\u00a0\x00c "); got != "a b c" {
		t.Errorf("clean = %q", got)
	}
	long := clean(strings.Repeat("ä ", 1_000_000))
	if n := utf8.RuneCountInString(long); n > maxRunes {
		t.Errorf("%d runes are scored", n)
	}
}

// The accuracy of the scorers on development texts that people labelled. A
// change here is a change in what Outcry reports.
func TestAccuracy(t *testing.T) {
	for _, c := range []struct {
		scorer, file string
		macroRecall  float64 // at least
	}{
		{"vader", "sentiment/dev_tweeteval_val.jsonl.gz", 0.595},
		{"vader", "sentiment/dev_airline_delta.jsonl.gz", 0.595},
		{"bayes", "sentiment/dev_tweeteval_val.jsonl.gz", 0.43},
		{"bayes", "sentiment/dev_airline_delta.jsonl.gz", 0.45},
	} {
		rows, err := evaluate.ReadFile(labelled.Path(t, c.file))
		if err != nil {
			t.Fatal(err)
		}
		s := mustNew(t, c.scorer)
		r, err := evaluate.Run(evaluate.TaskSentiment, rows, func(text string) post.Mention {
			return post.Mention{Sentiment: s.Score(text)}
		}, evaluate.Known{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s on %s: macro-recall %.3f, macro-F1 %.3f, accuracy %.3f, coverage %.3v, %.0f posts/s",
			c.scorer, c.file, r.MacroRecall, r.MacroF1, r.Accuracy, r.Coverage, r.PostsPerSecond)
		if r.MacroRecall < c.macroRecall {
			t.Errorf("%s on %s: macro-recall %.3f, was %.3f", c.scorer, c.file, r.MacroRecall, c.macroRecall)
		}
		if c.scorer == "vader" && r.Coverage[3].Accuracy <= r.Coverage[0].Accuracy {
			t.Errorf("%s on %s: its surest scores are not its best: %v", c.scorer, c.file, r.Coverage)
		}
	}
}

func BenchmarkScore(b *testing.B) {
	hostile := strings.Repeat("😡!", 100_000)
	for _, name := range Names() {
		s := mustNew(b, name)
		for text, kind := range map[string]string{
			"@taxoffice your website keeps timing out, I have tried since 8 this morning and nobody answers the phone either": "post",
			hostile: "hostile",
		} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Score(text)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
			})
		}
	}
}
