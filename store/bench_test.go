package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"outcry/post"
)

// generate makes n mentions that look like a busy hour: fifty agencies, up to
// two issues and one touch point, several platforms and languages.
func generate(r *rand.Rand, n int, start time.Time, span time.Duration) []post.Mention {
	platforms := []string{"bluesky", "mastodon", "x", "feed"}
	languages := []string{"en", "en", "en", "de", "es", "fr"}
	words := strings.Fields("the benefits portal keeps timing out again and nobody answers the phone line at the tax office today so I gave up waiting for hours in the queue")
	labels := []post.Polarity{post.Negative, post.Neutral, post.Positive}
	out := make([]post.Mention, n)
	var text strings.Builder
	for i := range out {
		text.Reset()
		for text.Len() < 150 {
			text.WriteString(words[r.IntN(len(words))])
			text.WriteByte(' ')
		}
		at := start.Add(time.Duration(r.Int64N(int64(span)))).Truncate(time.Millisecond)
		m := &out[i]
		m.Post = post.Post{
			Kind: post.KindPost, Key: post.Key(r.Uint64()), Platform: platforms[r.IntN(4)], Source: "bench",
			Time: at, Arrived: at, Text: text.String(), Language: "en", Author: post.Key(r.Uint64N(100_000) + 1),
			Permalink: fmt.Sprintf("https://example.org/post/%d", r.Uint64()), Agencies: []string{fmt.Sprintf("agency-%02d", r.IntN(50))},
		}
		m.DetectedLanguage = languages[r.IntN(len(languages))]
		label := r.IntN(3)
		m.Sentiment = post.Sentiment{Score: float32(label-1) * r.Float32(), Label: labels[label], Confidence: r.Float32(), Scorer: "vader-1"}
		m.Complaint = r.Float32()
		for range r.IntN(3) {
			m.Issues = append(m.Issues, post.Label{ID: fmt.Sprintf("issue-%02d", r.IntN(20)), Score: r.Float32()})
		}
		for range r.IntN(2) {
			m.TouchPoints = append(m.TouchPoints, post.Label{ID: fmt.Sprintf("touch-%d", r.IntN(8)), Score: r.Float32()})
		}
	}
	return out
}

func BenchmarkInsertMentions(b *testing.B) {
	s := newStore(b)
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Now().UTC().Truncate(time.Hour)
	b.ReportAllocs()
	rows := 0
	var took time.Duration
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		batch := generate(r, 10_000, start.Add(time.Duration(i)*time.Second), time.Minute)
		b.StartTimer()
		begin := time.Now()
		if err := s.InsertMentions(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		took += time.Since(begin)
		rows += len(batch)
	}
	b.ReportMetric(float64(rows)/took.Seconds(), "rows/s")
}

func BenchmarkTombstoneLookup(b *testing.B) {
	s := newStore(b)
	r := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		posts := make([]post.Post, 10_000)
		for i := range posts {
			posts[i].Key = post.Key(r.Uint64())
		}
		if err := s.InsertDeletes(b.Context(), posts); err != nil {
			b.Fatal(err)
		}
	}
	keys := make([]post.Key, 10_000)
	for i := range keys {
		keys[i] = post.Key(r.Uint64())
	}
	for b.Loop() {
		if _, err := s.tombstones(b.Context(), keys); err != nil {
			b.Fatal(err)
		}
	}
}
