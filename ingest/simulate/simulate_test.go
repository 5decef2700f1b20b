package simulate

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"outcry/ingest"
	"outcry/match"
)

// origin is a Monday afternoon.
var origin = time.Date(2026, 9, 21, 14, 3, 11, 0, time.UTC)

func story(t testing.TB, seed uint64) *Story {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Seed = seed
	s, err := NewStory(cfg, origin)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// matcher tells which fictional agencies an event concerns.
func matcher(t testing.TB) func(ingest.Event) []int {
	t.Helper()
	var queries []match.Query
	for _, a := range Agencies() {
		if !strings.HasPrefix(a.ID, "demo-") || !strings.Contains(a.Name, "(demo)") {
			t.Errorf("agency %+v is not labelled as a demonstration", a)
		}
		queries = append(queries, match.Query{ID: a.ID, Text: a.Query})
	}
	set, err := match.Compile(queries)
	if err != nil {
		t.Fatal(err)
	}
	m := set.NewMatcher()
	return func(e ingest.Event) []int { return m.Match(&match.Doc{Text: e.Text}) }
}

// TestHistory checks that two weeks look like life: as many posts as wanted,
// with the rhythm of days and weeks, in several languages.
func TestHistory(t *testing.T) {
	s := story(t, 1)
	history := s.Between(origin.Add(-14*24*time.Hour), origin)
	if n := len(history); n < 60_000 || n > 100_000 {
		t.Fatalf("%d posts", n)
	}
	matches := matcher(t)
	spoken, agencies, ids := map[string]int{}, map[int]int{}, map[string]bool{}
	byHour := [24]int{}
	weekday, weekend, strays := 0, 0, 0
	texts := map[string]bool{}
	for i, e := range history {
		if i > 0 && e.Time.Before(history[i-1].Time) {
			t.Fatal("not in the order of time")
		}
		ids[e.ID] = true
		texts[e.Text] = true
		spoken[e.Language]++
		hit := matches(e)
		if len(hit) == 0 {
			strays++
		}
		for _, a := range hit {
			agencies[a]++
			if a == 0 {
				byHour[e.Time.Hour()]++
				if d := e.Time.Weekday(); d == time.Saturday || d == time.Sunday {
					weekend++
				} else {
					weekday++
				}
			}
		}
		if e.Platform != Platform || e.Text == "" || e.Author == "" || strings.ContainsAny(e.Text, "{}<|>") {
			t.Fatalf("event %+v", e)
		}
	}
	if len(ids) != len(history) {
		t.Errorf("%d ids of %d posts", len(ids), len(history))
	}
	// A small grammar repeats itself; it must not look like it.
	if len(texts) < len(history)/8 {
		t.Errorf("only %d distinct texts", len(texts))
	}
	for _, l := range languages {
		if share := float64(spoken[l]) / float64(len(history)); share < 0.05 {
			t.Errorf("%s is spoken by %.3f", l, share)
		}
	}
	if len(agencies) != 3 || agencies[0] < agencies[1] || agencies[1] < agencies[2] {
		t.Errorf("posts by agency: %v", agencies)
	}
	if share := float64(strays) / float64(len(history)); share < 0.02 || share > 0.1 {
		t.Errorf("%.3f concern nobody", share)
	}
	if byHour[12] < 4*byHour[4] {
		t.Errorf("noon has %d posts, the night %d", byHour[12], byHour[4])
	}
	if day, end := float64(weekday)/10, float64(weekend)/4; end > 0.7*day || end < 0.3*day {
		t.Errorf("a weekday has %.0f posts, a day of the weekend %.0f", day, end)
	}
}

// TestBusyRate checks the ordinary rate of the launch agency on working days.
func TestBusyRate(t *testing.T) {
	s, matches := story(t, 1), matcher(t)
	n := 0
	for d := 1; d <= 5; d++ {
		noon := time.Date(2026, 9, 6+d, 10, 0, 0, 0, time.UTC)
		for _, e := range s.Between(noon, noon.Add(2*time.Hour)) {
			if slices.Contains(matches(e), 0) {
				n++
			}
		}
	}
	if rate := float64(n) / 600; rate < 4 || rate > 7 {
		t.Errorf("%.1f posts a minute", rate)
	}
}

// TestLaunchDay checks the arc of the story: calm, the news, the outcry within
// two minutes, minutes of it, the thanks, and calm again.
func TestLaunchDay(t *testing.T) {
	for _, start := range []time.Time{origin, origin.Add(-11 * time.Hour), origin.Add(5 * 24 * time.Hour)} { // by day, by night, on a weekend
		s, err := NewStory(DefaultConfig(), start)
		if err != nil {
			t.Fatal(err)
		}
		matches := matcher(t)
		perMinute, authors, thanks := map[int]int{}, map[string]int{}, map[int]int{}
		spoken, copies := map[string]int{}, map[string]int{}
		for _, e := range s.Between(start, start.Add(16*time.Minute)) {
			minute := int(e.Time.Sub(start) / time.Minute)
			if !slices.Contains(matches(e), 0) {
				continue
			}
			perMinute[minute]++
			if lower := strings.ToLower(e.Text); strings.Contains(lower, "thank") || strings.Contains(lower, "danke") || strings.Contains(lower, "merci") || strings.Contains(lower, "gracias") {
				thanks[minute]++
			}
			if minute >= 2 && minute <= 5 {
				authors[e.Author]++
				spoken[e.Language]++
				copies[e.Text]++
			}
		}
		if perMinute[0] > 35 {
			t.Errorf("%v: the first minute has %d posts", start, perMinute[0])
		}
		total := 0
		for m := 2; m <= 5; m++ {
			total += perMinute[m]
			if perMinute[m] < 90 || perMinute[m] > 300 {
				t.Errorf("%v: minute %d has %d posts", start, m, perMinute[m])
			}
		}
		if perMinute[15] > 20 {
			t.Errorf("%v: after the fix a minute still has %d posts", start, perMinute[15])
		}
		if thanks[7]+thanks[8]+thanks[9] < 10 {
			t.Errorf("%v: thanks by minute: %v", start, thanks)
		}
		if float64(len(authors)) < 0.9*float64(total) || len(spoken) < 4 {
			t.Errorf("%v: %d posts by %d authors in %v", start, total, len(authors), spoken)
		}
		most := 0
		for _, n := range copies {
			most = max(most, n)
		}
		if most < 3 || float64(most) > 0.2*float64(total) || float64(len(copies)) < 0.6*float64(total) {
			t.Errorf("%v: %d texts of %d posts, one of them %d times", start, len(copies), total, most)
		}
	}
}

// TestLaterIncidents wants the demonstration to stay alive for a day.
func TestLaterIncidents(t *testing.T) {
	s := story(t, 1)
	kinds := map[string]bool{}
	busy := 0
	for at := origin.Add(20 * time.Minute); at.Before(origin.Add(24 * time.Hour)); at = at.Add(time.Minute) {
		for _, inc := range s.around(at.Truncate(time.Minute)) {
			if inc.level(at) == 1 {
				busy++
				kinds[roles[inc.role].name+inc.during[0].section] = true
			}
		}
	}
	if busy < 3*60 || busy > 14*60 || len(kinds) < 5 {
		t.Errorf("%d minutes of trouble, of %d kinds", busy, len(kinds))
	}
}

// TestStoryIsAFunctionOfItsSeed tells stretches again, whole and in pieces.
func TestStoryIsAFunctionOfItsSeed(t *testing.T) {
	a, b, c := story(t, 1), story(t, 1), story(t, 2)
	from, to := origin.Add(-time.Hour), origin.Add(time.Hour)
	whole := a.Between(from, to)
	if !reflect.DeepEqual(whole, b.Between(from, to)) {
		t.Error("the same seed tells two stories")
	}
	if other := c.Between(from, to); reflect.DeepEqual(texts(whole), texts(other)) {
		t.Error("two seeds tell one story")
	}
	var pieces []ingest.Event
	for at := from; at.Before(to); at = at.Add(7 * time.Second) {
		pieces = append(pieces, b.Between(at, minTime(at.Add(7*time.Second), to))...)
	}
	if !reflect.DeepEqual(whole, pieces) {
		t.Errorf("told in pieces there are %d posts, in one %d", len(pieces), len(whole))
	}
	// History does not depend on when the live part begins.
	later, err := NewStory(DefaultConfig(), origin.Add(3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Between(from, origin.Truncate(time.Minute)), later.Between(from, origin.Truncate(time.Minute))) {
		t.Error("history depends on the origin")
	}
}

func texts(events []ingest.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.Text)
	}
	return all
}

