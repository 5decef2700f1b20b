package simulate

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"outcry/ingest"
)

// LoadConfig shapes a load for measuring.
type LoadConfig struct {
	Posts      int64   // how many; 0 is without end
	Rate       float64 // posts a second; 0 is as fast as they are taken
	Run        string  // goes into every id, so that two runs have no post in common
	Seed       uint64  // decides texts and repetitions
	Duplicates float64 // share of events, 0 to 1, that repeat an earlier post
}

// Bounds of the load.
const (
	loadTexts  = 4096 // distinct texts
	loadBatch  = 500  // events in a batch
	loadRecent = 8192 // posts from which repetitions are taken
)

// Load is a source of made-up posts about the fictional agencies. Each carries
// the time at which it was released.
type Load struct {
	cfg    LoadConfig
	texts  []ingest.Event
	rng    *rand.Rand
	recent []ingest.Event
	start  time.Time
	given  int64 // events released
	fresh  int64 // distinct posts among them
}

// NewLoad makes the source and its texts.
func NewLoad(cfg LoadConfig) (*Load, error) {
	if cfg.Duplicates < 0 || cfg.Duplicates > 1 {
		return nil, errors.New("duplicates must be from 0 to 1")
	}
	origin := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // a Monday
	story, err := NewStory(Config{Seed: cfg.Seed}, origin)
	if err != nil {
		return nil, err
	}
	l := &Load{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 7))}
	for from := origin; len(l.texts) < loadTexts; from = from.Add(time.Hour) {
		for _, ev := range story.Between(from, from.Add(time.Hour)) {
			if mentioned(ev.Text) && len(l.texts) < loadTexts {
				l.texts = append(l.texts, ev)
			}
		}
	}
	return l, nil
}

// Open begins the load; it has no cursor.
func (l *Load) Open(context.Context, string) error {
	l.start = time.Now()
	return nil
}

// Distinct is how many different posts have been given.
func (l *Load) Distinct() int64 { return l.fresh }

// Read gives the events that are due.
func (l *Load) Read(ctx context.Context) (ingest.Batch, error) {
	n := int64(loadBatch)
	if l.cfg.Posts > 0 {
		n = min(n, l.cfg.Posts-l.given)
	}
	if n <= 0 {
		return ingest.Batch{}, ingest.ErrEnd
	}
	if l.cfg.Rate > 0 {
		// A hundredth of a second's worth at a time, so that latency is that of
		// the pipeline and not of our batching.
		n = min(n, max(1, int64(l.cfg.Rate/100)))
		at := l.start.Add(time.Duration(float64(l.given+n) / l.cfg.Rate * float64(time.Second)))
		if err := sleep(ctx, time.Until(at)); err != nil {
			return ingest.Batch{}, err
		}
	} else if err := ctx.Err(); err != nil {
		return ingest.Batch{}, err
	}
	now := time.Now()
	events := make([]ingest.Event, n)
	for i := range events {
		events[i] = l.next(now)
	}
	l.given += n
	return ingest.Batch{Events: events}, nil
}

// next makes one event: a fresh post, or one of the recent ones again.
func (l *Load) next(now time.Time) ingest.Event {
	if l.cfg.Duplicates > 0 && len(l.recent) > 0 && l.rng.Float64() < l.cfg.Duplicates {
		return l.recent[l.rng.IntN(len(l.recent))]
	}
	ev := l.texts[l.fresh%loadTexts]
	ev.ID = l.cfg.Run + "-" + strconv.FormatInt(l.fresh, 10)
	ev.Author = strconv.FormatInt(l.fresh*7919%250_000, 10)
	ev.Time = now
	if l.cfg.Duplicates > 0 {
		if len(l.recent) < loadRecent {
			l.recent = append(l.recent, ev)
		} else {
			l.recent[l.fresh%loadRecent] = ev
		}
	}
	l.fresh++
	return ev
}

// Close has nothing to release.
func (l *Load) Close() error { return nil }
