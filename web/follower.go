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
// while somebody watches.
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
	asleep := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := f.s.now()
		if !f.s.hub.watched(now) {
			asleep = true
			continue
		}
		if asleep {
			asleep = false
			f.begin(now)
		}
		f.round(ctx, now)
	}
}

// begin goes on from now: what a returning viewer missed, the store tells it.
func (f *follower) begin(now time.Time) {
	f.pos = post.MentionCursor{StoredAt: now}
	f.tail = feedOverlap
	f.seen = make(map[feedKey]time.Time)
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
	after := post.MentionCursor{StoredAt: f.pos.StoredAt.Add(-f.tail)}
	if f.tail == 0 {
		after = f.pos
	}
	for range feedPages {
		rows, err := f.s.deps.Store.Mentions(ctx, post.MentionQuery{After: &after, Limit: feedPage})
		if err != nil {
			return fmt.Errorf("read new posts: %w", err)
		}
		var fresh []event
		for i := range rows {
			m := &rows[i]
			after = post.MentionCursor{StoredAt: m.StoredAt, Key: m.Key}
			e := f.s.mentionEvent(m)
			if _, ok := f.seen[e.key]; ok {
				continue
			}
			f.seen[e.key] = m.StoredAt
			fresh = append(fresh, e)
			if m.StoredAt.After(f.pos.StoredAt) || m.StoredAt.Equal(f.pos.StoredAt) && m.Key > f.pos.Key {
				f.pos = after
			}
		}
		if len(fresh) > 0 {
			f.s.hub.publish(now, fresh...)
		}
		if len(rows) < feedPage {
			f.forget()
			f.tail = feedOverlap
			return nil
		}
	}
	f.skip(now)
	return nil
}

// skip leaves out what nobody can read: the feed goes on from now, and says so.
func (f *follower) skip(now time.Time) {
	if now.After(f.pos.StoredAt) {
		f.pos = post.MentionCursor{StoredAt: now}
	}
	f.tail = 0
	clear(f.seen)
	f.s.deps.Metrics.feedSkipped()
	f.s.hub.publish(now, gapEvent(position{stored: f.pos.StoredAt.UnixMilli(), key: f.pos.Key}))
}

// forget drops what the next round cannot read again.
func (f *follower) forget() {
	for k, stored := range f.seen {
		if stored.Before(f.pos.StoredAt.Add(-2 * feedOverlap)) {
			delete(f.seen, k)
		}
	}
}

func (s *Server) mentionEvent(m *post.StoredMention) event {
	shown := s.names.mention(m)
	e := newEvent(eventMention, shown)
	e.agency = m.Agency
	for _, issue := range m.Issues {
		e.issues = append(e.issues, issue.ID)
	}
	e.key = feedKey{m.Key, m.Agency, shown.Version}
	e.id.pos = position{stored: m.StoredAt.UnixMilli(), key: m.Key}
	return e
}

func (s *Server) alertEvent(c post.AlertChange) event {
	e := newEvent(eventAlert, s.names.alert(c))
	e.agency = c.Series.Agency
	e.id.pos = position{alertAt: c.At.UnixMilli()}
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
