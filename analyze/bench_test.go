package analyze

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/analyze/language"
	"outcry/analyze/sentiment"
	"outcry/post"
)

// realEnricher is the one that the program uses.
func realEnricher(b *testing.B, scorer string) *Enricher {
	b.Helper()
	s, err := sentiment.New(scorer)
	if err != nil {
		b.Fatal(err)
	}
	return NewEnricher(EnricherConfig{Scorer: s, Issues: testIssues(), Languages: language.New()})
}

// benchTexts are of the length and mixture of what agencies are told.
var benchTexts = []string{
	"@taxoffice your website keeps timing out, I have tried since 8 this morning and nobody answers the phone either",
	"Three hours on hold and then they hung up on me. Great service as always!! 😡 #taxday",
	"Thank you to the lady at the counter today, so friendly and helpful",
	"New opening hours of our offices from next week: https://example.org/hours",
	"Die Seite ist schon wieder nicht erreichbar und die Hotline auch nicht",
	"Does anyone know whether I need a new form for the second child?",
	"lol",
	"The minister said on Tuesday that the agency would publish its report on waiting times before the end of the year, according to a spokesperson, who declined to comment further on the matter",
}

func benchBatch(b *testing.B, n int) []Message {
	values := make([][]byte, n)
	for i := range values {
		p := newPost(post.Key(i+1), benchTexts[i%len(benchTexts)])
		p.Author, p.Permalink = post.Key(i), fmt.Sprintf("https://example.org/post/%d", i)
		values[i] = encode(b, p)
	}
	return messages(values...)
}

func BenchmarkDecode(b *testing.B) {
	batch := benchBatch(b, 1024)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		var p post.Post
		if poison := decode(batch[i%len(batch)].Value, &p); poison != nil {
			b.Fatal(poison)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
}

func BenchmarkEnrich(b *testing.B) {
	for _, scorer := range []string{"vader", "bayes"} {
		e := realEnricher(b, scorer)
		b.Run(scorer, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m := post.Mention{Post: post.Post{Text: benchTexts[i%len(benchTexts)]}}
				e.Enrich(&m)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
		})
	}
}

func BenchmarkHandle(b *testing.B) {
	e := realEnricher(b, sentiment.Default)
	batch := benchBatch(b, 10_000)
	store := &fakeStore{}
	a := newAnalyzer(store, prometheus.NewRegistry())
	a.deps.Enricher = e
	b.ReportAllocs()
	for b.Loop() {
		if err := a.Handle(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		store.mentions = store.mentions[:0]
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "posts/s")
}
