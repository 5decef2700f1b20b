package language

import (
	"testing"

	"outcry/analyze/evaluate"
	"outcry/analyze/internal/labelled"
)

// How often the language of development tweets is told without the platform's
// help, and how rarely wrongly: a wrong language misleads, "und" does not.
func TestAccuracy(t *testing.T) {
	id := New()
	for _, c := range []struct {
		lang, file string
		right      float64 // at least
		wrong      float64 // at most
	}{
		{"en", "sentiment/dev_tweeteval_val.jsonl.gz", 0.99, 0.01},
		{"en", "service/dev_service_posts.jsonl.gz", 0.96, 0.01},
		{"de", "multilingual/umsab_german_dev.jsonl.gz", 0.70, 0.04},
		{"fr", "multilingual/umsab_french_dev.jsonl.gz", 0.83, 0.03},
		{"es", "multilingual/umsab_spanish_dev.jsonl.gz", 0.86, 0.03},
		{"it", "multilingual/umsab_italian_dev.jsonl.gz", 0.85, 0.03},
		{"pt", "multilingual/umsab_portuguese_dev.jsonl.gz", 0.74, 0.04},
		{"ar", "multilingual/umsab_arabic_dev.jsonl.gz", 0.99, 0.01},
	} {
		rows, err := evaluate.ReadFile(labelled.Path(t, c.file))
		if err != nil {
			t.Fatal(err)
		}
		right, wrong, told := 0, 0, 0
		for _, r := range rows {
			switch id.Identify(r.Text, "") {
			case c.lang:
				right++
			case Undetermined:
			default:
				wrong++
			}
			if id.Identify(r.Text, c.lang) == c.lang {
				told++
			}
		}
		n := float64(len(rows))
		t.Logf("%s: right %.3f, wrong %.3f; %.3f right where the platform says so", c.lang, float64(right)/n, float64(wrong)/n, float64(told)/n)
		if float64(right)/n < c.right || float64(wrong)/n > c.wrong || float64(told)/n < 0.97 {
			t.Errorf("%s: right %.3f (at least %.2f), wrong %.3f (at most %.2f), told %.3f (at least 0.97)",
				c.lang, float64(right)/n, c.right, float64(wrong)/n, c.wrong, float64(told)/n)
		}
	}
}
