package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"outcry/post"
)

const (
	normalWindow = 10 * time.Minute // over which voices are set against what is normal
	normalFresh  = 5 * time.Minute  // what is normal changes slowly
	normalBudget = 500 * time.Millisecond
	sparkSpan    = 3 * time.Hour
	sparkStep    = 5 * time.Minute
	exemplarsOf  = 8 // open alerts that are shown with posts
	exemplars    = 3 // posts of each
)

// An agency is how one agency is being spoken of, as the board and the API show it.
type agency struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Country    string        `json:"country,omitempty"`
	TenMinutes post.Activity `json:"ten_minutes"`
	Hour       post.Activity `json:"hour"`
	Day        post.Activity `json:"day"`
	Normal     *normal       `json:"normal"` // of ten minutes; null where it is not known
	Level      string        `json:"level"`  // alert, raised, normal, quiet
	Severity   string        `json:"severity,omitempty"`
	Firing     int           `json:"firing"`
	Pending    int           `json:"pending"`
	Spark      []uint64      `json:"spark"` // voices of the last three hours, five minutes each
}

type normal struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func (b Band) normal() *normal {
	return &normal{Mean: finite(b.Mean), Low: finite(b.Low), High: finite(b.High)}
}

// heard is an activity that can be shown.
func heard(a post.Activity) post.Activity {
	a.Negative = finite(a.Negative)
	return a
}

// Ratio is how many times the normal number of voices were heard; 0 where it
// means nothing because hardly any are expected.
func (a agency) Ratio() float64 {
	if a.Normal == nil || a.Normal.Mean < 1 {
		return 0
	}
	return float64(a.TenMinutes.Voices) / a.Normal.Mean
}

// overview is everything on the board but the posts and the timeline.
type overview struct {
	At       time.Time `json:"at"`
	Agencies []agency  `json:"agencies"` // what needs a person first
	Alerts   []alert   `json:"alerts"`   // open, worst first
	Resolved []alert   `json:"resolved"` // in the last day, newest first
	Sources  []source  `json:"sources"`
	// Calm says what an empty list of alerts means: calm, or nobody listening.
	Calm string `json:"calm"`
	// AllClear tells that there are no alerts and that everything is heard.
	AllClear bool `json:"all_clear"`
	// Unknown names the parts that could not be read: they are old, or missing.
	Unknown []string `json:"unknown"`
}

// Blind are the sources that hear nothing.
func (o *overview) Blind() []source {
	var out []source
	for _, s := range o.Sources {
		if s.Blind {
			out = append(out, s)
		}
	}
	return out
}

// calm withholds the all-clear from whoever does not hear.
func (o *overview) calm() (words string, clear bool) {
	blind := len(o.Blind())
	switch {
	case slices.Contains(o.Unknown, readAlerts):
		return "Whether there are alerts is not known: the store did not answer.", false
	case slices.Contains(o.Unknown, readSources):
		return "No alerts. Whether the sources are heard is not known, so this is no all-clear.", false
	case len(o.Sources) == 0:
		return "No alerts. But no source has reported yet, so this is no all-clear.", false
	case blind > 0:
		return fmt.Sprintf("No alerts. But %d of %d sources hear nothing, so this is no all-clear.", blind, len(o.Sources)), false
	}
	return "No alerts. Every source is heard, and nothing is out of the ordinary.", len(o.Alerts) == 0
}

// Firing counts the alerts that need a person.
func (o *overview) Firing() int {
	n := 0
	for _, a := range o.Alerts {
		if a.State == post.Firing {
			n++
		}
	}
	return n
}

// overviewCache takes the overview once for all viewers.
type overviewCache struct {
	s      *Server
	flight singleflight.Group

	mu       sync.Mutex
	last     *overview
	expired  bool // an alert changed since
	normals  map[string]keptNormal
	evidence map[post.Key]keptEvidence // by fingerprint
}

type keptNormal struct {
	at time.Time
	n  *normal
}

type keptEvidence struct {
	at       time.Time
	change   post.Key
	mentions []mention
}

func newOverviewCache(s *Server) *overviewCache {
	return &overviewCache{s: s, normals: make(map[string]keptNormal), evidence: make(map[post.Key]keptEvidence)}
}

// expire makes the next get take a new overview.
func (c *overviewCache) expire() {
	c.mu.Lock()
	c.expired = true
	c.mu.Unlock()
}

