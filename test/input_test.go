package test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"outcry/bus"
	"outcry/post"
)

// letters collects the reasons of the dead letters until ctx ends.
func (s *site) letters(ctx context.Context, seen func(post.DeadLetter)) {
	cfg := bus.DefaultGroupConfig()
	cfg.Group, cfg.Topic = "test-"+s.agency, bus.TopicDeadLetter
	_ = s.bus.Consume(ctx, cfg, func(_ context.Context, batch []bus.Message) error {
		for _, m := range batch {
			var l post.DeadLetter
			if err := json.Unmarshal(m.Value, &l); err != nil {
				s.t.Errorf("dead letter %q: %v", m.Value, err)
			}
			seen(l)
		}
		return nil
	})
}

// awaitReasons waits until each reason was given as often as wanted.
func (s *site) awaitReasons(stage string, want map[string]int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	got := map[string]int{}
	s.letters(ctx, func(l post.DeadLetter) {
		if l.Stage != stage {
			return
		}
		if l.At.IsZero() || l.Source == "" || len(l.Raw) > 4096 {
			s.t.Errorf("the dead letter lacks something: %+v", l)
		}
		if got[l.Reason]++; maps.Equal(got, want) {
			cancel()
		}
	})
	if !maps.Equal(got, want) {
		s.t.Errorf("dead letters of %s: %v, want %v", stage, got, want)
	}
}

