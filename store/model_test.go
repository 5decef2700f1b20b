package store

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"outcry/post"
)

// The property that everything rests on: whatever is delivered, in whatever
// order and batches and however often, the store answers what a naive model of
// the same events answers.

// event is a mention, or the deletion of a post.
type event struct {
	mention post.Mention
	deleted bool
}

// model holds the events, each once.
type model struct {
	mentions []post.Mention
	deleted  map[post.Key]bool
}

// counts are the distinct values of one cell or point.
type counts struct{ posts, negative, voices, levels map[string]bool }

func (c *counts) add(m *post.Mention) {
	if c.posts == nil {
		*c = counts{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	}
	key := m.Key.String()
	c.posts[key] = true
	if m.Sentiment.Label == post.Negative {
		c.negative[key] = true
	}
	voice := key
	if m.Author != 0 {
		voice = m.Author.String()
	}
	c.voices[voice] = true
	for level := range int(math.RoundToEven(2*float64(m.Sentiment.Score) + 2)) {
		c.levels[fmt.Sprint(key, " ", level)] = true
	}
}

func (c *counts) point(series post.Series, at time.Time) post.Point {
	return post.Point{
		Series: series, Minute: at,
		Posts: uint64(len(c.posts)), Negative: uint64(len(c.negative)), Authors: uint64(len(c.voices)),
		Score: float64(len(c.levels))/float64(len(c.posts))/2 - 1,
	}
}

type pointID struct {
	series post.Series
	at     time.Time
}

// points is the naive form of Store.Points.
func (m *model) points(q post.SeriesQuery) []post.Point {
	step := int64(cmp.Or(q.Step, time.Minute).Seconds())
	found := map[pointID]*counts{}
	for i := range m.mentions {
		mention := &m.mentions[i]
		minute := mention.Time.Truncate(time.Minute)
		if minute.Before(q.From) || !minute.Before(q.To) {
			continue
		}
		for _, series := range seriesOf(mention, q) {
			id := pointID{series, time.Unix(minute.Unix()/step*step, 0).UTC()}
			if found[id] == nil {
				found[id] = &counts{}
			}
			found[id].add(mention)
		}
	}
	var points []post.Point
	for id, c := range found {
		points = append(points, c.point(id.series, id.at))
	}
	slices.SortFunc(points, comparePoints)
	return points
}

// seriesOf gives the series of a query to which a mention belongs.
func seriesOf(m *post.Mention, q post.SeriesQuery) []post.Series {
	var out []post.Series
	for _, agency := range m.Agencies {
		if q.Agency != "" && agency != q.Agency {
			continue
		}
		for _, issue := range ids(m.Issues, q.By.Issue || q.Issue != "") {
			if q.Issue != "" && issue != q.Issue {
				continue
			}
			for _, touchPoint := range ids(m.TouchPoints, q.By.TouchPoint) {
				s := post.Series{Agency: agency, Issue: issue, TouchPoint: touchPoint}
				if q.By.Platform {
					s.Platform = m.Platform
				}
				if q.By.Language {
					s.Language = m.DetectedLanguage
				}
				out = append(out, s)
			}
		}
	}
	return out
}

func ids(labels []post.Label, by bool) []string {
	if !by {
		return []string{""}
	}
	var out []string
	for _, l := range labels {
		out = append(out, l.ID)
	}
	return out
}

func comparePoints(a, b post.Point) int {
	return cmp.Or(cmp.Compare(a.Agency, b.Agency), cmp.Compare(a.Issue, b.Issue), cmp.Compare(a.TouchPoint, b.TouchPoint),
		cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Language, b.Language), a.Minute.Compare(b.Minute))
}

// visible gives the text under which each post that concerns the agency is read.
func (m *model) visible(agency string) map[post.Key]string {
	latest := map[post.Key]*post.Mention{}
	for i := range m.mentions {
		mention := &m.mentions[i]
		if old := latest[mention.Key]; old == nil || mention.Version().After(old.Version()) {
			latest[mention.Key] = mention
		}
	}
	out := map[post.Key]string{}
	for key, mention := range latest {
		if !m.deleted[key] && slices.Contains(mention.Agencies, agency) {
			out[key] = mention.Text
		}
	}
	return out
}

