package simulate

import (
	"fmt"
	"math"
	"time"

	"outcry/ingest"
)

// The pace of incidents.
const (
	firstLater = 16 * time.Minute // after the origin: the first of the smaller ones
	slot       = 18 * time.Minute // each holds one smaller incident, or none
	step       = 5 * time.Second  // over which the rate of an incident is constant
	ramp       = 30 * time.Second // from the first complaint to the height
	decay      = 80 * time.Second // after the fix, posts fall to a third in this time
	announced  = 45 * time.Second // before the launch fails, the news of it
)

// incident is a trouble at a time.
type incident struct {
	trouble
	id    string
	start time.Time
	fixed time.Time
}

// level is the strength of an incident at a time, 1 at its height.
func (i *incident) level(at time.Time) float64 {
	switch {
	case at.Before(i.start):
		return 0
	case at.Before(i.fixed):
		return min(1, float64(at.Sub(i.start)+step)/float64(ramp))
	}
	after := at.Sub(i.fixed)
	if after > 6*decay {
		return 0
	}
	return math.Exp(-float64(after) / float64(decay))
}

// around gives the incidents that may have posts in the minute that begins at a
// time: the launch, and those of the slots around.
func (s *Story) around(minute time.Time) []incident {
	all := []incident{s.incident("launch", launch, s.origin.Add(s.cfg.LaunchAfter))}
	k := int64(minute.Sub(s.origin.Add(firstLater)) / slot)
	for _, k := range []int64{k - 1, k} {
		rng := s.rng("slot", 0, s.origin.Unix()+k)
		if k < 0 || rng.Float64() < 0.15 { // now and then nothing happens
			continue
		}
		start := s.origin.Add(firstLater + time.Duration(k)*slot + time.Duration(rng.IntN(300))*time.Second)
		all = append(all, s.incident(fmt.Sprintf("slot%d", k), troubles[rng.IntN(len(troubles))], start))
	}
	return all
}

func (s *Story) incident(name string, t trouble, start time.Time) incident {
	rng := s.rng(name, 0, s.origin.Unix())
	hold := t.holdMinutes[0]*60 + rng.IntN(60*(t.holdMinutes[1]-t.holdMinutes[0])+1)
	return incident{trouble: t, id: name, start: start, fixed: start.Add(time.Duration(hold) * time.Second)}
}

// incidents adds the posts of incidents in one minute.
func (s *Story) incidents(events []ingest.Event, minute time.Time) []ingest.Event {
	for _, inc := range s.around(minute) {
		for at := minute; at.Before(minute.Add(time.Minute)); at = at.Add(step) {
			events = s.outcry(events, &inc, at)
		}
	}
	return events
}

// outcry adds the posts of one incident in one step.
func (s *Story) outcry(events []ingest.Event, inc *incident, at time.Time) []ingest.Event {
	role := &roles[inc.role]
	topics, level := inc.during, inc.level(at)
	if at.After(inc.fixed) {
		topics = inc.after
	}
	if inc.id == "launch" && level == 0 && at.Before(inc.start) && !at.Before(inc.start.Add(-announced)) {
		topics, level = []topic{{"launch.news", 1}}, 0.05
	}
	if level == 0 {
		return events
	}
	people, audience := audience(role, at)
	rng := s.rng(inc.id, inc.role, s.origin.Unix()<<20+at.Unix())
	// The night shift complains too.
	lambda := inc.peak * role.byDay * level * max(audience, 0.7) * step.Minutes()
	for i := range poisson(rng, lambda) {
		when := at.Add(time.Duration(rng.IntN(int(step.Milliseconds()))) * time.Millisecond)
		sp := s.speaker(rng, role, people)
		id := fmt.Sprintf("i%d-%s-%d-%d", s.origin.Unix(), inc.id, at.Unix(), i)
		ev := s.event(&sp, when, pick(rng, topics), id, 100_000+rng.IntN(2_000_000))
		if level > 0.3 && when.Before(inc.fixed) && rng.Float64() < 0.12 {
			ev.Text = s.retell(&sp, inc, rng.IntN(4))
		}
		events = append(events, ev)
	}
	return events
}

// retell passes on one of the few posts of an incident that went viral, as it
// is or with a word of one's own.
func (s *Story) retell(sp *saying, inc *incident, which int) string {
	viral := s.rng(inc.id+"-viral", which, s.origin.Unix())
	first := saying{speaker{g: sp.g, rng: viral, agency: sp.agency}, sp.language}
	sp.retold = first.restyle(first.say(inc.during[0].section))
	if sp.rng.IntN(3) == 0 {
		return sp.retold
	}
	return sp.say("retell")
}