// due tells whether the overview is older than the summary interval.
func (c *overviewCache) due() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last == nil || c.expired || c.s.now().Sub(c.last.At) >= c.s.cfg.SummaryInterval
}

// get gives the overview, at most one summary interval old. It always gives
// one: what could not be read is named in it and as old as the last success.
func (c *overviewCache) get(ctx context.Context) *overview {
	if !c.due() {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.last
	}
	got, _, _ := c.flight.Do("", func() (any, error) {
		// The answer serves others too: it must not end with one viewer's request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
		defer cancel()
		return c.take(ctx), nil
	})
	return got.(*overview)
}

func (c *overviewCache) take(ctx context.Context) *overview {
	now := c.s.now()
	c.mu.Lock()
	old := c.last
	c.mu.Unlock()
	if old == nil {
		old = &overview{}
	}
	o := &overview{At: now.UTC(), Unknown: []string{}, Sources: old.Sources}
	failed := func(read string, err error) {
		c.s.readFailed(ctx, read, err)
		o.Unknown = append(o.Unknown, read)
	}

	if err := c.s.alerts.refresh(ctx, now); err != nil {
		failed(readAlerts, err)
	}
	c.mu.Lock()
	c.expired = false
	c.mu.Unlock()
	o.Alerts, o.Resolved = c.s.alerts.list(c.s.names, now)
	for i := range o.Alerts[:min(len(o.Alerts), exemplarsOf)] {
		c.addEvidence(ctx, &o.Alerts[i], now)
	}
	if health, err := c.s.deps.Store.SourceHealth(ctx); err != nil {
		failed(readSources, err)
	} else {
		o.Sources = judgeSources(health, now, c.s.cfg.SourceStale)
	}
	summaries, err := c.s.deps.Store.AgencySummaries(ctx, now)
	if err != nil {
		failed(readSummaries, err)
		o.Agencies = old.Agencies
	} else {
		o.Agencies = c.agencies(ctx, summaries, now)
	}
	if o.Agencies == nil {
		o.Agencies = c.agencies(ctx, nil, now)
	}
	o.judgeAgencies()
	o.Calm, o.AllClear = o.calm()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = o
	return o
}

