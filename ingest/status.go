package ingest

import (
	"sync"
	"time"

	"outcry/post"
)

// status is what is known of one source. It is safe for concurrent use.
type status struct {
	name    string
	metrics *sourceMetrics
	note    func(post.SourceHealth) // records a change of state

	mu        sync.Mutex
	state     post.SourceState
	detail    string
	lastEvent time.Time
	received  uint64
	published uint64
	refused   uint64
	reads     uint64 // reads begun; tells a late stall timer that its read is over
}

// set changes the state and records it, unless nothing changed.
func (s *status) set(state post.SourceState, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(state, detail)
}

func (s *status) setLocked(state post.SourceState, detail string) {
	if s.state == state && s.detail == detail {
		return
	}
	s.state, s.detail = state, detail
	s.metrics.setState(state)
	s.note(s.rowLocked(time.Now()))
}

// beginRead notes that the source was asked for its next batch.
func (s *status) beginRead() (read uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.reads
}

// stalled notes that the given read is taking too long.
func (s *status) stalled(read uint64, limit time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads == read && s.state == post.SourceRunning {
		s.metrics.stalls.Inc()
		s.setLocked(post.SourceStalled, "nothing heard for "+limit.String())
	}
}

// endRead notes that a read gave a batch of n events: the source is alive.
func (s *status) endRead(n int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if n > 0 {
		s.received += uint64(n)
		s.lastEvent = at
		s.metrics.sawEvents(n, at)
	}
	if s.state == post.SourceStalled {
		s.setLocked(post.SourceRunning, "")
	}
}

// gap records that posts between from and now may be missing. The source goes
// on in the state it was in.
func (s *status) gap(from time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metrics.gaps.Inc()
	row := s.rowLocked(time.Now())
	row.State, row.GapFrom, row.Detail = post.SourceGap, from, "posts may be missing"
	s.note(row)
}

// add counts what became of events.
func (s *status) add(published, refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published += uint64(published)
	s.refused += uint64(refused)
	s.metrics.published.Add(float64(published))
}

// row gives the present health.
func (s *status) row(at time.Time) post.SourceHealth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rowLocked(at)
}

func (s *status) rowLocked(at time.Time) post.SourceHealth {
	return post.SourceHealth{
		At: at.UTC().Truncate(time.Millisecond), Source: s.name, State: s.state, LastEvent: s.lastEvent.UTC(),
		Received: s.received, Published: s.published, Refused: s.refused, Detail: s.detail,
	}
}
