package main

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"outcry/post"
	"outcry/web"
)

// world is a store and a detector of invented posts.
type world struct {
	calm    bool
	started time.Time

	mu   sync.Mutex
	rng  *rand.Rand
	said []post.StoredMention
	next post.Key
}

// incident is how long before the start the launch site failed.
const incident = 38 * time.Minute

func newWorld(calm bool) *world {
	w := &world{calm: calm, started: time.Now(), rng: rand.New(rand.NewPCG(7, 11)), next: 1}
	for i := range 90 {
		w.say(w.started.Add(-time.Duration(90-i) * 23 * time.Second))
	}
	for i, text := range hostile {
		w.add(w.started.Add(-time.Duration(len(hostile)-i)*time.Second), saying{"harbour", "", post.Negative, "en", text})
	}
	return w
}

// speak adds posts until ctx ends.
func (w *world) speak(ctx context.Context) error {
	ticker := time.NewTicker(900 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			w.mu.Lock()
			w.say(now)
			w.mu.Unlock()
		}
	}
}

func (w *world) say(at time.Time) {
	s := sayings[w.rng.IntN(len(sayings))]
	if !w.calm && w.rng.IntN(3) > 0 {
		s = failures[w.rng.IntN(len(failures))]
	}
	w.add(at, s)
}

func (w *world) add(at time.Time, s saying) {
	m := post.StoredMention{Agency: s.agency, StoredAt: at}
	m.Key, m.Kind, m.Platform, m.Time, m.Arrived = w.next, post.KindPost, platforms[int(w.next)%len(platforms)], at.Add(-time.Second), at
	m.Text, m.Author, m.Permalink, m.Agencies = s.text, w.next*31, "https://example.org/someone/1", []string{s.agency}
	m.DetectedLanguage = s.language
	m.Sentiment = post.Sentiment{Label: s.label, Score: map[post.Polarity]float32{post.Negative: -.7, post.Positive: .6}[s.label], Confidence: .8, Scorer: "invented-1"}
	if s.issue != "" {
		m.Issues = []post.Label{{ID: s.issue, Score: .9}}
		m.TouchPoints = []post.Label{{ID: "web", Score: .8}}
	}
	w.next++
	w.said = append(w.said, m)
	if len(w.said) > 2000 {
		w.said = slices.Clone(w.said[1000:])
	}
}

// usual is how many voices a minute an agency has at a time of the day.
func usual(agency string, t time.Time) float64 {
	base := .05
	for i, a := range agencies {
		if a.ID == agency {
			base = 3.4 / (1 + 1.4*float64(i))
		}
	}
	hour := float64(t.UTC().Hour()) + float64(t.Minute())/60
	return base * (1 + .55*math.Sin((hour-7)/24*2*math.Pi))
}

// voices is how many a minute really has: noise that is the same each time it
// is asked for, and the incident.
func (w *world) voices(agency string, t time.Time) float64 {
	minute := t.Unix() / 60
	r := rand.New(rand.NewPCG(uint64(minute), uint64(len(agency))*131+uint64(agency[0])))
	v := usual(agency, t) * math.Exp(.35*r.NormFloat64())
	if since := t.Sub(w.started.Add(-incident)); agency == "harbour" && !w.calm && since > 0 {
		v += 16 * (1 - math.Exp(-since.Minutes()/9)) * math.Exp(.12*r.NormFloat64())
	}
	whole := math.Floor(v)
	if r.Float64() < v-whole {
		whole++
	}
	return whole
}

