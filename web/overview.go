package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"outcry/post"
)

const (
	exemplarsOf = 8 // open alerts that are shown with posts
	exemplars   = 3 // posts of each
)

// overview is everything on the board but the posts and the timeline.
type overview struct {
	At       time.Time `json:"at"`
	Agencies []agency  `json:"agencies"` // what needs a person first
	Alerts   []alert   `json:"alerts"`   // open, worst first
	Resolved []alert   `json:"resolved"` // in the last day, newest first
	Sources  []source  `json:"sources"`
	// Calm says what an empty list of alerts means: calm, or nobody listening.
	Calm string `json:"calm"`
	// AllClear tells that there are no alerts and that everything is heard.
	AllClear bool `json:"all_clear"`
	// Unknown names the parts that could not be read: they are old, or missing.
	Unknown []string `json:"unknown"`
}

// Blind are the sources that hear nothing.
func (o *overview) Blind() []source {
	var out []source
	for _, s := range o.Sources {
		if s.Blind {
			out = append(out, s)
		}
	}
	return out
}

// calm withholds the all-clear from whoever does not hear.
func (o *overview) calm() (words string, clear bool) {
	blind := len(o.Blind())
	switch {
	case slices.Contains(o.Unknown, readAlerts):
		return "Whether there are alerts is not known: the store did not answer.", false
	case slices.Contains(o.Unknown, readSources):
		return "No alerts. Whether the sources are heard is not known, so this is no all-clear.", false
	case len(o.Sources) == 0:
		return "No alerts. But no source has reported yet, so this is no all-clear.", false
	case blind > 0:
		return fmt.Sprintf("No alerts. But %d of %d sources hear nothing, so this is no all-clear.", blind, len(o.Sources)), false
	}
	return "No alerts. Every source is heard, and nothing is out of the ordinary.", len(o.Alerts) == 0
}

// Firing counts the alerts that need a person.
func (o *overview) Firing() int {
	n := 0
	for _, a := range o.Alerts {
		if a.State == post.Firing {
			n++
		}
	}
	return n
}

// overviewCache takes the overview once for all viewers.
type overviewCache struct {
	s      *Server
	flight singleflight.Group

	mu       sync.Mutex
	last     *overview
	expired  bool // an alert changed since
	normals  map[string]keptNormal
	evidence map[post.Key]keptEvidence // by fingerprint
}

type keptNormal struct {
	at time.Time
	n  *normal
}

type keptEvidence struct {
	at       time.Time
	change   post.Key
	mentions []mention
}

func newOverviewCache(s *Server) *overviewCache {
	return &overviewCache{s: s, normals: make(map[string]keptNormal), evidence: make(map[post.Key]keptEvidence)}
}

// expire makes the next get take a new overview.
func (c *overviewCache) expire() {
	c.mu.Lock()
	c.expired = true
	c.mu.Unlock()
}

// due tells whether the overview is older than the summary interval.
func (c *overviewCache) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last == nil || c.expired || c.s.now().Sub(c.last.At) >= c.s.cfg.SummaryInterval
}

// get gives the overview, at most one summary interval old. It always gives
// one: what could not be read is named in it and as old as the last success.
func (c *overviewCache) get(ctx context.Context) *overview {
	if !c.due() {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.last
	}
	got, _, _ := c.flight.Do("", func() (any, error) {
		// The answer serves others too: it must not end with one viewer's request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
		defer cancel()
		return c.take(ctx), nil
	})
	return got.(*overview)
}

func (c *overviewCache) take(ctx context.Context) *overview {
	now := c.s.now()
	c.mu.Lock()
	old := c.last
	c.mu.Unlock()
	if old == nil {
		old = &overview{}
	}
	o := &overview{At: now.UTC(), Unknown: []string{}, Sources: old.Sources}
	failed := func(read string, err error) {
		c.s.readFailed(ctx, read, err)
		o.Unknown = append(o.Unknown, read)
	}

	if err := c.s.alerts.refresh(ctx, now); err != nil {
		failed(readAlerts, err)
	}
	c.mu.Lock()
	c.expired = false
	c.mu.Unlock()
	o.Alerts, o.Resolved = c.s.alerts.list(c.s.names, now)
	for i := range o.Alerts[:min(len(o.Alerts), exemplarsOf)] {
		c.addEvidence(ctx, &o.Alerts[i], now)
	}
	if health, err := c.s.deps.Store.SourceHealth(ctx); err != nil {
		failed(readSources, err)
	} else {
		o.Sources = judgeSources(health, now, c.s.cfg.SourceStale)
	}
	summaries, err := c.s.deps.Store.AgencySummaries(ctx, now)
	if err != nil {
		failed(readSummaries, err)
		o.Agencies = old.Agencies
	} else {
		o.Agencies = c.agencies(ctx, summaries, now)
	}
	if o.Agencies == nil {
		o.Agencies = c.agencies(ctx, nil, now)
	}
	o.judgeAgencies()
	o.Calm, o.AllClear = o.calm()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = o
	return o
}

func judgeSources(health []post.SourceHealth, now time.Time, stale time.Duration) []source {
	out := make([]source, len(health))
	for i, h := range health {
		out[i] = judgeSource(h, now, stale)
	}
	slices.SortFunc(out, func(x, y source) int {
		if x.Blind != y.Blind {
			if x.Blind {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.Source, y.Source)
	})
	return out
}

// addEvidence adds the posts that speak for an alert, read again each minute:
// a post that was deleted meanwhile must go.
func (c *overviewCache) addEvidence(ctx context.Context, a *alert, now time.Time) {
	c.mu.Lock()
	kept := c.evidence[a.Fingerprint]
	c.mu.Unlock()
	if kept.change == a.Change && now.Sub(kept.at) < time.Minute {
		a.Exemplars = kept.mentions
		return
	}
	rows, err := c.s.deps.Store.Exemplars(ctx, a.Series, a.Started.Add(-time.Duration(a.Window)), now, exemplars)
	if err != nil {
		c.s.readFailed(ctx, readMentions, fmt.Errorf("exemplars of an alert: %w", err))
		return
	}
	a.Exemplars = c.s.names.mentions(rows)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.evidence) > 10*exemplarsOf {
		clear(c.evidence)
	}
	c.evidence[a.Fingerprint] = keptEvidence{now, a.Change, a.Exemplars}
}
