package analyze

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outcry/post"
)

func enrich(e *Enricher, text, platformLanguage string) post.Mention {
	m := post.Mention{Post: newPost(1, text)}
	m.Language = platformLanguage
	e.Enrich(&m)
	return m
}

func TestEnrichByLanguage(t *testing.T) {
	e := testEnricher()
	for _, c := range []struct {
		text, language, scorer string
		label                  post.Polarity
	}{
		{"The portal is down and that is bad", "en", "fake-1", post.Negative},
		{"lol", "und", "fake-1", post.Neutral}, // unknown languages are scored: most are short English
		{"Die Seite ist schon wieder nicht erreichbar", "de", byPhrases, post.Negative},
		{"Wann öffnet das Amt am Montag und was brauche ich?", "de", abstained, post.Neutral},
		{"税務署のサイトに行きました bad", "ja", abstained, post.Neutral}, // the scorer does not read Japanese
	} {
		m := enrich(e, c.text, "")
		if m.DetectedLanguage != c.language || m.Sentiment.Scorer != c.scorer || m.Sentiment.Label != c.label {
			t.Errorf("%q: %s, %+v; want %s, %s by %s", c.text, m.DetectedLanguage, m.Sentiment, c.language, c.label, c.scorer)
		}
		if c.scorer == abstained && m.Sentiment.Confidence != 0 {
			t.Errorf("%q: confidence %v of a scorer that abstained", c.text, m.Sentiment.Confidence)
		}
	}
}

func TestExplainFindsWords(t *testing.T) {
	text := "The site keeps timing out"
	for _, r := range testEnricher().Explain(text) {
		if r.For == "down" && text[r.Start:r.End] == "timing out" {
			return
		}
	}
	t.Error("timing out is not explained")
}

func TestLoadEnricher(t *testing.T) {
	cfg := DefaultConfig()
	e, err := LoadEnricher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if m := enrich(e, "This is a terrible, horrible service", ""); m.Sentiment.Scorer != "vader-1" || m.Sentiment.Label != post.Negative {
		t.Errorf("understood as %+v", m)
	}

	cfg.Scorer = "oracle"
	if _, err := LoadEnricher(cfg); err == nil || !strings.Contains(err.Error(), "oracle") {
		t.Errorf("error %v", err)
	}
	cfg = DefaultConfig()
	cfg.Issues = filepath.Join(t.TempDir(), "mine.yaml")
	if _, err := LoadEnricher(cfg); err == nil || !strings.Contains(err.Error(), "mine.yaml") {
		t.Errorf("error %v", err)
	}
	if err := os.WriteFile(cfg.Issues, []byte("issues: []\ncolour: blue\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadEnricher(cfg); err == nil || !strings.Contains(err.Error(), "mine.yaml:2") {
		t.Errorf("error %v", err)
	}
}
