package alert

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"outcry/detect"
	"outcry/post"
)

// calmBelow is the surprise below which a burst is over. Normal times exceed it
// about once in five hours; a lower bound would keep alerts open on chance.
const calmBelow = 2.5

// candidate is an alert that an evaluation has to look at.
type candidate struct {
	in     *instance
	signal signal
	since  time.Time
	tr     *tracked // the series; nil for a blind alert, and for a series that is gone
	why    string   // of a blind alert
	ev     evidence
}

// move is a change of state that an evaluation decided on.
type move struct {
	candidate
	from post.AlertState
	next state
}

// judge decides for every alert. Those that receivers were told of come last:
// they may be resolved together with what stands behind them.
func (s *shift) judge(ctx context.Context, sight sight, now time.Time) ([]move, error) {
	list := s.candidates(sight, now)
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(number(a.in.told), number(b.in.told)) })
	behind := map[string]bool{} // groups in which an alert fires that nobody is told of
	var moves []move
	for _, c := range list {
		if c.signal == active && c.tr != nil && !c.in.open() {
			var err error
			if c.ev, err = s.gather(ctx, c.tr); err != nil {
				return nil, err
			}
			if c.ev.voices < float64(c.in.rule.MinVoices) {
				c.signal = elevated
			}
		}
		o := observation{Signal: c.signal, Since: c.since, Held: c.in.told && behind[c.in.key.group()]}
		next := step(c.in.rule, c.in.state, o, now)
		if next.State == post.Firing && !c.in.told {
			behind[c.in.key.group()] = true
		}
		if next.State == c.in.state.State {
			c.in.state = next
			continue
		}
		moves = append(moves, move{c, c.in.state.State, next})
	}
	return moves, nil
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// candidates are the alerts that are open, and those whose condition holds.
func (s *shift) candidates(sight sight, now time.Time) []candidate {
	var list []candidate
	seen := map[*instance]bool{}
	add := func(c candidate) {
		seen[c.in] = true
		list = append(list, c)
	}
	for i := range s.rules {
		r := &s.rules[i]
		if r.Kind == KindBlind {
			for _, source := range slices.Sorted(maps.Keys(sight.blind)) {
				in := s.instance(instanceKey{rule: r.Name, source: source}, r)
				add(candidate{in: in, signal: active, since: now, why: sight.blind[source]})
			}
			continue
		}
		for _, tr := range s.tracker.set(r.by()).order {
			key := instanceKey{rule: r.Name, series: tr.series}
			in, sig := s.instances[key], s.signal(tr.verdict, r.Level())
			if in == nil && sig != active {
				continue
			}
			if in == nil {
				in = s.instance(key, r)
			}
			in.verdict = tr.verdict
			add(candidate{in: in, signal: sig, since: tr.since(), tr: tr})
		}
	}
	// What is open and was not met is over: the source is back, the series gone.
	rest := slices.DeleteFunc(slices.Collect(maps.Values(s.instances)), func(in *instance) bool { return seen[in] || !in.open() })
	slices.SortFunc(rest, func(a, b *instance) int {
		return cmp.Compare(a.key.fingerprint(), b.key.fingerprint())
	})
	for _, in := range rest {
		sig := calm
		if in.rule.Kind == KindBurst && s.withheld || in.key.source != "" && sight.blind[allSources] != "" {
			sig = unknown
		}
		add(candidate{in: in, signal: sig})
	}
	return list
}

// signal says what a verdict means at a level. Calm seen with one eye shut is
// not calm.
func (s *shift) signal(v detect.Verdict, level float64) signal {
	switch {
	case !v.Warm:
		return unknown
	case v.Surprise >= level:
		return active
	case v.Surprise >= calmBelow:
		return elevated
	case s.withheld:
		return unknown
	}
	return calm
}

// gather asks the store for the distinct voices of the burst and how many posts
// are negative.
func (s *shift) gather(ctx context.Context, tr *tracked) (evidence, error) {
	q := post.SeriesQuery{
		From: tr.since(), To: timeOf(tr.end), By: by(tr.series),
		Agency: tr.series.Agency, Issue: tr.series.Issue,
		Step: 7 * 24 * time.Hour, // one point, except across the night to Thursday
	}
	points, err := s.deps.Store.Points(ctx, q)
	if err != nil {
		return evidence{}, fmt.Errorf("count the voices of a burst: %w", err)
	}
	var e evidence
	var posts, negative uint64
	for _, p := range points {
		if p.Series == tr.series {
			e.voices = max(e.voices, float64(p.Authors))
			posts, negative = posts+p.Posts, negative+p.Negative
		}
	}
	if posts > 0 {
		e.negative = float64(negative) / float64(posts)
	}
	return e, nil
}

