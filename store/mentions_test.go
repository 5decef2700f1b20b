package store

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"outcry/post"
)

func TestAMentionReadsBackAsItWasWritten(t *testing.T) {
	s := newStore(t)
	stored := noon.Add(time.Minute)
	s.now = func() time.Time { return stored }
	plain := mention(1, noon.Add(123*time.Millisecond), about("tax-office", "city"), withIssues("overload", "phone"), withTouchPoints("site"))
	edit := mention(2, noon, edited(noon.Add(time.Minute), `a "text" with 'quotes', \backslashes\, a	tab, a
line and 漢字`))
	edit.Author, edit.Links, edit.Issues = 0, nil, nil
	must(t, s.InsertMentions(t.Context(), []post.Mention{plain, edit}))

	got, err := s.Mentions(t.Context(), post.MentionQuery{})
	must(t, err)
	want := []post.StoredMention{
		{Mention: plain, Agency: "city", StoredAt: stored},
		{Mention: edit, Agency: "tax-office", StoredAt: stored},
	}
	for i := range got {
		if len(got[i].Links) == 0 {
			got[i].Links = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestFaultyValuesDoNotStopTheStream(t *testing.T) {
	s := newStore(t)
	nan := float32(math.NaN())
	bad := []post.Mention{
		mention(1, time.Time{}),
		mention(2, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)),
		mention(3, time.Date(1066, 10, 14, 0, 0, 0, 0, time.UTC)),
		mention(4, noon, func(m *post.Mention) {
			m.Sentiment = post.Sentiment{Score: nan, Confidence: nan, Label: "furious"}
			m.Complaint = nan
			m.Issues = []post.Label{{ID: "overload", Score: float32(math.Inf(1))}}
		}),
		mention(5, noon, func(m *post.Mention) { m.Sentiment.Score = float32(math.Inf(-1)) }),
		mention(6, noon, func(m *post.Mention) {
			m.Text = "not utf-8 \xff\xfe, a NUL \x00, and much: " + strings.Repeat("x", 100_000)
		}),
		mention(7, noon, about()),
		mention(8, noon, about("twice", "twice")),
		mention(9, noon, about("'); DROP TABLE mentions; --")),
	}
	must(t, s.InsertMentions(t.Context(), bad))
	rows, distinct, err := s.CountMentions(t.Context(), "")
	must(t, err)
	if rows != 8 || distinct != 8 {
		t.Errorf("%d rows of %d posts, want 8 of 8: the one without an agency has no row", rows, distinct)
	}
	points, err := s.Points(t.Context(), post.SeriesQuery{From: noon, To: noon.Add(time.Minute), Agency: "tax-office"})
	must(t, err)
	if len(points) != 1 || points[0].Posts != 3 || math.IsNaN(points[0].Score) || points[0].Score < -1 {
		t.Errorf("points %+v, want one of three posts with a score", points)
	}
	got, err := s.Mentions(t.Context(), post.MentionQuery{Agency: "'); DROP TABLE mentions; --"})
	must(t, err)
	if len(got) != 1 {
		t.Errorf("%d mentions of the odd agency, want 1", len(got))
	}
	early, err := s.Mentions(t.Context(), post.MentionQuery{To: noon.Add(-time.Hour)})
	must(t, err)
	if len(early) != 2 || !early[0].Time.Equal(earliest) {
		t.Errorf("got %+v, want the two ancient posts, at the earliest time", early)
	}
}

func TestABatchMaySpanManyMonths(t *testing.T) {
	s := newStore(t)
	var batch []post.Mention
	for i := range 360 { // 120 months, beyond the 100 partitions that an insert may touch by default
		batch = append(batch, mention(post.Key(i+1), time.Date(2009, time.Month(1+i/3), 1+i%3, 0, 0, 0, 0, time.UTC)))
	}
	must(t, s.InsertMentions(t.Context(), batch))
	_, distinct, err := s.CountMentions(t.Context(), "test")
	must(t, err)
	if distinct != 360 {
		t.Errorf("%d posts stored, want 360", distinct)
	}
	points := 0
	must(t, s.EachPoint(t.Context(), post.SeriesQuery{From: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), To: noon}, func(post.Point) error { points++; return nil }))
	if points != 360 {
		t.Errorf("%d points, want 360", points)
	}
}

func TestMentionsCanBeRestricted(t *testing.T) {
	s := newStore(t)
	must(t, s.InsertMentions(t.Context(), []post.Mention{
		mention(1, noon, withIssues("overload"), withTouchPoints("site")),
		mention(2, noon.Add(time.Minute), about("city"), func(m *post.Mention) {
			m.Platform, m.DetectedLanguage, m.Sentiment.Label = "mastodon", "de", post.Positive
		}),
		mention(3, noon.Add(2*time.Minute), about("city", "tax-office")),
		mention(4, noon.Add(-40*24*time.Hour), withIssues("phone", "overload")),
	}))
	for name, c := range map[string]struct {
		query post.MentionQuery
		want  []post.Key
	}{
		"nothing":              {post.MentionQuery{}, []post.Key{3, 2, 1, 4}},
		"agency":               {post.MentionQuery{Agency: "city"}, []post.Key{3, 2}},
		"issue":                {post.MentionQuery{Issue: "overload"}, []post.Key{1, 4}},
		"touch point":          {post.MentionQuery{TouchPoint: "site"}, []post.Key{1}},
		"platform":             {post.MentionQuery{Platform: "mastodon"}, []post.Key{2}},
		"language":             {post.MentionQuery{Language: "de"}, []post.Key{2}},
		"label":                {post.MentionQuery{Label: post.Positive}, []post.Key{2}},
		"from":                 {post.MentionQuery{From: noon.Add(time.Minute)}, []post.Key{3, 2}},
		"to":                   {post.MentionQuery{To: noon.Add(time.Minute)}, []post.Key{1, 4}},
		"limit":                {post.MentionQuery{Limit: 2}, []post.Key{3, 2}},
		"all of them":          {post.MentionQuery{Agency: "tax-office", Issue: "phone", Label: post.Negative, Limit: 5}, []post.Key{4}},
		"nothing there":        {post.MentionQuery{Agency: "nobody"}, []post.Key{}},
		"after, also filtered": {post.MentionQuery{Issue: "overload", After: &post.MentionCursor{}}, []post.Key{1, 4}},
	} {
		got, err := s.Mentions(t.Context(), c.query)
		must(t, err)
		if !slices.Equal(keysOf(got), c.want) {
			t.Errorf("by %s: %v, want %v", name, keysOf(got), c.want)
		}
	}
}

func TestAFollowerSeesEveryPostOnce(t *testing.T) {
	s := newStore(t)
	clock := noon
	s.now = func() time.Time { return clock }
	var want []post.Key
	for i := range 10 {
		var batch []post.Mention
		for j := range 7 {
			key := post.Key(10*i + j + 1)
			batch = append(batch, mention(key, noon.Add(-time.Duration(key)*time.Minute), about("city", "tax-office")))
			want = append(want, key)
		}
		clock = clock.Add(time.Second)
		must(t, s.InsertMentions(t.Context(), batch))
	}
	// Withdrawn posts, and the two rows of each post, must not end the feed early.
	var gone []post.Post
	for _, key := range want[7:21] {
		gone = append(gone, post.Post{Key: key})
	}
	must(t, s.InsertDeletes(t.Context(), gone))
	want = slices.Delete(want, 7, 21)

	var seen []post.Key
	after := post.MentionCursor{}
	for {
		page, err := s.Mentions(t.Context(), post.MentionQuery{After: &after, Limit: 5})
		must(t, err)
		seen = append(seen, keysOf(page)...)
		if len(page) < 5 {
			break
		}
		last := page[len(page)-1]
		after = post.MentionCursor{StoredAt: last.StoredAt, Key: last.Key}
	}
	if !slices.Equal(seen, want) {
		t.Errorf("followed %v\nwant %v", seen, want)
	}
}

func TestExemplarsAreDistinctComplaints(t *testing.T) {
	s := newStore(t)
	by := func(author post.Key, complaint float32, text string) func(*post.Mention) {
		return func(m *post.Mention) { m.Author, m.Complaint, m.Text = author, complaint, text }
	}
	positive := func(m *post.Mention) { m.Sentiment.Label = post.Positive }
	overload := withIssues("overload")
	must(t, s.InsertMentions(t.Context(), []post.Mention{
		mention(1, noon, overload, by(1, 0.9, "the site is down")),
		mention(2, noon, overload, by(2, 0.8, "The SITE is down")), // the same text
		mention(3, noon, overload, by(1, 0.7, "still down")),       // the same voice
		mention(4, noon, overload, by(3, 0.6, "error 503")),
		mention(5, noon, overload, by(4, 1, "works for me"), positive),
		mention(6, noon, overload, by(0, 0.5, "unknown author")),
		mention(7, noon, overload, by(0, 0.4, "another unknown author")),
		mention(8, noon, overload, by(5, 1, "")),                          // its text is gone
		mention(9, noon.Add(time.Hour), overload, by(6, 1, "too late")),   //
		mention(10, noon, by(7, 1, "another issue")),                      //
		mention(11, noon, overload, by(8, 1, "elsewhere"), about("city")), //
		mention(12, noon, overload, by(9, 1, "withdrawn")),                //
	}))
	must(t, s.InsertDeletes(t.Context(), []post.Post{{Key: 12}}))
	series := post.Series{Agency: "tax-office", Issue: "overload"}
	got, err := s.Exemplars(t.Context(), series, noon, noon.Add(time.Minute), 10)
	must(t, err)
	if want := []post.Key{1, 4, 6, 7, 5}; !slices.Equal(keysOf(got), want) {
		t.Errorf("exemplars %v, want %v", keysOf(got), want)
	}
	got, err = s.Exemplars(t.Context(), series, noon, noon.Add(time.Minute), 2)
	must(t, err)
	if want := []post.Key{1, 4}; !slices.Equal(keysOf(got), want) {
		t.Errorf("two exemplars %v, want %v", keysOf(got), want)
	}
}

func TestCountsStayTheSameAboveWhatIsExact(t *testing.T) {
	s := newStore(t)
	const n = 30_000 // in one minute, more than a state keeps exactly
	posts := make([]post.Mention, n)
	for i := range posts {
		posts[i] = mention(post.Key(i+1), noon.Add(time.Duration(i)*time.Millisecond), func(m *post.Mention) {
			m.Sentiment.Score = float32(i%5)/2 - 1
		})
	}
	ask := func() post.Point {
		points, err := s.Points(t.Context(), post.SeriesQuery{From: noon, To: noon.Add(time.Minute)})
		must(t, err)
		if len(points) != 1 {
			t.Fatalf("%d points, want 1", len(points))
		}
		return points[0]
	}
	for chunk := range slices.Chunk(posts, 10_000) {
		must(t, s.InsertMentions(t.Context(), chunk))
	}
	first := ask()
	if off := math.Abs(float64(first.Posts)/n - 1); off > 0.01 {
		t.Errorf("%d posts counted, want %d within 1 %%", first.Posts, n)
	}
	if math.Abs(first.Score) > 0.02 {
		t.Errorf("mean score %v, want 0 within 0.02", first.Score)
	}
	slices.Reverse(posts)
	for chunk := range slices.Chunk(posts, 7_000) {
		must(t, s.InsertMentions(t.Context(), chunk))
	}
	if again := ask(); again != first {
		t.Errorf("delivered again in another order: %+v, before %+v", again, first)
	}
}

func TestPointsAreBounded(t *testing.T) {
	s := newStore(t, func(c *Config) { c.MaxRows = 3 })
	var batch []post.Mention
	for i := range 4 {
		batch = append(batch, mention(post.Key(i+1), noon.Add(time.Duration(i)*time.Minute)))
	}
	must(t, s.InsertMentions(t.Context(), batch))
	q := post.SeriesQuery{From: noon, To: noon.Add(time.Hour)}
	if _, err := s.Points(t.Context(), q); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v, want ErrTooMany", err)
	}
	q.To = noon.Add(3 * time.Minute)
	if points, err := s.Points(t.Context(), q); err != nil || len(points) != 3 {
		t.Errorf("%d points, %v; want 3", len(points), err)
	}
	q.Step = time.Second
	if _, err := s.Points(t.Context(), q); err == nil {
		t.Error("a step of a second was accepted")
	}
	stop := errors.New("enough")
	calls := 0
	err := s.EachPoint(t.Context(), post.SeriesQuery{From: noon, To: noon.Add(time.Hour)}, func(post.Point) error { calls++; return stop })
	if calls != 1 || !errors.Is(err, stop) {
		t.Errorf("%d calls, %v; want the stream to end at the first error", calls, err)
	}
}
