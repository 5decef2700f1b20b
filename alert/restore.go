package alert

import (
	"context"
	"fmt"
	"time"

	"outcry/post"
)

// resolvedFor is how long after its end a receiver is still told of it.
const resolvedFor = 24 * time.Hour

// restore takes over the alerts as the log tells them. What was logged and not
// told is told again; what a receiver accepted is not.
func (s *shift) restore(ctx context.Context) error {
	now := s.deps.Now().UTC().Truncate(time.Millisecond)
	since := now.Add(-s.cfg.History)
	changes, err := s.deps.Store.AlertLog(ctx, since)
	if err != nil {
		return fmt.Errorf("read the alert log: %w", err)
	}
	notes, err := s.deps.Store.Notifications(ctx, since)
	if err != nil {
		return fmt.Errorf("read the notification log: %w", err)
	}
	told := ledgerOf(notes)
	fired := map[post.Key]post.AlertChange{} // by fingerprint, the latest that fired
	latest := map[post.Key]post.AlertChange{}
	var order []post.Key
	for _, c := range changes {
		if _, ok := latest[c.Fingerprint]; !ok {
			order = append(order, c.Fingerprint)
		}
		latest[c.Fingerprint] = c
		if c.State == post.Firing {
			fired[c.Fingerprint] = c
		}
	}
	s.instances = map[instanceKey]*instance{}
	s.unlogged, s.unpublished, s.decided = nil, nil, nil
	for _, fp := range order {
		s.resume(latest[fp], fired[fp], told, now)
	}
	return nil
}

// resume restores one alert from its latest change and the latest by which it
// fired.
func (s *shift) resume(c, fired post.AlertChange, told ledger, now time.Time) {
	key := instanceKey{rule: c.Rule, series: c.Series, source: c.Labels[labelSource]}
	rule, known := s.rule(c)
	in := s.instance(key, rule)
	in.state = state{State: c.State, Started: c.Started, Since: c.At}
	switch c.State {
	case post.Firing:
		in.fired = &c
		in.told = told.anyone(c.ID)
		in.suppressed = !in.told && told.suppressed[c.ID]
		if key.source != "" {
			s.watch[key.source] = c.Started
		}
		if in.told {
			s.tellRest(c, told)
		}
		if !in.told && !in.suppressed {
			s.unpublished = append(s.unpublished, c)
		}
	case post.Resolved:
		if fired.Started.Equal(c.Started) && told.anyone(fired.ID) && now.Sub(c.At) < resolvedFor {
			s.tellRest(c, told)
		}
		if !told.anyone(c.ID) && !told.suppressed[c.ID] && now.Sub(c.At) < resolvedFor {
			s.unpublished = append(s.unpublished, c)
		}
	}
	if in.open() && !known {
		s.retire(in, now)
	}
}

// rule finds the rule of a change. Where it is gone, a copy of what the change
// knows of it serves to end the alert.
func (s *shift) rule(c post.AlertChange) (r *Rule, known bool) {
	kind := KindBurst
	if c.Labels[labelSource] != "" {
		kind = KindBlind
	}
	for i := range s.rules {
		if r := &s.rules[i]; r.Name == c.Rule && r.Kind == kind && (kind == KindBlind || r.by() == by(c.Series)) {
			return r, true
		}
	}
	return &Rule{Name: c.Rule, Kind: kind, Severity: c.Severity, Labels: c.Labels, Annotations: c.Annotations}, false
}

// tellRest tells the receivers that have not accepted the change.
func (s *shift) tellRest(c post.AlertChange, told ledger) {
	for _, name := range s.desk.names {
		if !told.accepted[acceptance{c.ID, name}] {
			s.desk.tell(name, c)
		}
	}
}

// retire ends an alert whose rule is gone.
func (s *shift) retire(in *instance, now time.Time) {
	m := move{candidate: candidate{in: in}, from: in.state.State, next: in.state}
	m.next.State, m.next.Since = post.Resolved, now
	if m.from == post.Pending {
		m.next.State = post.Inactive
	}
	c := s.change(m, now)
	c.Summary = endSummary(headline(c.State, c.Severity, in.about(s.deps.Name)), c.Started, now, "its rule is gone")
	in.state = m.next
	s.unlogged = append(s.unlogged, c)
}

// ledger is what the notification log tells of changes.
type ledger struct {
	accepted   map[acceptance]bool
	tried      map[post.Key]bool // sent to a receiver, or tried
	suppressed map[post.Key]bool
}

type acceptance struct {
	change   post.Key
	receiver string
}

func ledgerOf(notes []post.Notification) ledger {
	l := ledger{accepted: map[acceptance]bool{}, tried: map[post.Key]bool{}, suppressed: map[post.Key]bool{}}
	for _, n := range notes {
		switch n.Status {
		case statusSent:
			l.accepted[acceptance{n.Change, n.Receiver}] = true
			l.tried[n.Change] = true
		case statusFailed:
			l.tried[n.Change] = true
		case statusSuppressed:
			l.suppressed[n.Change] = true
		}
	}
	return l
}

// anyone tells whether the change was chosen to be told.
func (l ledger) anyone(change post.Key) bool { return l.tried[change] }
