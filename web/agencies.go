package web

import (
	"cmp"
	"context"
	"slices"
	"time"

	"outcry/post"
)

const (
	normalWindow = 10 * time.Minute // over which voices are set against what is normal
	normalFresh  = 5 * time.Minute  // what is normal changes slowly
	normalBudget = 500 * time.Millisecond
	sparkSpan    = 3 * time.Hour
	sparkStep    = 5 * time.Minute
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