func (w *world) Points(_ context.Context, q post.SeriesQuery) ([]post.Point, error) {
	step := max(q.Step, time.Minute)
	var out []post.Point
	for _, a := range agencies {
		if q.Agency != "" && q.Agency != a.ID {
			continue
		}
		for t := q.From.Truncate(step); t.Before(q.To) && t.Before(time.Now()); t = t.Add(step) {
			p := post.Point{Series: post.Series{Agency: a.ID}, Minute: t}
			for m := t; m.Before(t.Add(step)) && m.Before(time.Now()); m = m.Add(time.Minute) {
				v := w.voices(a.ID, m)
				p.Authors += uint64(v)
				p.Posts += uint64(v * 1.15)
				p.Negative += uint64(v * w.share(a.ID, m))
			}
			if q.By.Issue {
				out = append(out, split(p)...)
			} else if p.Posts > 0 {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

func (w *world) share(agency string, t time.Time) float64 {
	if agency == "harbour" && !w.calm && t.After(w.started.Add(-incident)) {
		return .74
	}
	return .28
}

func split(p post.Point) []post.Point {
	var out []post.Point
	for issue, share := range map[string]float64{"down": .55, "access": .21, "wait": .12, "rejected": .08, "information": .04} {
		one := p
		one.Issue, one.Posts = issue, uint64(math.Round(float64(p.Negative)*share))
		if one.Posts > 0 {
			out = append(out, one)
		}
	}
	return out
}

func (w *world) Expected(_ context.Context, s post.Series, from, to time.Time, step time.Duration) ([]web.Band, error) {
	if s.Agency == "ferries" {
		return nil, nil // too new
	}
	var out []web.Band
	for t := from.Truncate(step); t.Before(to); t = t.Add(step) {
		mean := usual(s.Agency, t) * step.Minutes()
		spread := 2.4 * math.Sqrt(mean*(1+.12*mean))
		out = append(out, web.Band{Time: t, Mean: mean, Low: math.Max(0, math.Floor(mean-spread)), High: math.Ceil(mean + spread)})
	}
	return out, nil
}

func (w *world) Mentions(_ context.Context, q post.MentionQuery) ([]post.StoredMention, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	limit := q.Limit
	if limit == 0 {
		limit = 100
	}
	var out []post.StoredMention
	for _, m := range w.said {
		after := q.After == nil || m.StoredAt.After(q.After.StoredAt) || m.StoredAt.Equal(q.After.StoredAt) && m.Key > q.After.Key
		within := (q.From.IsZero() || !m.Time.Before(q.From)) && (q.To.IsZero() || m.Time.Before(q.To))
		named := (q.Agency == "" || q.Agency == m.Agency) && (q.Issue == "" || slices.ContainsFunc(m.Issues, func(l post.Label) bool { return l.ID == q.Issue }))
		if after && within && named {
			out = append(out, m)
		}
	}
	if q.After == nil {
		slices.Reverse(out)
	}
	return out[:min(len(out), limit)], nil
}

func (w *world) Exemplars(ctx context.Context, s post.Series, _, _ time.Time, n int) ([]post.StoredMention, error) {
	return w.Mentions(ctx, post.MentionQuery{Agency: s.Agency, Issue: s.Issue, Limit: n})
}

func (w *world) AgencySummaries(_ context.Context, now time.Time) ([]post.AgencySummary, error) {
	var out []post.AgencySummary
	for _, a := range agencies {
		heard := func(d time.Duration) post.Activity {
			var v float64
			for t := now.Add(-d).Truncate(time.Minute); t.Before(now); t = t.Add(time.Minute) {
				v += w.voices(a.ID, t)
			}
			return post.Activity{Posts: uint64(v * 1.15), Voices: uint64(v), Negative: w.share(a.ID, now)}
		}
		out = append(out, post.AgencySummary{Agency: a.ID, TenMinutes: heard(10 * time.Minute), Hour: heard(time.Hour), Day: heard(24 * time.Hour)})
	}
	return out, nil
}

func (w *world) AlertLog(context.Context, time.Time) ([]post.AlertChange, error) {
	if w.calm {
		return nil, nil
	}
	at := func(d time.Duration) time.Time { return w.started.Add(-d) }
	return []post.AlertChange{
		{
			ID: 1, Fingerprint: 1, At: at(3 * time.Hour), Started: at(5 * time.Hour), Rule: "burst", RuleVersion: "9f31c2", Severity: "warning",
			Series: post.Series{Agency: "transit", Issue: "disruption"}, From: post.Firing, State: post.Resolved, Window: post.Duration(10 * time.Minute),
			Observed: 41, Expected: 9.2, Surprise: 7, Negative: .66, Summary: "41 voices about Tidewater Transit (disruption) in 10 min, expected 9.2",
		},
		{
			ID: 2, Fingerprint: 2, At: at(33 * time.Minute), Started: at(36 * time.Minute), Rule: "burst", RuleVersion: "9f31c2", Severity: "critical",
			Series: post.Series{Agency: "harbour", Issue: "down"}, From: post.Pending, State: post.Firing, Window: post.Duration(10 * time.Minute),
			Observed: 148, Expected: 21.4, Surprise: 23, Negative: .74, Summary: "148 voices about Harbour Benefits Office (website or app down) in 10 min, expected 21; since 36 min",
			Annotations: map[string]string{"terms": "error 503, launch, cannot apply, timeout", "likely_touch_point": "web (81 %)", "runbook_url": "https://wiki.example/launch-site"},
		},
		{
			ID: 3, Fingerprint: 3, At: at(4 * time.Minute), Started: at(6 * time.Minute), Rule: "burst", RuleVersion: "9f31c2", Severity: "warning",
			Series: post.Series{Agency: "passports", Issue: "wait"}, From: post.Inactive, State: post.Pending, Window: post.Duration(30 * time.Minute),
			Observed: 17, Expected: 6.1, Surprise: 3.4, Negative: .59, Summary: "17 voices about the Passport Service (waiting too long) in 30 min, expected 6.1",
		},
	}, nil
}

func (w *world) SourceHealth(context.Context) ([]post.SourceHealth, error) {
	now := time.Now()
	out := []post.SourceHealth{
		{At: now, Source: "bluesky", State: post.SourceRunning, LastEvent: now.Add(-2 * time.Second), Received: 4128733, Published: 18211, Refused: 12},
		{At: now, Source: "webhook", State: post.SourceRunning, LastEvent: now.Add(-40 * time.Second), Received: 912, Published: 407},
		{At: now, Source: "history", State: post.SourceFinished, LastEvent: now.Add(-2 * time.Hour), Received: 80000, Published: 80000},
	}
	if !w.calm {
		out = append(out, post.SourceHealth{At: now, Source: "mastodon", State: post.SourceStalled, LastEvent: now.Add(-11 * time.Minute), Received: 55120, Published: 604, Detail: "no event for 10 minutes"})
	}
	return out, nil
}
