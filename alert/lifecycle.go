package alert

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"outcry/post"
)

// signal is what one evaluation says of a condition.
type signal int

const (
	unknown  signal = iota // nothing can be said: a source is blind and what is left looks calm
	calm                   // back to normal
	elevated               // neither normal nor enough to open an alert
	active                 // the condition holds
)

// state is where one alert stands in its life cycle.
type state struct {
	State   post.AlertState
	Started time.Time // when the condition began
	Since   time.Time // when the present state was entered
	Calm    time.Time // firing: since when all has been calm without a break; zero when it is not
}

// observation is what one evaluation hands to the life cycle.
type observation struct {
	Signal signal
	Since  time.Time // when the condition began, by the evidence
	Held   bool      // the alert stands for others that are still firing: it may not be resolved yet
}

// step moves an alert by one evaluation. It is a pure function; the transition
// is known by comparing the states. A failed query is not an observation: then
// the state stays as it is and suspend is called instead.
func step(r *Rule, prev state, o observation, now time.Time) state {
	next := prev
	enter := func(s post.AlertState) state {
		next.State, next.Since, next.Calm = s, now, time.Time{}
		return next
	}
	switch prev.State {
	case post.Pending:
		switch {
		case o.Signal == unknown:
		case o.Signal != active:
			return enter(post.Inactive)
		case now.Sub(prev.Since) >= r.For:
			return enter(post.Firing)
		}
	case post.Firing:
		if o.Signal != calm {
			next.Calm = time.Time{}
			return next
		}
		if next.Calm.IsZero() {
			next.Calm = now
		}
		if now.Sub(next.Calm) >= r.KeepFiringFor && !o.Held {
			return enter(post.Resolved)
		}
	default: // inactive, or resolved, which is inactive with a past
		if o.Signal != active {
			return next
		}
		// Two lives of an alert must not share their beginning: it is part of
		// the identity of a change.
		next.Started = o.Since
		if !next.Started.After(prev.Since) {
			next.Started = now
		}
		if r.For > 0 {
			return enter(post.Pending)
		}
		return enter(post.Firing)
	}
	return next
}

// suspend is what a failed evaluation does to an alert: calm must be seen
// without a break before it counts.
func suspend(prev state) state {
	prev.Calm = time.Time{}
	return prev
}

// transition names a change of state, for example PENDING => FIRING.
func transition(from, to post.AlertState) string {
	return strings.ToUpper(string(from)) + " => " + strings.ToUpper(string(to))
}

// fingerprint identifies an alert through all its lives: its rule and what it
// is about.
func fingerprint(rule string, s post.Series, source string) post.Key {
	return hash(rule, s.Agency, s.Issue, s.TouchPoint, s.Platform, s.Language, source)
}

// changeID identifies a transition, so that the same one written twice is one.
func changeID(alert post.Key, started time.Time, to post.AlertState) post.Key {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(alert))
	binary.BigEndian.PutUint64(b[8:], uint64(started.UnixMilli()))
	return hash(string(b[:]), string(to))
}

func hash(parts ...string) post.Key {
	return post.Key(xxhash.Sum64String(strings.Join(parts, "\x00")))
}
