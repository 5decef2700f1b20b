package ingest_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"outcry/ingest"
	"outcry/ingest/simulate"
	"outcry/post"
)

// BenchmarkSupervisor moves a load through the whole of ingest; publishing costs
// its encoding.
func BenchmarkSupervisor(b *testing.B) {
	agencies, err := ingest.LoadAgencies("../configs/agencies.yaml")
	if err != nil {
		b.Fatal(err)
	}
	compiled, err := ingest.CompileAgencies(append(agencies, simulate.Agencies()...))
	if err != nil {
		b.Fatal(err)
	}
	const posts = 100_000
	for b.Loop() {
		load, err := simulate.NewLoad(simulate.LoadConfig{Posts: posts, Run: "b", Seed: 1})
		if err != nil {
			b.Fatal(err)
		}
		published := make(chan int, 1)
		published <- 0
		s := ingest.New(ingest.DefaultConfig(), ingest.Deps{
			Log: slog.New(slog.DiscardHandler), Agencies: compiled, Secret: []byte("0123456789abcdef"),
			Sources: []ingest.Named{{Name: "load", Source: load}},
			Publish: func(_ context.Context, all []post.Post) error {
				for i := range all {
					if _, err := json.Marshal(&all[i]); err != nil {
						return err
					}
				}
				published <- len(all) + <-published
				return nil
			},
			DeadLetters: func(context.Context, []post.DeadLetter) error { return nil },
		})
		if err := s.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		if n := <-published; n != posts {
			b.Fatalf("published %d", n)
		}
	}
	b.ReportMetric(float64(b.N)*posts/b.Elapsed().Seconds(), "posts/s")
}
