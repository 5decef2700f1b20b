package web

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"outcry/post"
)

const (
	// feedOverlap is how far before the newest known row the store is read
	// again: rows of concurrent writers become visible a little out of order.
	feedOverlap = 2 * time.Second
	feedPage    = 500 // rows of one question
	feedPages   = 2   // questions of one round; beyond, the feed shows a sample
)

// follower reads what is new in the store, once for all viewers, and only
// while somebody watches. It knows time only from the rows: the clocks of
// those who write need not agree with this one.
type follower struct {
	s    *Server
	pos  post.MentionCursor
	tail time.Duration         // overlap of the next round
	seen map[feedKey]time.Time // rows of the overlap, with the time they were stored
}

func newFollower(s *Server) *follower { return &follower{s: s} }

// run follows the store until ctx ends.
func (f *follower) run(ctx context.Context) error {
	ticker := time.NewTicker(f.s.cfg.PollInterval)
	defer ticker.Stop()
	awake := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := f.s.now()
		if !f.s.hub.watched(now) {
			awake = false
			continue
		}
		if !awake {
			awake = f.begin(ctx, now)
		}
		if awake {
			f.round(ctx, now)
		}
	}
}

// begin finds the end of what is stored, to go on from there, and tells whether
// it could.
func (f *follower) begin(ctx context.Context, now time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	newest, err := f.s.deps.Store.Mentions(ctx, post.MentionQuery{Limit: 1})
	if err != nil {
		f.s.readFailed(ctx, readMentions, fmt.Errorf("read the newest post: %w", err))
		return false
	}
	f.pos, f.tail, f.seen = post.MentionCursor{}, feedOverlap, make(map[feedKey]time.Time)
	if len(newest) > 0 {
		f.pos = post.MentionCursor{StoredAt: newest[0].StoredAt, Key: newest[0].Key}
		if err := f.leap(ctx); err != nil {
			f.s.readFailed(ctx, readMentions, err)
			return false
		}
	}
	if err := f.s.alerts.refresh(ctx, now); err != nil {
		f.s.readFailed(ctx, readAlerts, err)
		return false
	}
	// Where there is nothing yet, the place is known all the same: the beginning.
	f.s.hub.place(position{stored: max(1, millis(f.pos.StoredAt)), key: f.pos.Key, alertAt: max(1, millis(f.s.alerts.last()))})
	return true
}

