package simulate

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"outcry/ingest"
)

// Demo is the source that tells the story: first its past, as fast as it is
// taken, then live. The cursor is the time up to which it has been told; a
// later start tells what was missed as calm history and begins a new launch
// day.
type Demo struct {
	cfg   Config
	story *Story
	told  time.Time      // every post before it has been given
	ahead []ingest.Event // of the live part, not yet due
	until time.Time      // ahead is complete up to here
}

// NewDemo makes the source; the story begins when it is first opened.
func NewDemo(cfg Config) *Demo { return &Demo{cfg: cfg} }

// Open finds the place to go on from.
func (d *Demo) Open(_ context.Context, cursor string) error {
	now := time.Now()
	if d.story == nil {
		story, err := NewStory(d.cfg, now)
		if err != nil {
			return ingest.Permanent(fmt.Errorf("tell the story: %w", err))
		}
		d.story = story
	}
	d.told = now.Add(-d.cfg.History).Truncate(time.Minute)
	// A cursor that is none, or lies ahead of the clock (but for the moment after
	// the last post), is as good as no cursor.
	if ms, err := strconv.ParseInt(cursor, 10, 64); err == nil {
		if at := time.UnixMilli(ms); at.After(d.told) && at.Before(now.Add(time.Minute)) {
			d.told = at
		}
	}
	d.ahead, d.until = nil, d.told
	return nil
}

// Read gives some hours of the past, or the posts that are due.
func (d *Demo) Read(ctx context.Context) (ingest.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return ingest.Batch{}, err
		}
		now := time.Now()
		if d.until.Before(now) || len(d.ahead) == 0 {
			end := d.until.Truncate(time.Minute).Add(time.Minute)
			if past := d.until.Add(4 * time.Hour); past.Before(now) {
				end = past
			}
			d.ahead = append(d.ahead, d.story.Between(d.until, end)...)
			d.until = end
		}
		if due := d.due(now); len(due) > 0 {
			return ingest.Batch{Events: due, Cursor: strconv.FormatInt(d.told.UnixMilli(), 10)}, nil
		}
		wait := d.until.Sub(now)
		if len(d.ahead) > 0 {
			wait = d.ahead[0].Time.Sub(now)
		}
		if err := sleep(ctx, wait); err != nil {
			return ingest.Batch{}, err
		}
	}
}

// due takes the posts whose time has come.
func (d *Demo) due(now time.Time) []ingest.Event {
	n := 0
	for n < len(d.ahead) && !d.ahead[n].Time.After(now) {
		n++
	}
	if n == 0 {
		return nil
	}
	due := d.ahead[:n:n]
	d.ahead = d.ahead[n:]
	d.told = due[n-1].Time.Add(time.Millisecond)
	return due
}

// Close has nothing to release.
func (d *Demo) Close() error { return nil }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
