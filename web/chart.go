package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"outcry/post"
)

// maxPoints is how many points of a series one answer may hold.
const maxPoints = 3000

// A chart is a series over time with what was expected of it.
type chart struct {
	Agency     string        `json:"agency"`
	AgencyName string        `json:"agency_name"`
	Issue      string        `json:"issue,omitempty"`
	From       time.Time     `json:"from"`
	To         time.Time     `json:"to"`
	Step       post.Duration `json:"step"` // seconds
	// Complete is where the last, unfinished step begins; To when all are finished.
	Complete time.Time    `json:"complete"`
	Points   []chartPoint `json:"points"` // one for each step
	Alerts   []chartAlert `json:"alerts"` // that were firing meanwhile
	// Expected tells whether it is known what is normal.
	Expected bool `json:"expected"`
}

type chartPoint struct {
	Time     time.Time `json:"time"`
	Posts    uint64    `json:"posts"`
	Voices   uint64    `json:"voices"`
	Negative uint64    `json:"negative"`
	Score    *float64  `json:"score"`    // null where nobody spoke
	Expected *normal   `json:"expected"` // voices; null where it is not known
}

type chartAlert struct {
	Fingerprint post.Key        `json:"fingerprint"`
	Severity    string          `json:"severity"`
	State       post.AlertState `json:"state"`
	Started     time.Time       `json:"started"`
	Ended       time.Time       `json:"ended,omitzero"`
	Summary     string          `json:"summary"`
}

// chart reads a series in steps that start at multiples of step.
func (s *Server) chart(ctx context.Context, series post.Series, from, to time.Time, step time.Duration) (*chart, error) {
	from = from.Truncate(step)
	if end := to.Truncate(step); end.Before(to) {
		to = end.Add(step)
	}
	c := &chart{
		Agency: series.Agency, AgencyName: s.names.agency(series.Agency), Issue: series.Issue,
		From: from.UTC(), To: to.UTC(), Complete: to.UTC(), Step: post.Duration(step), Alerts: []chartAlert{},
	}
	now := s.now()
	if now.Before(to) {
		c.Complete = now.Truncate(step).UTC()
	}
	points, err := s.deps.Store.Points(ctx, post.SeriesQuery{
		From: from, To: to, Step: step, Agency: series.Agency, Issue: series.Issue,
	})
	if err != nil {
		s.readFailed(ctx, readSeries, err)
		return nil, fmt.Errorf("read the series of %s: %w", series.Agency, err)
	}
	c.Points = make([]chartPoint, to.Sub(from)/step)
	for i := range c.Points {
		c.Points[i].Time = from.Add(time.Duration(i) * step).UTC()
	}
	for _, p := range points {
		if cp := c.at(p.Minute); cp != nil {
			cp.Posts, cp.Voices, cp.Negative = p.Posts, p.Authors, p.Negative
			if p.Posts > 0 {
				score := finite(p.Score)
				cp.Score = &score
			}
		}
	}
	bands, err := s.bands.get(ctx, series, from, to, step)
	if err != nil { // the posts are worth showing without
		s.readFailed(ctx, readExpected, err)
	}
	for _, b := range bands {
		if cp := c.at(b.Time); cp != nil {
			cp.Expected = b.normal()
			c.Expected = true
		}
	}
	if err := s.alerts.refresh(ctx, now); err != nil {
		s.readFailed(ctx, readAlerts, err)
	}
	for _, a := range s.alerts.during(s.names, series, from, to) {
		mark := chartAlert{Fingerprint: a.Fingerprint, Severity: a.Severity, State: a.State, Started: a.Started, Summary: a.Summary}
		if a.State == post.Resolved {
			mark.Ended = a.At
		}
		c.Alerts = append(c.Alerts, mark)
	}
	return c, nil
}

// at finds the point of a time, or nil outside of the chart.
func (c *chart) at(t time.Time) *chartPoint {
	if t.Before(c.From) {
		return nil
	}
	if i := int(t.Sub(c.From) / time.Duration(c.Step)); i < len(c.Points) {
		return &c.Points[i]
	}
	return nil
}

// Peak is the point with the most voices, or nil when nobody spoke.
func (c *chart) Peak() *chartPoint {
	var peak *chartPoint
	for i := range c.Points {
		if p := &c.Points[i]; p.Voices > 0 && (peak == nil || p.Voices > peak.Voices) {
			peak = p
		}
	}
	return peak
}

// An issueCount is how often an issue was reported in the time of a view.
type issueCount struct {
	ID      string
	Name    string
	Posts   uint64
	Share   float64 // of the most frequent issue
	URL     string  // of the view of this issue alone
	Current bool    // it is what the view shows
}

// shownIssues is how many issues are listed before the rest is folded away.
const shownIssues = 6

// issues counts the posts of an agency by issue, the most frequent first. A
// post may count for several.
func (s *Server) issues(ctx context.Context, v view, from, to time.Time) ([]issueCount, error) {
	points, err := s.deps.Store.Points(ctx, post.SeriesQuery{
		From: from, To: to, Step: time.Hour, Agency: v.Agency, By: post.Dimensions{Issue: true},
	})
	if err != nil {
		s.readFailed(ctx, readSeries, err)
		return nil, fmt.Errorf("count the issues of %s: %w", v.Agency, err)
	}
	posts := make(map[string]uint64)
	for _, p := range points {
		if p.Issue != "" {
			posts[p.Issue] += p.Posts
		}
	}
	var out []issueCount
	for id, count := range posts {
		out = append(out, issueCount{
			ID: id, Name: s.names.issue(id), Posts: count,
			URL: v.WithIssue(id).URL() + "#timeline", Current: id == v.Issue,
		})
	}
	slices.SortFunc(out, func(x, y issueCount) int {
		return cmp.Or(-cmp.Compare(x.Posts, y.Posts), cmp.Compare(x.ID, y.ID))
	})
	for i := range out {
		out[i].Share = float64(out[i].Posts) / float64(max(1, out[0].Posts))
	}
	return out, nil
}
