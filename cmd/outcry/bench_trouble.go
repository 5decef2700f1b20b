package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"outcry/ingest"
	"outcry/post"
)

// The agencies that meet trouble during the bench, and what is said of them.
const (
	troubled      = 10
	troublePast   = 60 * time.Hour   // longer than a detector's warm-up
	troubleEvery  = 90 * time.Second // between two posts of the calm past
	troubleVoices = 40               // in each of the two minutes of a burst
	troubleFirst  = 20 * time.Second // before the minute turns, the first half comes
)

func troubledAgency(i int) string { return fmt.Sprintf("bench-%02d", i) }

func troubledAgencies() []post.Agency {
	list := make([]post.Agency, troubled)
	for i := range list {
		id := troubledAgency(i)
		list[i] = post.Agency{ID: id, Name: id, Query: fmt.Sprintf("@%s", troubledHandle(i))}
	}
	return list
}

func troubledHandle(i int) string { return fmt.Sprintf("benchagency%02d", i) }

// troubles makes the posts about the troubled agencies.
type troubles struct {
	now time.Time
	rng *rand.Rand
	ids int
}

func newTroubles(now time.Time) *troubles {
	return &troubles{now: now, rng: rand.New(rand.NewPCG(1, 2))}
}

func (t *troubles) event(agency int, text string, at time.Time) ingest.Event {
	t.ids++
	return ingest.Event{
		Platform: "bench", ID: fmt.Sprintf("trouble-%d", t.ids), Author: fmt.Sprint(t.ids),
		Text: fmt.Sprintf("@%s %s (%d)", troubledHandle(agency), text, t.ids), Language: "en", Time: at,
	}
}

// past is a calm past for every agency, in one batch after the other.
func (t *troubles) past() ingest.Source {
	at := t.now.Add(-troublePast)
	return &sourceFunc{func(context.Context) (ingest.Batch, error) {
		if !at.Before(t.now) {
			return ingest.Batch{}, ingest.ErrEnd
		}
		var b ingest.Batch
		for len(b.Events) < 1000 && at.Before(t.now) {
			for i := range troubled {
				offset := time.Duration(t.rng.Int64N(int64(troubleEvery)))
				if when := at.Add(offset); when.Before(t.now) {
					b.Events = append(b.Events, t.event(i, "the office was fine today, portal down for a moment", when))
				}
			}
			at = at.Add(troubleEvery)
		}
		return b, nil
	}}
}

// live lets every agency meet trouble around each turn of a minute, one second
// apart: half of the voices before it, and the half that makes the burst
// certain after it. certain is told of the latter. Each agency has one burst.
func (t *troubles) live(certain func(agency string, at time.Time)) ingest.Source {
	type step struct {
		at     time.Time
		agency int
		second bool
	}
	var steps []step
	turn := time.Now().Add(troubleFirst + 5*time.Second).Truncate(time.Minute).Add(time.Minute)
	for i := range troubled {
		steps = append(steps, step{turn.Add(-troubleFirst + time.Duration(i)*100*time.Millisecond), i, false})
	}
	for i := range troubled {
		steps = append(steps, step{turn.Add(time.Duration(i+1) * time.Second), i, true})
	}
	return &sourceFunc{func(ctx context.Context) (ingest.Batch, error) {
		if len(steps) == 0 {
			<-ctx.Done()
			return ingest.Batch{}, ctx.Err()
		}
		s := steps[0]
		steps = steps[1:]
		if err := pause(ctx, time.Until(s.at)); err != nil {
			return ingest.Batch{}, err
		}
		now := time.Now()
		var b ingest.Batch
		for range troubleVoices {
			b.Events = append(b.Events, t.event(s.agency, "the portal keeps timing out, error 500, site is down", now))
		}
		if s.second {
			certain(troubledAgency(s.agency), now)
		}
		return b, nil
	}}
}

// sourceFunc is a source without a cursor that needs no opening.
type sourceFunc struct {
	read func(context.Context) (ingest.Batch, error)
}

func (s *sourceFunc) Open(context.Context, string) error             { return nil }
func (s *sourceFunc) Read(ctx context.Context) (ingest.Batch, error) { return s.read(ctx) }
func (s *sourceFunc) Close() error                                   { return nil }