// by is the breakdown in which a series is one.
func by(s post.Series) post.Dimensions {
	return post.Dimensions{Issue: s.Issue != "", TouchPoint: s.TouchPoint != "", Platform: s.Platform != "", Language: s.Language != ""}
}

const shownExemplars = 3

// complete adds what a reader wants to see and an alert can do without.
func (s *shift) complete(ctx context.Context, tr *tracked, e *evidence) {
	posts, err := s.deps.Store.Exemplars(ctx, tr.series, tr.since(), timeOf(tr.end), shownExemplars)
	if err != nil {
		s.log.Warn("an alert goes without exemplars", "agency", tr.series.Agency, "error", err)
	}
	for _, p := range posts {
		e.exemplars = append(e.exemplars, p.Key)
	}
	if tr.series == (post.Series{Agency: tr.series.Agency}) {
		e.mostly = s.mostly(tr.series.Agency)
	}
}

// mostly is the issue of an agency that stands out most, if any does.
func (s *shift) mostly(agency string) string {
	set := s.tracker.set(post.Dimensions{Issue: true})
	if set == nil {
		return ""
	}
	issue, most := "", calmBelow
	for _, tr := range set.order {
		if tr.series.Agency == agency && tr.verdict.Warm && tr.verdict.Surprise >= most {
			issue, most = tr.series.Issue, tr.verdict.Surprise
		}
	}
	return issue
}

// apply makes a move and notes the change for the log.
func (s *shift) apply(ctx context.Context, m move, now time.Time) {
	in := m.in
	if m.tr != nil && m.next.State == post.Firing {
		if m.from == post.Pending {
			if ev, err := s.gather(ctx, m.tr); err == nil {
				m.ev = ev
			} else {
				s.log.Warn("an alert goes without its count of voices", "agency", m.tr.series.Agency, "error", err)
				m.ev.voices = m.tr.verdict.Observed
			}
		}
		s.complete(ctx, m.tr, &m.ev)
	}
	in.state = m.next
	c := s.change(m, now)
	if c.State == post.Firing {
		in.fired, in.told, in.suppressed = &c, false, false
	}
	s.unlogged = append(s.unlogged, c)
	s.log.Info(transition(c.From, c.State), "rule", c.Rule, "agency", c.Series.Agency, "issue", c.Series.Issue,
		"source", in.key.source, "change", c.ID, "surprise", c.Surprise, "observed", c.Observed, "expected", c.Expected)
}

// change describes a move.
func (s *shift) change(m move, now time.Time) post.AlertChange {
	in, r := m.in, m.in.rule
	fp := in.key.fingerprint()
	c := post.AlertChange{
		ID: changeID(fp, m.next.Started, m.next.State), At: now, Fingerprint: fp,
		Rule: r.Name, RuleVersion: r.version(), Series: in.key.series, Severity: r.Severity,
		From: m.from, State: m.next.State, Started: m.next.Started,
		Negative: m.ev.negative, Exemplars: m.ev.exemplars,
		Labels: maps.Clone(r.Labels), Annotations: maps.Clone(r.Annotations),
	}
	if in.key.source != "" {
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		c.Labels[labelSource] = in.key.source
	}
	v := in.verdict
	if m.tr != nil {
		c.Window, c.Observed, c.Expected, c.Surprise = post.Duration(v.Window), v.Observed, v.Expected, v.Surprise
	}
	if m.tr != nil && m.ev.voices > 0 {
		c.Observed = m.ev.voices
	}
	head := headline(c.State, r.Severity, in.about(s.deps.Name))
	begins := c.State == post.Pending || c.State == post.Firing
	switch {
	case begins && m.tr != nil:
		c.Summary = burstSummary(head, v, m.ev, s.deps.Name)
	case begins:
		c.Summary = head + " is blind · " + m.why
	case m.tr != nil:
		c.Summary = endSummary(head, c.Started, now, fmt.Sprintf("now %s in %s, expected %s", voices(v.Observed), span(v.Window), figure(v.Expected)))
	case in.key.source != "":
		c.Summary = endSummary(head+" is not blind any longer", c.Started, now, "")
	default:
		c.Summary = endSummary(head, c.Started, now, "the series is not watched any longer")
	}
	return c
}
