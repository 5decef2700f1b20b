package test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"
)

// truth is what a file of posts must lead to.
type truth struct {
	posts    uint64
	from, to time.Time
	minutes  map[time.Time]minuteTruth
}

type minuteTruth struct {
	posts, authors map[int]bool
}

// writePosts writes n distinct posts about the site's agency, spread evenly over
// a span of time, by fewer authors than posts.
func (s *site) writePosts(name string, n int, span time.Duration) (path string, tr truth) {
	s.t.Helper()
	path = filepath.Join(s.dir, name)
	f, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	texts := []string{
		"@%s the portal keeps timing out", "@%s thank you, quick and friendly", "3 hours on hold with @%s and no answer",
		"does anybody know when @%s opens?", "my application to @%s was rejected again, for no reason",
	}
	tr = truth{posts: uint64(n), from: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC), minutes: map[time.Time]minuteTruth{}}
	tr.to = tr.from.Add(span)
	for i := range n {
		at := tr.from.Add(time.Duration(i) * span / time.Duration(n))
		author := i * 7919 % (n / 3)
		fmt.Fprintf(w, `{"platform":"test","id":"%s-%d","time":%q,"author":"a%d","language":"en","text":%q}`+"\n",
			s.agency, i, at.Format(time.RFC3339Nano), author, fmt.Sprintf(texts[i%len(texts)], s.handle())+fmt.Sprintf(" %d", i))
		minute := at.Truncate(time.Minute)
		m, ok := tr.minutes[minute]
		if !ok {
			m = minuteTruth{map[int]bool{}, map[int]bool{}}
			tr.minutes[minute] = m
		}
		m.posts[i], m.authors[author] = true, true
	}
	if err := w.Flush(); err != nil {
		s.t.Fatal(err)
	}
	return path, tr
}

// verify compares every minute of the series with the truth, exactly.
func (s *site) verify(tr truth) {
	s.t.Helper()
	points := s.points(tr.from, tr.to)
	if len(points) != len(tr.minutes) {
		s.t.Errorf("the series has %d minutes, want %d", len(points), len(tr.minutes))
	}
	wrong := 0
	for _, p := range points {
		want := tr.minutes[p.Minute]
		if p.Posts != uint64(len(want.posts)) || p.Authors != uint64(len(want.authors)) {
			if wrong++; wrong <= 5 {
				s.t.Errorf("%s: %d posts by %d authors, want %d by %d", p.Minute, p.Posts, p.Authors, len(want.posts), len(want.authors))
			}
		}
	}
	if wrong > 0 {
		s.t.Errorf("%d minutes are wrong", wrong)
	}
}

// TestEverythingIsKilled is the proof of the rule that nothing acknowledged is
// lost and nothing is counted twice: every process is killed at random moments
// while 200,000 posts pass.
func TestEverythingIsKilled(t *testing.T) {
	slow(t)
	const (
		posts = 200_000
		kills = 3 // of each process
	)
	// The file's posts span 200 minutes; read at 600 times their rhythm they take
	// 20 s, so that the kills meet a stream that flows.
	s := newSite(t, `
sources:
  - name: file
    type: replay
    replay: {file: posts.jsonl, speed: 600x}
ingest: {restart_min: 100ms, restart_max: 1s}
`, nil)
	_, tr := s.writePosts("posts.jsonl", posts, 200*time.Minute)
	ingest := s.start("ingest")
	analyze := s.start("analyze")
	second := s.start("analyze")

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	victims := []struct {
		name string
		kill func()
	}{
		{"ingest", ingest.crash},
		{"analyze", analyze.crash},
		{"the second analyze", second.crash},
		{"the broker", s.crashBroker},
		{"the engine's child", s.engine.KillChild},
	}
	var order []int
	for range kills {
		order = append(order, rng.Perm(len(victims))...)
	}
	for _, i := range order {
		moment := time.NewTimer(200*time.Millisecond + time.Duration(rng.Int64N(int64(1300*time.Millisecond))))
		select {
		case <-moment.C:
		case <-t.Context().Done():
			t.Fatal("out of time")
		}
		_, stored, err := s.store.CountMentions(t.Context(), "file")
		t.Logf("killing %s with %d posts stored (%v)", victims[i].name, stored, err)
		victims[i].kill()
	}
	s.counted("file", tr.posts)
	s.settled()
	s.verify(tr)

	t.Run("Again", func(t *testing.T) { // Replaying the same file moves no number.
		before := s.points(tr.from, tr.to)
		out := s.run("replay", filepath.Join(s.dir, "posts.jsonl"), "--format", "outcry")
		t.Log(out)
		s.settled()
		s.verify(tr)
		if after := s.points(tr.from, tr.to); !reflect.DeepEqual(before, after) {
			t.Error("the series changed when the same file was replayed")
		}
	})
}

// crashBroker kills the broker and starts it again on its data.
func (s *site) crashBroker() {
	s.t.Helper()
	if s.broker != nil {
		s.broker.Kill()
		s.broker.Restart()
		return
	}
	restart := os.Getenv("OUTCRY_TEST_KAFKA_RESTART")
	if restart == "" {
		s.t.Log("the broker is not ours to kill: OUTCRY_TEST_KAFKA_RESTART is not set")
		return
	}
	if out, err := exec.Command("bash", "-c", restart).CombinedOutput(); err != nil {
		s.t.Fatalf("restart Kafka: %v\n%s", err, out)
	}
}

// TestAnalyzersComeAndGo: members join and leave in order during load; nothing
// is lost and nothing counted twice.
func TestAnalyzersComeAndGo(t *testing.T) {
	slow(t)
	s := newSite(t, `
sources:
  - name: file
    type: replay
    replay: {file: posts.jsonl, speed: 600x}
`, nil)
	_, tr := s.writePosts("posts.jsonl", 60_000, 100*time.Minute) // 10 s
	s.start("analyze")
	s.start("ingest")
	reached := func(n uint64) {
		within(t, 2*time.Minute, fmt.Sprintf("%d posts are stored", n), func() bool {
			_, stored, err := s.store.CountMentions(t.Context(), "file")
			return err == nil && stored >= n
		})
	}
	reached(5_000)
	second := s.start("analyze")
	reached(20_000)
	if code := second.signal(syscall.SIGTERM); code != 0 {
		t.Errorf("analyze left with exit code %d", code)
	}
	reached(35_000)
	s.start("analyze")
	s.counted("file", tr.posts)
	s.settled()
	s.verify(tr)
}
