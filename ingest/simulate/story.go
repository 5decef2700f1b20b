// Package simulate makes up posts: the story of three fictional agencies for the
// demonstration, and a load of given size for measuring.
//
// Promise: the story is a function of its seed, of time and of the moment it
// begins; telling a stretch of it again gives the same posts with the same ids.
// Nothing in it names a real agency or person.
//
// Limits: it is a stage set. Its texts come from a small grammar, so accuracy
// measured on them means nothing.
package simulate

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"outcry/ingest"
)

// Platform is the platform of all made-up posts.
const Platform = "demo"

// Story tells who posts what and when.
type Story struct {
	cfg      Config
	origin   time.Time // when the live part begins; incidents are relative to it
	grammars map[string]*grammar
}

// NewStory makes the story whose live part begins at origin.
func NewStory(cfg Config, origin time.Time) (*Story, error) {
	grammars, err := loadGrammars()
	if err != nil {
		return nil, err
	}
	return &Story{cfg: cfg, origin: origin.UTC().Truncate(time.Second), grammars: grammars}, nil
}

// Between gives the posts of from ≤ time < to, in the order of their times.
func (s *Story) Between(from, to time.Time) []ingest.Event {
	var events []ingest.Event
	for minute := from.UTC().Truncate(time.Minute); minute.Before(to); minute = minute.Add(time.Minute) {
		for i := range roles {
			events = s.calm(events, i, minute)
		}
		if minute.Add(time.Minute).After(s.origin) {
			events = s.incidents(events, minute)
		}
	}
	events = slices.DeleteFunc(events, func(e ingest.Event) bool { return e.Time.Before(from) || !e.Time.Before(to) })
	slices.SortStableFunc(events, func(a, b ingest.Event) int { return a.Time.Compare(b.Time) })
	return events
}

// Write tells a stretch as documents, one a line, and how many there were.
func (s *Story) Write(ctx context.Context, w io.Writer, from, to time.Time) (int, error) {
	count := 0
	for at := from; at.Before(to) && ctx.Err() == nil; at = at.Add(time.Hour) {
		events := s.Between(at, minTime(at.Add(time.Hour), to))
		for i := range events {
			line, err := ingest.EncodeDocument(&events[i])
			if err != nil {
				return count, err
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return count, fmt.Errorf("write simulated posts: %w", err)
			}
			count++
		}
	}
	return count, ctx.Err()
}

// calm adds the ordinary posts about one agency in one minute. They do not
// depend on the origin, so that history is the same whenever it is told.
func (s *Story) calm(events []ingest.Event, r int, minute time.Time) []ingest.Event {
	role := &roles[r]
	rng := s.rng("calm", r, minute.Unix())
	people, audience := audience(role, minute)
	// Real counts vary more than chance alone would have it: some days and some
	// hours are livelier than others.
	mood := s.mood("day", r, minute.Unix()/86400, 0.10) * s.mood("hour", r, minute.Unix()/1200, 0.18)
	n := poisson(rng, role.byDay*audience*mood)
	for i := range n {
		at := minute.Add(time.Duration(rng.IntN(60_000)) * time.Millisecond)
		sp := s.speaker(rng, role, people)
		// The few write much, the many little.
		author := int(math.Pow(rng.Float64(), 2.5) * 40_000)
		events = append(events, s.event(&sp, at, pick(rng, role.topics),
			fmt.Sprintf("b%d-%d-%d", minute.Unix(), r, i), author))
	}
	return events
}

// event makes one post.
func (s *Story) event(sp *saying, at time.Time, section, id string, author int) ingest.Event {
	text := sp.restyle(sp.say(section))
	return ingest.Event{
		Platform: Platform, ID: strconv.FormatUint(s.cfg.Seed, 36) + "-" + id, Author: "person-" + strconv.Itoa(author),
		Text: text, Language: sp.language, Time: at,
	}
}

// audience tells how the people of each population are disposed to write about
// an agency at a time, and the sum: 1 at the busiest.
func audience(role *role, at time.Time) ([]float64, float64) {
	people, sum := make([]float64, len(populations)), 0.0
	for i, p := range populations {
		local := at.Add(time.Duration(p.zone) * time.Hour)
		hour, next := local.Hour(), (local.Hour()+1)%24
		part := float64(local.Minute()) / 60
		people[i] = p.share * (role.hours[hour]*(1-part) + role.hours[next]*part)
		if day := local.Weekday(); day == time.Saturday || day == time.Sunday {
			people[i] *= role.sunday
		}
		sum += people[i]
	}
	return people, sum
}

// saying is a speaker of a language with a style.
type saying struct {
	speaker
	language string
}

func (s *Story) speaker(rng *rand.Rand, role *role, people []float64) saying {
	language := populations[pickIndex(rng, people)].language
	return saying{speaker{g: s.grammars[language], rng: rng, agency: role.name}, language}
}

// restyle varies how carefully a text is typed.
func (s *saying) restyle(text string) string {
	text = strings.TrimSpace(text)
	switch s.rng.IntN(10) {
	case 0, 1, 2:
		text = strings.ToLower(text)
	case 3, 4, 5, 6:
		text = capital(text)
	case 7:
		text = strings.TrimRight(text, ".!") + "..."
	case 8:
		text = strings.ReplaceAll(text, ",", "")
	}
	return text
}

func capital(s string) string {
	for i, r := range s {
		return s[:i] + strings.ToUpper(string(r)) + s[i+len(string(r)):]
	}
	return s
}

// rng gives the source of chance of one place in the story.
func (s *Story) rng(what string, r int, at int64) *rand.Rand {
	return rand.New(rand.NewPCG(s.cfg.Seed+uint64(r)*0x9e3779b97f4a7c15, uint64(ingest.Key(what, strconv.FormatInt(at, 36)))))
}

// mood is a factor around 1 that stays the same for a while.
func (s *Story) mood(what string, r int, at int64, spread float64) float64 {
	return math.Exp(s.rng(what, r, at).NormFloat64()*spread - spread*spread/2)
}

// poisson draws a count of mean lambda.
func poisson(rng *rand.Rand, lambda float64) int {
	if lambda > 50 {
		return max(0, int(math.Round(lambda+math.Sqrt(lambda)*rng.NormFloat64())))
	}
	n, p, limit := 0, rng.Float64(), math.Exp(-lambda)
	for p > limit {
		n++
		p *= rng.Float64()
	}
	return n
}

// pick draws a topic.
func pick(rng *rand.Rand, topics []topic) string {
	sum := 0.0
	for _, t := range topics {
		sum += t.weight
	}
	x := rng.Float64() * sum
	for _, t := range topics {
		if x -= t.weight; x < 0 {
			return t.section
		}
	}
	return topics[len(topics)-1].section
}

func pickIndex(rng *rand.Rand, weights []float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	x := rng.Float64() * sum
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
