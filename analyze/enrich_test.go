package analyze

import (
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
