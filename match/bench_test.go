package match

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// vocabulary makes words with the length and repetition of natural text.
func vocabulary(r *rand.Rand, n int) []string {
	words := make([]string, n)
	for i := range words {
		b := make([]byte, 2+r.IntN(8))
		for j := range b {
			b[j] = "etaoinshrdlucmfwypvbgkjqxz"[min(r.IntN(26), r.IntN(26))]
		}
		words[i] = string(b)
	}
	return words
}

// crowd makes n queries of ten phrases each.
func crowd(r *rand.Rand, words []string, n int) []Query {
	word := func() string { return words[r.IntN(len(words))] }
	queries := make([]Query, n)
	for i := range queries {
		var parts []string
		for range 7 {
			parts = append(parts, fmt.Sprintf("%q", word()+" "+word()+" "+word()))
		}
		parts = append(parts, "@"+word()+word(), "#"+word()+word(), fmt.Sprintf("%q", word()+" "+word()))
		queries[i] = Query{ID: fmt.Sprint(i), Text: "(" + strings.Join(parts, " OR ") + `) NOT "` + word() + " " + word() + `"`}
	}
	return queries
}

// texts makes posts of 140 characters of which the given share of words occurs
// in queries, with a handle or hashtag every dozen words.
func texts(r *rand.Rand, queried []string, share float64, n int) []Doc {
	everyday := vocabulary(r, 5000)
	docs := make([]Doc, n)
	for i := range docs {
		var b strings.Builder
		for b.Len() < 140 {
			words := everyday
			if r.Float64() < share {
				words = queried
			}
			b.WriteString(words[min(r.IntN(len(words)), r.IntN(len(words)))])
			switch r.IntN(12) {
			case 0:
				b.WriteString([]string{" @", " #"}[r.IntN(2)])
			case 1, 2:
				b.WriteString([]string{", ", ". "}[r.IntN(2)])
			default:
				b.WriteByte(' ')
			}
		}
		docs[i].Text = b.String()[:140]
	}
	return docs
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct {
		agencies int
		share    float64
	}{{12, 0.2}, {1000, 0.2}, {1000, 1}} {
		r := rand.New(rand.NewPCG(1, 2))
		words := vocabulary(r, 20_000)
		s, err := Compile(crowd(r, words, c.agencies))
		if err != nil {
			b.Fatal(err)
		}
		docs := texts(r, words, c.share, 1024)
		m := s.NewMatcher()
		b.Run(fmt.Sprintf("agencies=%d/queried=%v", c.agencies, c.share), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(140)
			for i := 0; b.Loop(); i++ {
				m.Match(&docs[i%len(docs)])
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	queries := crowd(r, vocabulary(r, 20_000), 1000)
	for b.Loop() {
		s, err := Compile(queries)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(s.auto.cell)), "cells")
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := vocabulary(r, 5000)
	s, err := Compile(crowd(r, words, 100))
	if err != nil {
		t.Fatal(err)
	}
	docs := append(texts(r, words, 0.5, 64), Doc{Text: "Überfüllte Straßen, 税務署, часы ＠x"})
	m := s.NewMatcher()
	for i := range docs {
		m.Match(&docs[i]) // warm up the buffers
	}
	if n := testing.AllocsPerRun(20, func() {
		for i := range docs {
			m.Match(&docs[i])
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d texts", n, len(docs))
	}
}