// TestBadInputIsRefusedAlone: whatever stands in a file, its neighbours are
// stored and the process goes on.
func TestBadInputIsRefusedAlone(t *testing.T) {
	s := newSite(t, "", nil)
	s.start("analyze")
	good := 0
	var file bytes.Buffer
	neighbour := func() {
		good++
		fmt.Fprintf(&file, `{"platform":"test","id":"good-%d","time":"2026-03-02T06:00:00Z","text":"@%s portal down"}`+"\n", good, s.handle())
	}
	for _, bad := range []string{
		`{"platform":"test","id":"1","text":`,                                       // broken JSON
		`{"platform":"test","id":{},"text":"x"}`,                                    // wrong types
		`{"platform":"test","id":"2","text":["x"]}`,                                 //
		`["not an object"]`,                                                         //
		`{"platform":"test","id":"3","text":"` + strings.Repeat("x", 10<<20) + `"}`, // 10 MB
		`{"platform":"te st","id":"4","text":"x"}`,                                  // no platform's name
		`{"platform":"test","id":"` + strings.Repeat("i", 600) + `","text":"x"}`,    // endless id
		`{"platform":"test","id":"5","time":"yesterday","text":"x"}`,                // no time
		`{"platform":"test","id":"6","time":"1066-10-14T09:00:00Z","text":"x"}`,     // ancient
		`{"platform":"test","id":"7","text":"x","kind":"rumour"}`,                   // of no kind
	} {
		neighbour()
		file.WriteString(bad + "\n")
	}
	// These are mended rather than refused.
	for i, text := range []string{"nul \\u0000 byte", "half a surrogate \\ud83d", "bad \xff\xfe UTF-8", strings.Repeat("long ", 5000)} {
		good++
		fmt.Fprintf(&file, `{"platform":"test","id":"mend-%d","time":"2026-03-02T06:00:00Z","text":"@%s %s"}`+"\n", i, s.handle(), text)
	}
	good++
	fmt.Fprintf(&file, `{"platform":"test","id":"future","time":"2999-01-01T00:00:00Z","text":"@%s from the future"}`+"\n", s.handle())
	neighbour()

	path := s.write("bad.jsonl", file.String())
	out := s.run("replay", path, "--format", "outcry")
	if want := fmt.Sprintf("%d published, 0 concern no agency, 10 refused", good); !strings.Contains(out, want) {
		t.Errorf("replay says %q, want %q", out, want)
	}
	s.counted("replay-bad-jsonl", uint64(good))
	s.awaitReasons("ingest", map[string]int{
		"bad_json": 1, "wrong_type": 3, "too_large": 1, "bad_platform": 1, "bad_id": 1, "bad_time": 2, "bad_kind": 1,
	})

	t.Run("OnTheTopic", func(t *testing.T) { // Whoever else writes to the topic of posts.
		valid := `{"kind":"post","key":"77","platform":"test","source":"stranger","time":"2026-03-02T06:00:00Z","arrived":"2026-03-02T06:00:00Z","text":"down","agencies":["` + s.agency + `"]}`
		var msgs []bus.Message
		for _, value := range []string{"", "{", valid[:40], "\xff\xfe", strings.Replace(valid, `"77"`, `77.5`, 1), valid, `{"kind":"post"}`} {
			msgs = append(msgs, bus.Message{Key: []byte("k"), Value: []byte(value)})
		}
		if err := s.bus.Producer(bus.TopicPosts).Publish(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
		s.settled()
		s.counted("stranger", 1)
	})

	t.Run("TruncatedGzip", func(t *testing.T) {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		for i := range 20_000 {
			fmt.Fprintf(w, `{"platform":"test","id":"zip-%d","time":"2026-03-02T06:00:00Z","text":"@%s portal down %d"}`+"\n", i, s.handle(), i*i)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := s.write("cut.jsonl.gz", zipped.String()[:zipped.Len()/2])
		out, code := s.try(nil, "replay", path, "--format", "outcry")
		if code != 1 || !strings.Contains(out, "cut.jsonl.gz") || !strings.Contains(out, "cut off") {
			t.Errorf("exit code %d, want 1 and the file named as cut off: %s", code, out)
		}
		within(t, time.Minute, "what came before the cut is stored", func() bool {
			_, stored, err := s.store.CountMentions(t.Context(), "replay-cut-jsonl-gz")
			return err == nil && stored > 5_000
		})
	})

	t.Run("Usage", func(t *testing.T) {
		for _, args := range [][]string{
			{"replay", path, "--format", "xml"}, {"replay", "no-such-file"}, {"replay", path, "--speed", "fast"}, {"replay"},
			{"no-such-command"}, {"score", "--scorer", "oracle"}, {"match", "--query", `"open`}, {"run", "--frobnicate"},
		} {
			if out, code := s.try(strings.NewReader(""), args...); code != 2 {
				t.Errorf("outcry %s: exit code %d, want 2: %s", strings.Join(args, " "), code, out)
			}
		}
	})
}

// TestRealArchive replays 10,783 real support requests: rows in the file,
// published, stored and distinct are all equal.
func TestRealArchive(t *testing.T) {
	shared := os.Getenv("OUTCRY_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "shared")
	}
	path := filepath.Join(shared, "data", "detection", "spotify.csv.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the archive is not here: %v", err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "", nil)
	s.write("agencies.yaml", "agencies:\n  - {id: spotify, name: Spotify, query: \"spotify OR @spotifycares\"}\n")
	s.agency = "spotify"
	s.start("analyze")
	const rows = 10_783
	from, to := time.Date(2006, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	var sums []uint64
	for range 2 {
		out := s.run("replay", path, "--format", "csv")
		for _, want := range []string{"10783 read, 10783 published, 0 concern no agency, 0 refused", "10783 rows, 10783 distinct posts"} {
			if !strings.Contains(out, want) {
				t.Errorf("replay says %q, want %q", out, want)
			}
		}
		s.counted("replay-spotify-csv-gz", rows)
		var sum uint64
		for _, p := range s.points(from, to) {
			sum += p.Posts
		}
		sums = append(sums, sum)
	}
	if !slices.Equal(sums, []uint64{rows, rows}) {
		t.Errorf("the minutes of the series add up to %v, want %d both times", sums, rows)
	}
}

// TestWebhookKeepsItsWord: 200 means that Kafka has the post, so it is stored
// whatever happens next; while Kafka cannot take it the answer is 503.
func TestWebhookKeepsItsWord(t *testing.T) {
	if os.Getenv("OUTCRY_TEST_KAFKA") != "" {
		t.Skip("skipped: needs a broker that it can take away")
	}
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("outcry"), 5))
	address := freeAddress(t)
	s := newSite(t, fmt.Sprintf(`
sources:
  - {name: hook, type: webhook, webhook: {listen: "%s", secret_file: hook-secret, timeout: 1s}}
ingest: {restart_min: 100ms, restart_max: 500ms, drain: 0s}
`, address), map[string]string{"hook-secret": secret})
	s.start("analyze")
	s.start("ingest")
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	send := func(id, text string, sign bool) int {
		body := fmt.Sprintf(`{"platform":"forum","id":%q,"text":"@%s %s"}`, id, s.handle(), text)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/posts", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		signature, err := signer.Sign("msg_"+id, now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if sign {
			req.Header.Set("webhook-signature", signature)
		}
		req.Header.Set("webhook-id", "msg_"+id)
		req.Header.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		res.Body.Close()
		return res.StatusCode
	}
	within(t, time.Minute, "the webhook takes a post", func() bool { return send("first", "portal down", true) == http.StatusOK })
	if code := send("forged", "portal down", false); code != http.StatusUnauthorized {
		t.Errorf("without a signature: %d, want 401", code)
	}
	s.broker.Kill()
	if code := send("lost", "portal down", true); code != http.StatusServiceUnavailable {
		t.Errorf("without Kafka: %d, want 503", code)
	}
	s.broker.Restart()
	accepted := uint64(1)
	for i := range 20 {
		id := fmt.Sprintf("after-%d", i)
		within(t, time.Minute, "the webhook takes posts again", func() bool { return send(id, "portal down", true) == http.StatusOK })
		accepted++
	}
	within(t, time.Minute, "all that was accepted is stored", func() bool {
		_, stored, err := s.store.CountMentions(t.Context(), "hook")
		return err == nil && stored >= accepted
	})
	// The one answered with 503 may still arrive: its sender sends it again.
	if _, stored, err := s.store.CountMentions(t.Context(), "hook"); err != nil || stored > accepted+1 {
		t.Errorf("%d posts are stored, want %d or one more (%v)", stored, accepted, err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
