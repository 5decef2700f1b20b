package alert

import (
	"context"
	"fmt"
	"math"
	"time"

	"outcry/post"
)

const (
	reread      = 2                // closed minutes that are read again before they are learned: rows come late
	loadStep    = 2 * 24 * 60      // minutes of history read at once
	farBehind   = 6 * 60           // minutes from which on catching up is a new reading of the history
	checkEvery  = 10 * time.Second // how often the past is checked for changes, if that is cheap
	checkShare  = 100              // a check may take this part of the time at most
	settleLimit = time.Minute      // for so long a changing past is waited for
	changeShare = 0.01             // of the posts of the history that changed make it another history,
	changeLeast = 50.0             // but no fewer posts than that
	day         = 24 * time.Hour
)

// past remembers what the history was when it was learned.
type past struct {
	from, to time.Time
	posts    float64   // in it, before it was read
	latest   float64   // in it at the last check
	since    time.Time // since when it differs; zero when it does not
	check    time.Time // of the next check
}

// load learns the history from the store.
func (s *shift) load(ctx context.Context, again bool) error {
	now := s.deps.Now()
	end := s.learnable(now)
	p := past{from: now.Add(-s.cfg.History).Truncate(day), to: timeOf(end)}
	var err error
	if p.posts, err = s.countPosts(ctx, p.from, p.to); err != nil {
		return err
	}
	p.latest = p.posts
	var breakdowns []post.Dimensions
	for i := range s.rules {
		if s.rules[i].Kind == KindBurst {
			breakdowns = append(breakdowns, s.rules[i].by())
		}
	}
	t := newTracker(s.params, s.cfg.MaxSeries, breakdowns)
	t.next = minuteOf(p.from)
	for to := t.next; to < end; {
		to = min(t.next+loadStep, end)
		minutes := int(to - t.next)
		t.begin(minutes)
		for _, set := range t.sets {
			q := post.SeriesQuery{From: timeOf(t.next), To: timeOf(to), By: set.by}
			err := s.deps.Store.EachPoint(ctx, q, func(p post.Point) error {
				t.count(set, p, minutes)
				return nil
			})
			if err != nil {
				return fmt.Errorf("read the history from %s: %w", q.From.Format(time.RFC3339), err)
			}
		}
		t.learn(to, func(int64) bool { return false })
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	took := s.deps.Now().Sub(now)
	p.check = now.Add(took + max(checkEvery, 10*took))
	s.tracker, s.past = t, p
	s.deps.Metrics.loaded(took, again)
	s.log.Info("learned the history", "again", again, "from", p.from, "posts", p.posts, "series", t.size(), "took", took.Round(time.Millisecond).String())
	return nil
}

// learnable is the minute before which all are closed and were read again.
func (s *shift) learnable(now time.Time) int64 { return minuteOf(now.Add(-s.cfg.Delay)) - reread }

// follow reads the last minutes, learns those that are settled and judges all.
func (s *shift) follow(ctx context.Context, now time.Time) error {
	changed, err := s.changed(ctx, now)
	if err != nil {
		return err
	}
	if changed || minuteOf(now)-s.tracker.next > farBehind {
		if err := s.load(ctx, true); err != nil {
			return err
		}
	}
	t := s.tracker
	end := minuteOf(now) + 1
	minutes := int(max(end-t.next, 0))
	t.begin(minutes)
	for _, set := range t.sets {
		q := post.SeriesQuery{From: timeOf(t.next), To: timeOf(end), By: set.by}
		points, err := s.deps.Store.Points(ctx, q)
		if err != nil {
			return fmt.Errorf("read the last minutes: %w", err)
		}
		for _, p := range points {
			t.count(set, p, minutes)
		}
	}
	t.learn(s.learnable(now), func(m int64) bool { return m <= s.heldUntil })
	t.look(minuteOf(now.Add(-s.cfg.Delay)))
	return nil
}

// changed tells whether the history has become another since it was learned, as
// a back-fill makes it, and has settled.
func (s *shift) changed(ctx context.Context, now time.Time) (bool, error) {
	p := &s.past
	if now.Before(p.check) {
		return false, nil
	}
	posts, err := s.countPosts(ctx, p.from, p.to)
	if err != nil {
		return false, err
	}
	p.check = now.Add(max(checkEvery, checkShare*s.deps.Now().Sub(now)))
	settled := math.Abs(posts-p.latest) <= changeShare*posts
	p.latest = posts
	if math.Abs(posts-p.posts) <= max(changeShare*p.posts, changeLeast) {
		p.since = time.Time{}
		return false, nil
	}
	if p.since.IsZero() {
		p.since = now
		s.log.Info("the past has changed: the detectors will be rebuilt", "posts_before", p.posts, "posts_now", posts)
		return false, nil
	}
	return settled || now.Sub(p.since) >= settleLimit, nil
}

// countPosts counts the posts of all agencies in from ≤ time < to.
func (s *shift) countPosts(ctx context.Context, from, to time.Time) (float64, error) {
	points, err := s.deps.Store.Points(ctx, post.SeriesQuery{From: from, To: to, Step: day})
	if err != nil {
		return 0, fmt.Errorf("count the posts of the history: %w", err)
	}
	n := 0.0
	for _, p := range points {
		n += float64(p.Posts)
	}
	return n, nil
}