func judgeSources(health []post.SourceHealth, now time.Time, stale time.Duration) []source {
	out := make([]source, len(health))
	for i, h := range health {
		out[i] = judgeSource(h, now, stale)
	}
	slices.SortFunc(out, func(x, y source) int {
		if x.Blind != y.Blind {
			if x.Blind {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.Source, y.Source)
	})
	return out
}

// agencies joins the configured agencies with what was heard of them.
func (c *overviewCache) agencies(ctx context.Context, summaries []post.AgencySummary, now time.Time) []agency {
	sparks := c.sparks(ctx, now)
	byID := make(map[string]post.AgencySummary, len(summaries))
	for _, sum := range summaries {
		byID[sum.Agency] = sum
	}
	out := make([]agency, 0, len(c.s.deps.Agencies))
	for _, a := range c.s.deps.Agencies {
		sum := byID[a.ID]
		out = append(out, agency{
			ID: a.ID, Name: c.s.names.agency(a.ID), Country: a.Country,
			TenMinutes: heard(sum.TenMinutes), Hour: heard(sum.Hour), Day: heard(sum.Day), Spark: sparks(a.ID),
		})
	}
	// The loudest first: what is normal takes long to find out, and is asked
	// for only as long as nobody waits noticeably. The next overview goes on.
	slices.SortStableFunc(out, func(x, y agency) int { return -cmp.Compare(x.TenMinutes.Voices, y.TenMinutes.Voices) })
	for i := range out {
		out[i].Normal = c.normal(ctx, out[i].ID, now, c.s.now().Sub(now) < normalBudget)
	}
	return out
}

// sparks reads the last hours of every agency in one question.
func (c *overviewCache) sparks(ctx context.Context, now time.Time) func(agency string) []uint64 {
	to := now.Truncate(sparkStep).Add(sparkStep)
	from := to.Add(-sparkSpan)
	points, err := c.s.deps.Store.Points(ctx, post.SeriesQuery{From: from, To: to, Step: sparkStep})
	if err != nil {
		c.s.readFailed(ctx, readSeries, err)
	}
	byAgency := make(map[string][]uint64)
	for _, p := range points {
		line := byAgency[p.Agency]
		if line == nil {
			line = make([]uint64, sparkSpan/sparkStep)
			byAgency[p.Agency] = line
		}
		if i := int(p.Minute.Sub(from) / sparkStep); i >= 0 && i < len(line) {
			line[i] = p.Authors
		}
	}
	return func(agency string) []uint64 {
		if line := byAgency[agency]; line != nil {
			return line
		}
		return []uint64{}
	}
}

// normal gives how many voices ten minutes have at this hour, or nil. It gives
// what it knows, however old, unless it may ask.
func (c *overviewCache) normal(ctx context.Context, agency string, now time.Time, ask bool) *normal {
	c.mu.Lock()
	kept, ok := c.normals[agency]
	c.mu.Unlock()
	if !ask || ok && now.Sub(kept.at) < normalFresh {
		return kept.n
	}
	from := now.Add(-normalWindow / 2).Truncate(normalWindow)
	bands, err := c.s.bands.get(ctx, post.Series{Agency: agency}, from, from.Add(normalWindow), normalWindow)
	if err != nil {
		c.s.readFailed(ctx, readExpected, err)
		return kept.n
	}
	kept = keptNormal{at: now}
	if len(bands) > 0 {
		kept.n = bands[len(bands)-1].normal()
	}
	c.mu.Lock()
	c.normals[agency] = kept
	c.mu.Unlock()
	return kept.n
}

// addEvidence adds the posts that speak for an alert, read again each minute:
// a post that was deleted meanwhile must go.
func (c *overviewCache) addEvidence(ctx context.Context, a *alert, now time.Time) {
	c.mu.Lock()
	kept := c.evidence[a.Fingerprint]
	c.mu.Unlock()
	if kept.change == a.Change && now.Sub(kept.at) < time.Minute {
		a.Exemplars = kept.mentions
		return
	}
	rows, err := c.s.deps.Store.Exemplars(ctx, a.Series, a.Started.Add(-time.Duration(a.Window)), now, exemplars)
	if err != nil {
		c.s.readFailed(ctx, readMentions, fmt.Errorf("exemplars of an alert: %w", err))
		return
	}
	a.Exemplars = c.s.names.mentions(rows)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.evidence) > 10*exemplarsOf {
		clear(c.evidence)
	}
	c.evidence[a.Fingerprint] = keptEvidence{now, a.Change, a.Exemplars}
}

// judgeAgencies counts the alerts of each agency, says how it stands, and puts
// what needs a person first.
func (o *overview) judgeAgencies() {
	agencies := slices.Clone(o.Agencies)
	for i := range agencies {
		a := &agencies[i]
		a.Firing, a.Pending, a.Severity = 0, 0, ""
		for _, al := range o.Alerts { // worst first
			if al.Agency != a.ID {
				continue
			}
			if al.State == post.Firing {
				if a.Firing++; a.Firing == 1 {
					a.Severity = al.Severity
				}
			} else {
				a.Pending++
			}
		}
		a.Level = a.level()
	}
	slices.SortStableFunc(agencies, func(x, y agency) int {
		return cmp.Or(-cmp.Compare(x.urgency(), y.urgency()), -cmp.Compare(x.excess(), y.excess()),
			-cmp.Compare(x.TenMinutes.Voices, y.TenMinutes.Voices), -cmp.Compare(x.Day.Voices, y.Day.Voices),
			cmp.Compare(x.Name, y.Name))
	})
	o.Agencies = agencies
}

func (a *agency) level() string {
	switch {
	case a.Firing > 0:
		return "alert"
	case a.Normal != nil && float64(a.TenMinutes.Voices) > a.Normal.High:
		return "raised"
	case a.TenMinutes.Voices == 0:
		return "quiet"
	}
	return "normal"
}

// urgency ranks agencies by what is known to be wrong.
func (a *agency) urgency() int {
	switch {
	case a.Firing > 0:
		return 10 + map[string]int{"info": 1, "warning": 2, "critical": 3}[a.Severity]
	case a.Pending > 0:
		return 2
	case a.Level == "raised":
		return 1
	}
	return 0
}

// excess is by how many voices an agency is above the range of the normal.
func (a *agency) excess() float64 {
	if a.Normal == nil {
		return 0
	}
	return max(0, float64(a.TenMinutes.Voices)-a.Normal.High)
}
