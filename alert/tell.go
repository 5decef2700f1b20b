package alert

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"outcry/post"
)

// publishTimeout bounds how long Kafka may delay telling people, publishPause how
// often.
const (
	publishTimeout = 5 * time.Second
	publishPause   = 30 * time.Second
)

// flush brings changes on their way: into the log first, then on the topic, then
// to the receivers. An error leaves what is not logged for the next time.
func (s *shift) flush(ctx context.Context, now time.Time) error {
	if len(s.unlogged) > 0 {
		if err := s.deps.Store.InsertAlerts(ctx, s.unlogged); err != nil {
			return fmt.Errorf("write %d changes to the alert log: %w", len(s.unlogged), err)
		}
		for _, c := range s.unlogged {
			s.deps.Metrics.changed(c.State)
		}
	}
	logged := s.unlogged
	s.unlogged = nil
	s.unpublished = append(s.unpublished, logged...)
	s.publish(ctx, now)
	s.decide(logged, now)
	if len(s.decided) > 0 {
		if err := s.deps.Store.InsertNotifications(ctx, s.decided); err != nil {
			return fmt.Errorf("write %d suppressions to the notification log: %w", len(s.decided), err)
		}
		s.decided = nil
	}
	return nil
}

func (s *shift) publish(ctx context.Context, now time.Time) {
	if len(s.unpublished) == 0 || now.Before(s.publishFrom) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := s.deps.Publish(ctx, s.unpublished); err != nil {
		s.log.Warn("cannot publish changes, will try again", "changes", len(s.unpublished), "error", err)
		s.publishFrom = now.Add(publishPause)
	} else {
		s.unpublished = nil
	}
	s.deps.Metrics.left(len(s.unpublished))
}

// decide chooses whom to tell of what. In a group (an agency) one alert is told,
// and another only if it is more severe; the rest is logged with the reason. An
// alert that fires on when the told one is gone is told then.
func (s *shift) decide(logged []post.AlertChange, now time.Time) {
	for _, c := range logged {
		if c.State != post.Resolved {
			continue
		}
		in := s.instances[instanceKey{rule: c.Rule, series: c.Series, source: c.Labels[labelSource]}]
		if in.told {
			s.desk.tellAll(c)
		} else {
			s.suppress(c, "nobody was told that it fired", now)
		}
		in.told, in.suppressed, in.fired = false, false, nil
	}
	leaders := map[string]*instance{}
	var untold []*instance
	for _, in := range s.instances {
		switch group := in.key.group(); {
		case !in.firing() || in.fired == nil:
		case !in.told:
			untold = append(untold, in)
		case leaders[group] == nil || rank(leaders[group].rule.Severity) < rank(in.rule.Severity):
			leaders[group] = in
		}
	}
	slices.SortFunc(untold, func(a, b *instance) int {
		return cmp.Or(
			cmp.Compare(rank(b.rule.Severity), rank(a.rule.Severity)),
			cmp.Compare(len(b.rule.By), len(a.rule.By)),
			cmp.Compare(b.fired.Surprise, a.fired.Surprise),
			cmp.Compare(a.fired.ID, b.fired.ID),
		)
	})
	for _, in := range untold {
		leader := leaders[in.key.group()]
		if leader == nil || rank(leader.rule.Severity) < rank(in.rule.Severity) {
			in.told = true
			leaders[in.key.group()] = in
			s.desk.tellAll(*in.fired)
		} else if !in.suppressed {
			in.suppressed = true
			s.suppress(*in.fired, "inhibited by "+leader.key.rule+" · "+leader.about(s.deps.Name), now)
		}
	}
}

// suppress notes that nobody is told of a change, and why.
func (s *shift) suppress(c post.AlertChange, why string, now time.Time) {
	s.deps.Metrics.notified(everyReceiver, statusSuppressed)
	s.decided = append(s.decided, post.Notification{At: now, Change: c.ID, Receiver: everyReceiver, Status: statusSuppressed, Reason: why})
	s.log.Info("notification suppressed", "change", c.ID, "summary", c.Summary, "reason", why)
}
