package alert

import (
	"context"
	"fmt"
	"time"

	"outcry/detect"
	"outcry/post"
)

// instanceKey identifies an alert.
type instanceKey struct {
	rule   string
	series post.Series
	source string // of a blind alert
}

func (k instanceKey) fingerprint() post.Key { return fingerprint(k.rule, k.series, k.source) }

// group is where of several alerts one is told: an agency, or one source.
func (k instanceKey) group() string {
	if k.source != "" {
		return "source/" + k.source
	}
	return "agency/" + k.series.Agency
}

// instance is one alert that is or was open.
type instance struct {
	key        instanceKey
	rule       *Rule
	state      state
	fired      *post.AlertChange // the change by which it fires now
	told       bool              // receivers are told of it
	suppressed bool              // it was logged that they are not
	verdict    detect.Verdict    // as of the last evaluation
}

func (in *instance) firing() bool { return in.state.State == post.Firing }

func (in *instance) open() bool { return in.firing() || in.state.State == post.Pending }

// shift is what the evaluator knows during one ownership.
type shift struct {
	*Evaluator
	rules     []Rule
	tracker   *tracker
	desk      *desk
	instances map[instanceKey]*instance

	watch     watch
	blind     int   // sources
	withheld  bool  // a source is blind: nothing may be resolved
	heldUntil int64 // the last minute in which posts may be missing

	unlogged    []post.AlertChange  // not in the store yet; nothing new is evaluated before they are
	unpublished []post.AlertChange  // not on the topic yet
	publishFrom time.Time           // not before then is it tried again
	decided     []post.Notification // suppressions that are not in the store yet

	past past
}

func newShift(e *Evaluator) *shift {
	return &shift{
		Evaluator: e,
		rules:     e.deps.Rules,
		desk:      newDesk(e.deps, e.deps.Retry, e.log),
		instances: map[instanceKey]*instance{},
		watch:     watch{},
	}
}

// evaluate looks at the series and the sources as of now. An error of a query
// leaves every alert in its state; an error of writing leaves the changes
// waiting, and nothing new is evaluated before they are written.
func (s *shift) evaluate(ctx context.Context, now time.Time) error {
	if err := s.flush(ctx, now); err != nil {
		return err
	}
	health, err := s.deps.Store.SourceHealth(ctx)
	if err != nil {
		return fmt.Errorf("read source health: %w", err)
	}
	sight := sightOf(health, now, s.cfg.SourceTimeout)
	s.blind = len(sight.blind)
	s.withheld = s.watch.update(sight, now)
	if s.withheld || sight.gap {
		s.heldUntil = minuteOf(now)
	}
	if err := s.follow(ctx, now); err != nil {
		return err
	}
	moves, err := s.judge(ctx, sight, now)
	if err != nil {
		return err
	}
	for _, m := range moves {
		s.apply(ctx, m, now)
	}
	s.report()
	return s.flush(ctx, now)
}

// instance gives the alert of a key, made at need.
func (s *shift) instance(key instanceKey, r *Rule) *instance {
	in := s.instances[key]
	if in == nil {
		in = &instance{key: key, rule: r, state: state{State: post.Inactive}}
		s.instances[key] = in
	}
	return in
}

// suspendAll is what a failed evaluation means: calm must be seen anew.
func (s *shift) suspendAll() {
	for _, in := range s.instances {
		in.state = suspend(in.state)
	}
}

// report brings the metrics up to date.
func (s *shift) report() {
	pending, firing := 0, 0
	for _, in := range s.instances {
		switch in.state.State {
		case post.Pending:
			pending++
		case post.Firing:
			firing++
		}
	}
	s.deps.Metrics.standing(s.tracker.size(), s.tracker.counted(), pending, firing, s.blind)
}