// leap moves near the end of what is stored, in steps that double: what was
// stored before is not shown.
func (f *follower) leap(ctx context.Context) error {
	for step := time.Second; step < 1<<10*time.Hour; step *= 2 {
		after := post.MentionCursor{StoredAt: f.pos.StoredAt.Add(step)}
		rows, err := f.s.deps.Store.Mentions(ctx, post.MentionQuery{After: &after, Limit: 1})
		if err != nil {
			return fmt.Errorf("look for the end of the posts: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		// Just before what was found: that is shown.
		f.pos = post.MentionCursor{StoredAt: rows[0].StoredAt.Add(-time.Millisecond)}
	}
	return nil
}

// round asks for new posts and alert changes, and for the numbers when they are due.
func (f *follower) round(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if err := f.mentions(ctx, now); err != nil {
		f.s.readFailed(ctx, readMentions, err)
	}
	if err := f.s.alerts.refresh(ctx, now); err != nil {
		f.s.readFailed(ctx, readAlerts, err)
	}
	if f.s.overview.due() {
		o := f.s.overview.get(ctx)
		f.s.hub.announce(now, newEvent(eventSummary, o))
	}
}

func (f *follower) mentions(ctx context.Context, now time.Time) error {
	after := f.pos
	if f.tail > 0 && !after.StoredAt.IsZero() {
		after = post.MentionCursor{StoredAt: f.pos.StoredAt.Add(-f.tail)}
	}
	for range feedPages {
		rows, err := f.s.deps.Store.Mentions(ctx, post.MentionQuery{After: &after, Limit: feedPage})
		if err != nil {
			return fmt.Errorf("read new posts: %w", err)
		}
		fresh := f.take(rows)
		if len(fresh) > 0 {
			f.s.hub.publish(now, fresh...)
		}
		// A page may hold fewer posts than rows were read: one of several
		// agencies comes once. Far fewer than asked for is the end.
		if len(rows) < feedPage/4 {
			f.forget()
			f.tail = feedOverlap
			if len(rows) > 0 && len(fresh) == 0 {
				f.tail = 0 // the overlap hides what is behind it: look there first
			}
			return nil
		}
		last := &rows[len(rows)-1]
		after = post.MentionCursor{StoredAt: last.StoredAt, Key: last.Key}
	}
	return f.skip(ctx, now)
}

// take gives the events of the rows that were not seen before.
func (f *follower) take(rows []post.StoredMention) []event {
	var fresh []event
	for i := range rows {
		m := &rows[i]
		e := f.s.mentionEvent(m)
		if _, ok := f.seen[e.key]; ok {
			continue
		}
		f.seen[e.key] = m.StoredAt
		fresh = append(fresh, e)
		if m.StoredAt.After(f.pos.StoredAt) || m.StoredAt.Equal(f.pos.StoredAt) && m.Key > f.pos.Key {
			f.pos = post.MentionCursor{StoredAt: m.StoredAt, Key: m.Key}
		}
	}
	return fresh
}

// skip leaves out what nobody can read: the feed goes on near the end of what
// is stored, and says so.
func (f *follower) skip(ctx context.Context, now time.Time) error {
	before := f.pos
	f.tail = 0
	clear(f.seen)
	if err := f.leap(ctx); err != nil {
		return err
	}
	if f.pos == before {
		return nil // what is left was stored within a second, and is shown next
	}
	f.s.deps.Metrics.feedSkipped()
	f.s.hub.publish(now, gapEvent(position{stored: millis(f.pos.StoredAt), key: f.pos.Key}))
	return nil
}

// forget drops what the next round cannot read again.
func (f *follower) forget() {
	for k, stored := range f.seen {
		if stored.Before(f.pos.StoredAt.Add(-2 * feedOverlap)) {
			delete(f.seen, k)
		}
	}
}

// millis is a time as milliseconds since 1970; 0 for a time that is not known.
func millis(t time.Time) int64 { return max(0, t.UnixMilli()) }

func (s *Server) mentionEvent(m *post.StoredMention) event {
	shown := s.names.mention(m)
	e := newEvent(eventMention, shown)
	for _, a := range shown.Agencies {
		e.agencies = append(e.agencies, a.ID)
	}
	for _, issue := range m.Issues {
		e.issues = append(e.issues, issue.ID)
	}
	e.key = feedKey{m.Key, shown.Version}
	e.id.pos = position{stored: millis(m.StoredAt), key: m.Key}
	return e
}

func (s *Server) alertEvent(c post.AlertChange) event {
	e := newEvent(eventAlert, s.names.alert(c))
	e.agencies = []string{c.Series.Agency}
	e.id.pos = position{alertAt: millis(c.At)}
	return e
}

func gapEvent(pos position) event {
	e := newEvent(eventGap, struct{}{})
	e.id.pos = pos
	return e
}

// newEvent encodes an event. The values are the board's own types, which JSON
// can always hold.
func newEvent(name string, value any) event {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode a %s event: %v", name, err))
	}
	return event{name: name, data: data}
}

// publishAlerts hands changes of alerts to the viewers and makes the numbers due.
func (s *Server) publishAlerts(changes []post.AlertChange) {
	events := make([]event, len(changes))
	for i, c := range changes {
		events[i] = s.alertEvent(c)
	}
	s.overview.expire()
	s.hub.publish(s.now(), events...)
}

// readFailed counts and logs that something could not be read.
func (s *Server) readFailed(ctx context.Context, read string, err error) {
	if ctx.Err() == context.Canceled { //nolint:errorlint // the asker went away; nobody misses the answer
		return
	}
	s.deps.Metrics.readFailed(read)
	s.log.Warn("the board could not read", "read", read, "error", err)
}