func TestWriteIsReadByReplay(t *testing.T) {
	s := story(t, 1)
	from, to := origin.Add(-90*time.Minute), origin.Add(10*time.Minute)
	var b bytes.Buffer
	n, err := s.Write(t.Context(), &b, from, to)
	if err != nil {
		t.Fatal(err)
	}
	want := s.Between(from, to)
	lines := bytes.Split(bytes.TrimSpace(b.Bytes()), []byte("\n"))
	if n != len(want) || len(lines) != len(want) {
		t.Fatalf("%d posts, %d lines, wanted %d", n, len(lines), len(want))
	}
	for i, line := range lines {
		ev, refusal := ingest.DecodeDocument(line, "import")
		if refusal != nil || !reflect.DeepEqual(ev, want[i]) {
			t.Fatalf("%s\n%+v %v\n%+v", line, ev, refusal, want[i])
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Write(ctx, &b, from, to); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestGrammars wants every language able to say what the story needs, for every
// agency that needs it.
func TestGrammars(t *testing.T) {
	grammars, err := loadGrammars()
	if err != nil {
		t.Fatal(err)
	}
	needs := map[string]map[string]bool{}
	need := func(agency string, topics []topic) {
		if needs[agency] == nil {
			needs[agency] = map[string]bool{"A": true, "retell": true}
		}
		for _, topic := range topics {
			needs[agency][topic.section] = true
		}
	}
	for _, r := range roles {
		need(r.name, r.topics)
	}
	for _, tr := range append([]trouble{launch}, troubles...) {
		need(roles[tr.role].name, tr.during)
		need(roles[tr.role].name, tr.after)
	}
	for language, g := range grammars {
		for agency, sections := range needs {
			for section := range sections {
				s := speaker{g: g, agency: agency}
				if len(s.ways(section)) == 0 {
					t.Errorf("%s cannot say %s about %s", language, section, agency)
				}
			}
		}
	}
	for name, bad := range map[string]string{"open": "[a]\nhello {b", "missing": "[a]\n{b}", "in a choice": "[a]\n<x|{b}>"} {
		if _, err := parseGrammar(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestDemo lives through the source under a fake clock: history at once, then
// every post at its time.
func TestDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := DefaultConfig()
		cfg.History = 24 * time.Hour
		d := NewDemo(cfg)
		if err := d.Open(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		var all []ingest.Event
		var cursor string
		after := 0
		for time.Since(begun) < 5*time.Minute {
			b, err := d.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				if late := time.Since(e.Time); late < 0 || e.Time.After(begun) && late > time.Second {
					t.Fatalf("a post of %v was given at %v", e.Time, time.Now())
				}
			}
			all = append(all, b.Events...)
			cursor, after = b.Cursor, len(all)
		}
		want := d.story.Between(begun.Add(-cfg.History).Truncate(time.Minute), time.Now().Add(time.Millisecond))
		if !reflect.DeepEqual(all, want) {
			t.Fatalf("gave %d posts, the story has %d", len(all), len(want))
		}

		// Opened again in the same process, it goes on with the same story.
		if err := d.Open(t.Context(), cursor); err != nil {
			t.Fatal(err)
		}
		b, err := d.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		next := d.story.Between(want[len(want)-1].Time, b.Events[0].Time.Add(time.Millisecond))
		if b.Events[0].ID == all[after-1].ID || !slices.ContainsFunc(next, func(e ingest.Event) bool { return e.ID == b.Events[0].ID }) {
			t.Errorf("after %s comes %s", all[after-1].ID, b.Events[0].ID)
		}

		// A later process tells what was missed, and a new launch day.
		time.Sleep(2 * time.Hour)
		again := NewDemo(cfg)
		if err := again.Open(t.Context(), cursor); err != nil {
			t.Fatal(err)
		}
		b, err = again.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if first := b.Events[0].Time; first.Before(time.UnixMilli(at)) || first.After(time.UnixMilli(at).Add(10*time.Minute)) {
			t.Errorf("it goes on at %v, the cursor is %v", first, time.UnixMilli(at))
		}
		for _, bad := range []string{"garbage", "99999999999999", "-5"} {
			if err := again.Open(t.Context(), bad); err != nil {
				t.Fatal(err)
			}
			if b, err := again.Read(t.Context()); err != nil || b.Events[0].Time.After(time.Now().Add(-23*time.Hour)) {
				t.Errorf("cursor %q begins at %v", bad, b.Events[0].Time)
			}
		}
	})
}

// TestLoad checks number, rate, ids and repetitions.
func TestLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLoad(LoadConfig{Posts: 30_000, Rate: 5000, Run: "r1", Seed: 1, Duplicates: 0.1})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Open(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		seen := map[string]ingest.Event{}
		matches := matcher(t)
		n, repeated, length := 0, 0, 0
		for {
			b, err := l.Read(t.Context())
			if errors.Is(err, ingest.ErrEnd) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				n++
				length += len(e.Text)
				if first, ok := seen[e.ID]; ok {
					repeated++
					if !reflect.DeepEqual(first, e) {
						t.Fatalf("a repetition differs: %+v, %+v", first, e)
					}
				}
				seen[e.ID] = e
				if len(matches(e)) == 0 {
					t.Fatalf("%q concerns nobody", e.Text)
				}
			}
			if want := float64(n) / 5000; math.Abs(time.Since(begun).Seconds()-want) > 0.02 {
				t.Fatalf("%d posts after %v", n, time.Since(begun))
			}
		}
		if n != 30_000 || int64(len(seen)) != l.Distinct() || repeated < 2000 || repeated > 4000 {
			t.Errorf("%d events, %d posts, %d repeated, %d said to be distinct", n, len(seen), repeated, l.Distinct())
		}
		if mean := length / n; mean < 40 || mean > 200 {
			t.Errorf("texts are %d bytes long", mean)
		}
	})
	if _, err := NewLoad(LoadConfig{Duplicates: 2}); err == nil {
		t.Error("a share of 2 is accepted")
	}
}

func TestValidate(t *testing.T) {
	if f := DefaultConfig().Validate(); len(f) > 0 {
		t.Errorf("faults %v", f)
	}
	if f := (Config{History: -1, LaunchAfter: 2 * time.Hour}).Validate(); len(f) != 2 {
		t.Errorf("faults %v", f)
	}
}

func BenchmarkLoad(b *testing.B) {
	l, err := NewLoad(LoadConfig{Run: "b", Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	posts := 0
	for b.Loop() {
		batch, err := l.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		posts += len(batch.Events)
	}
	b.ReportMetric(float64(posts)/b.Elapsed().Seconds(), "posts/s")
}

func BenchmarkHistory(b *testing.B) {
	s := story(b, 1)
	for b.Loop() {
		s.Between(origin.Add(-14*24*time.Hour), origin)
	}
}