// world draws the events of one check; its names and keys are its own.
type world struct {
	agencies []string
	keys     []post.Key
	events   []event
}

var worlds atomic.Uint64

func drawWorld(t *rapid.T) *world {
	n := worlds.Add(1)
	w := &world{agencies: []string{fmt.Sprintf("a%d", n), fmt.Sprintf("b%d", n)}}
	for i := range rapid.IntRange(1, 8).Draw(t, "posts") {
		key := post.Key(n*1000 + uint64(i))
		w.keys = append(w.keys, key)
		at := noon.Add(time.Duration(rapid.IntRange(0, 150).Draw(t, "second")) * time.Second)
		platform := rapid.SampledFrom([]string{"x", "mastodon"}).Draw(t, "platform")
		for version := range rapid.IntRange(1, 3).Draw(t, "versions") {
			m := mention(key, at, func(m *post.Mention) { m.Platform = platform })
			if version > 0 {
				edited(at.Add(time.Duration(version)*time.Minute), fmt.Sprintf("post %d version %d", key, version))(&m)
			}
			w.classify(t, &m)
			w.events = append(w.events, event{mention: m})
		}
		if rapid.IntRange(0, 3).Draw(t, "deleted") == 0 {
			w.events = append(w.events, event{mention: mention(key, at.Add(time.Hour)), deleted: true})
		}
	}
	return w
}

func (w *world) classify(t *rapid.T, m *post.Mention) {
	subset := func(name string, of []string, least int) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), least, len(of), rapid.ID[string]).Draw(t, name)
	}
	m.Agencies = subset("agencies", w.agencies, 1)
	m.Issues = labels(subset("issues", []string{"overload", "phone", "form"}, 0))
	m.TouchPoints = labels(subset("touch points", []string{"site", "app"}, 0))
	m.DetectedLanguage = rapid.SampledFrom([]string{"en", "de"}).Draw(t, "language")
	m.Author = post.Key(rapid.IntRange(0, 3).Draw(t, "author"))
	m.Sentiment.Label = rapid.SampledFrom([]post.Polarity{post.Negative, post.Neutral, post.Positive}).Draw(t, "label")
	m.Sentiment.Score = float32(rapid.IntRange(-100, 100).Draw(t, "score")) / 100
}

func (w *world) model() *model {
	m := &model{deleted: map[post.Key]bool{}}
	for _, e := range w.events {
		if e.deleted {
			m.deleted[e.mention.Key] = true
		} else {
			m.mentions = append(m.mentions, e.mention)
		}
	}
	return m
}

// deliver sends every event at least once, in a drawn order and drawn batches.
func (w *world) deliver(t *rapid.T, s *Store) {
	events := rapid.Permutation(slices.Concat(w.events, rapid.SliceOfN(rapid.SampledFrom(w.events), 0, 4).Draw(t, "again"))).Draw(t, "order")
	for len(events) > 0 {
		n := rapid.IntRange(1, len(events)).Draw(t, "batch")
		var mentions []post.Mention
		var deletes []post.Post
		for _, e := range events[:n] {
			if e.deleted {
				deletes = append(deletes, e.mention.Post)
			} else {
				mentions = append(mentions, e.mention)
			}
		}
		if err := s.InsertMentions(t.Context(), mentions); err != nil {
			t.Fatal(err)
		}
		if err := s.InsertDeletes(t.Context(), deletes); err != nil {
			t.Fatal(err)
		}
		events = events[n:]
	}
}

