package web

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"outcry/post"
)

const (
	bandFresh = time.Minute
	bandsKept = 256
)

// bandCache asks the Expecter once for what many viewers look at.
type bandCache struct {
	source Expecter
	now    func() time.Time
	flight singleflight.Group

	mu   sync.Mutex
	kept map[bandKey]keptBands
}

type bandKey struct {
	series   post.Series
	from, to int64
	step     time.Duration
}

type keptBands struct {
	at    time.Time
	bands []Band
}

func newBandCache(source Expecter, now func() time.Time) *bandCache {
	return &bandCache{source: source, now: now, kept: make(map[bandKey]keptBands)}
}

// get gives the bands of from ≤ time < to; none where nobody knows what is normal.
func (c *bandCache) get(ctx context.Context, s post.Series, from, to time.Time, step time.Duration) ([]Band, error) {
	if c.source == nil {
		return nil, nil
	}
	key := bandKey{s, from.Unix(), to.Unix(), step}
	c.mu.Lock()
	kept, ok := c.kept[key]
	c.mu.Unlock()
	if ok && c.now().Sub(kept.at) < bandFresh {
		return kept.bands, nil
	}
	got, err, _ := c.flight.Do(fmt.Sprint(key), func() (any, error) {
		// The answer serves others too: it must not end with one viewer's request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
		defer cancel()
		bands, err := c.source.Expected(ctx, s, from, to, step)
		if err != nil {
			return nil, fmt.Errorf("what is expected of %s: %w", s.Agency, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.kept) >= bandsKept {
			clear(c.kept)
		}
		c.kept[key] = keptBands{c.now(), bands}
		return bands, nil
	})
	if err != nil {
		return nil, err
	}
	return got.([]Band), nil
}