func (w *world) query(t *rapid.T) post.SeriesQuery {
	q := post.SeriesQuery{
		From:   noon.Add(time.Duration(rapid.IntRange(-1, 2).Draw(t, "from")) * time.Minute),
		To:     noon.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, "to")) * time.Minute),
		Agency: rapid.SampledFrom(w.agencies).Draw(t, "agency"),
		Issue:  rapid.SampledFrom([]string{"", "", "phone"}).Draw(t, "issue"),
		Step:   rapid.SampledFrom([]time.Duration{0, time.Minute, 2 * time.Minute, 7 * time.Minute}).Draw(t, "step"),
	}
	q.By.Issue = rapid.Bool().Draw(t, "by issue")
	q.By.TouchPoint = rapid.Bool().Draw(t, "by touch point")
	q.By.Platform = rapid.Bool().Draw(t, "by platform")
	q.By.Language = rapid.Bool().Draw(t, "by language")
	return q
}

func TestTheStoreAnswersWhatTheModelAnswers(t *testing.T) {
	s := newStore(t)
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		m := w.model()
		for range 2 { // the second delivery moves nothing
			w.deliver(t, s)
			for range 3 {
				w.comparePoints(t, s, m)
			}
			w.compareSummaries(t, s, m)
			w.compareMentions(t, s, m)
		}
	})
}

func (w *world) comparePoints(t *rapid.T, s *Store, m *model) {
	q := w.query(t)
	got, err := s.Points(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if want := m.points(q); !slices.Equal(got, want) {
		t.Errorf("points of %+v\n got %+v\nwant %+v", q, got, want)
	}
	var streamed []post.Point
	if err := s.EachPoint(t.Context(), q, func(p post.Point) error { streamed = append(streamed, p); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(streamed, got) {
		t.Errorf("streamed points of %+v\n got %+v\nwant %+v", q, streamed, got)
	}
}

func (w *world) compareSummaries(t *rapid.T, s *Store, m *model) {
	now := noon.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "now")) * time.Minute)
	got, err := s.AgencySummaries(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	activity := func(agency string, window time.Duration) (a post.Activity) {
		end := now.Add(time.Minute)
		var c counts
		for i := range m.mentions {
			mention := &m.mentions[i]
			minute := mention.Time.Truncate(time.Minute)
			if slices.Contains(mention.Agencies, agency) && !minute.Before(end.Add(-window)) && minute.Before(end) {
				c.add(mention)
			}
		}
		a.Posts, a.Voices = uint64(len(c.posts)), uint64(len(c.voices))
		a.Negative = share(uint64(len(c.negative)), a.Posts)
		return a
	}
	for _, agency := range w.agencies {
		want := post.AgencySummary{Agency: agency, TenMinutes: activity(agency, 10*time.Minute), Hour: activity(agency, time.Hour), Day: activity(agency, 24*time.Hour)}
		i := slices.IndexFunc(got, func(a post.AgencySummary) bool { return a.Agency == agency })
		switch {
		case i < 0 && want.Day.Posts > 0:
			t.Errorf("no summary of %s, want %+v", agency, want)
		case i >= 0 && got[i] != want:
			t.Errorf("summary at %v\n got %+v\nwant %+v", now, got[i], want)
		}
	}
}

func (w *world) compareMentions(t *rapid.T, s *Store, m *model) {
	for _, agency := range w.agencies {
		want := m.visible(agency)
		for name, q := range map[string]post.MentionQuery{
			"newest": {Agency: agency},
			"after":  {Agency: agency, After: &post.MentionCursor{}},
		} {
			mentions, err := s.Mentions(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if got := textByKey(mentions); !maps.Equal(got, want) || len(mentions) != len(want) {
				t.Errorf("%s mentions of %s\n got %v\nwant %v", name, agency, got, want)
			}
		}
	}
	want := m.visible(w.agencies[0])
	maps.Copy(want, m.visible(w.agencies[1]))
	mentions, err := s.MentionsByKey(t.Context(), w.keys)
	if err != nil {
		t.Fatal(err)
	}
	if got := textByKey(mentions); !maps.Equal(got, want) || len(mentions) != len(want) {
		t.Errorf("mentions by key\n got %v\nwant %v", got, want)
	}
}

func textByKey(mentions []post.StoredMention) map[post.Key]string {
	out := map[post.Key]string{}
	for _, m := range mentions {
		out[m.Key] = m.Text
	}
	return out
}
