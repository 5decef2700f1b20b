package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"outcry/post"
)

func TestStreamShowsNewPostsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		store.store(said(1, time.Now().Add(-time.Hour), "old"))
		b := runLive(t, store, nil)
		v := b.watch(t, "", "")
		if e, _ := v.next(); e.name != eventSummary || e.id == "" {
			t.Errorf("a stream begins with %s (id %q), want a summary with an id", e.name, e.id)
		}
		store.store(said(2, time.Now(), "one"), said(3, time.Now(), "two"))
		if got := v.texts(2); got != "one two" {
			t.Errorf("the stream shows %q", got)
		}
		// A row that becomes visible late, between rows already shown, is not lost.
		store.mu.Lock()
		store.mentions = append(store.mentions, said(4, store.mentions[1].StoredAt.Add(-time.Second), "late"))
		store.mu.Unlock()
		store.store(said(5, time.Now().Add(time.Second), "three"))
		if got := v.texts(2); got != "late three" {
			t.Errorf("the stream shows %q", got)
		}
	})
}

func TestStreamIsFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := runLive(t, store, nil)
		tax, wait := b.watch(t, "?agency=tax", ""), b.watch(t, "?issue=wait", "")
		water := said(1, time.Now(), "water")
		water.Agency, water.Agencies = "water", []string{"water", "sea"}
		water.Issues = []post.Label{{ID: "wait", Score: 1}}
		both := said(2, time.Now(), "both") // a post about two agencies comes as a row of one
		both.Agency, both.Agencies = "water", []string{"water", "tax"}
		store.store(water, both, said(3, time.Now(), "tax"))
		if got := tax.texts(2); got != "both tax" {
			t.Errorf("a stream of one agency shows %q", got)
		}
		if got := wait.texts(1); got != "water" {
			t.Errorf("a stream of one issue shows %q", got)
		}
	})
}

func TestStreamResumesFromTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := runLive(t, store, nil)
		witness := b.watch(t, "", "")
		v := b.watch(t, "", "")
		store.store(said(1, time.Now(), "one"))
		witness.texts(1)
		v.texts(1)
		v.conn.Close()
		synctest.Wait()

		store.store(said(2, time.Now(), "two"), said(3, time.Now(), "three"))
		witness.texts(2)
		before := store.count(readMentions)
		back := b.watch(t, "", v.lastID)
		if got := back.texts(2); got != "two three" {
			t.Errorf("a viewer that comes back is shown %q", got)
		}
		if after := store.count(readMentions); after > before+1 {
			t.Errorf("the store was asked %d times for what the ring holds", after-before)
		}
		store.store(said(4, time.Now(), "four"))
		if got := back.texts(1); got != "four" {
			t.Errorf("after resuming, the stream shows %q", got)
		}
	})
}

// After a restart, or in another process, the position in the store counts.
func TestStreamResumesFromTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		first := runLive(t, store, nil)
		v := first.watch(t, "", "")
		store.store(said(1, time.Now(), "one"))
		v.texts(1)
		v.conn.Close()
		time.Sleep(10 * time.Minute) // nobody watches; the ring is given up

		var posts []post.StoredMention
		for i := range resumePage + 10 { // more than one page, two posts of each time
			posts = append(posts, said(post.Key(100+i), time.Now().Add(time.Duration(i/2)*time.Millisecond), fmt.Sprint(i)))
		}
		store.store(posts...)
		store.mu.Lock()
		store.alerts = append(store.alerts, post.AlertChange{ID: 9, Fingerprint: 9, At: time.Now(), State: post.Firing, Series: post.Series{Agency: "tax"}})
		store.mu.Unlock()

		for name, b := range map[string]*liveBoard{"the same process": first, "another process": runLive(t, store, nil)} {
			back := b.watch(t, "", v.lastID)
			if e := back.until(eventAlert); !strings.Contains(e.data, `"fingerprint":"9"`) {
				t.Errorf("%s: the missed alert is %s", name, e.data)
			}
			got := strings.Fields(back.texts(len(posts)))
			for i, text := range got {
				if text != fmt.Sprint(i) {
					t.Fatalf("%s: post %d is %q", name, i, text)
				}
			}
			back.conn.Close()
		}
	})
}

// Posts that were read from the store for a returning viewer are not shown
// again when the follower meets them.
func TestStreamGoesOnAfterResuming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := runLive(t, store, nil)
		id := cursor{storeEpoch, 0, position{stored: time.Now().Add(-time.Minute).UnixMilli(), alertAt: time.Now().UnixMilli()}}
		store.store(said(1, time.Now().Add(-time.Second), "missed"), said(2, time.Now(), "fresh"))
		v := b.watch(t, "", id.String())
		if got := v.texts(2); got != "missed fresh" {
			t.Errorf("resuming shows %q", got)
		}
		time.Sleep(5 * time.Second)
		store.store(said(3, time.Now(), "live"))
		if got := v.texts(1); got != "live" {
			t.Errorf("after resuming, the stream shows %q", got)
		}
	})
}

func TestStreamRefusesForeignCursors(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, nil)
	for _, id := range []string{"x", "1.2.3.4", "a.b.c.d.e", "a.1.-1.1.1", "a.1.99999999999999999.1.1", strings.Repeat("1", 500)} {
		if _, err := parseCursor(id); err == nil {
			t.Errorf("the id %.20q is accepted", id)
		}
	}
	if _, err := s.hub.join(filter{}, cursor{epoch: s.hub.epoch, seq: 1 << 62}, noon); err != nil {
		t.Errorf("a cursor of the future is an error: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("abcdefgh.1.1700000000000.18446744073709551615.1700000000000")
	f.Add("a.0.0.0.0")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err != nil {
			return
		}
		again, err := parseCursor(c.String())
		if err != nil || again != c {
			t.Fatalf("%q reads as %+v, which reads as %+v, %v", s, c, again, err)
		}
	})
}

// A viewer that reads nothing is cut off; the others are not held up.
func TestSlowViewerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := runLive(t, store, nil)
		good := b.watch(t, "", "")
		slow := b.watch(t, "", "") // never reads again

		for i := range 40 {
			store.store(said(post.Key(i+1), time.Now(), fmt.Sprint(i)))
			if got := good.texts(1); got != fmt.Sprint(i) {
				t.Fatalf("with a slow viewer beside, the stream shows %q, want %d", got, i)
			}
		}
		synctest.Wait()
		b.hub.mu.Lock()
		left := len(b.hub.viewers)
		b.hub.mu.Unlock()
		if left != 1 {
			t.Errorf("%d viewers are left, want the good one", left)
		}
		time.Sleep(writeTimeout)
		for {
			if _, ok := slow.next(); !ok {
				break
			}
		}
	})
}

// The hub cuts off a full queue at once, whatever the connection does.
func TestHubNeverWaits(t *testing.T) {
	h := newHub(10, nil)
	slow, err := h.join(filter{}, cursor{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	other, err := h.join(filter{agency: "water"}, cursor{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for range queueSize + 1 {
		h.publish(noon, event{name: eventMention, agencies: []string{"tax"}})
	}
	select {
	case <-slow.gone:
	default:
		t.Error("a viewer with a full queue is still served")
	}
	select {
	case <-other.gone:
		t.Error("a viewer that wanted none of it was cut off")
	default:
	}
	h.leave(slow.viewer, noon) // as its handler does in the end
}

func TestViewersAreCapped(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, func(c *Config, _ *Deps) { c.MaxViewers = 1 })
	if _, err := s.hub.join(filter{}, cursor{}, noon); err != nil {
		t.Fatal(err)
	}
	w := get(t, s, "/api/v1/stream")
	var answer errorAnswer
	decode(t, w, http.StatusServiceUnavailable, &answer)
	if answer.Error.Code != "busy" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%+v, Retry-After %q", answer.Error, w.Header().Get("Retry-After"))
	}
	if m := get(t, s, "/metrics").Body.String(); !strings.Contains(m, `outcry_web_viewers_cut_total{reason="full"} 1`) {
		t.Error("the refusal is not counted")
	}
}

func TestStreamSaysThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := runLive(t, &fakeStore{}, func(c *Config, _ *Deps) { c.SummaryInterval = 10 * time.Minute })
		v := b.watch(t, "", "")
		start := time.Now()
		for v.lines.Scan() {
			if v.lines.Text() == ": alive" {
				break
			}
		}
		if took := time.Since(start); took > heartbeat {
			t.Errorf("the first sign of life came after %s", took)
		}
	})
}

// New alert changes reach viewers at once, each once, with fresh numbers.
func TestAlertChangesAreNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		store.alerts = []post.AlertChange{{ID: 1, Fingerprint: 1, At: time.Now().Add(-time.Hour), State: post.Firing, Series: post.Series{Agency: "tax"}}}
		b := runLive(t, store, nil)
		v := b.watch(t, "", "")
		v.until(eventSummary)
		store.mu.Lock()
		store.alerts = append(store.alerts, post.AlertChange{ID: 2, Fingerprint: 2, At: time.Now(), State: post.Firing, Severity: "critical", Series: post.Series{Agency: "tax"}})
		store.mu.Unlock()
		start := time.Now()
		if e := v.until(eventAlert); !strings.Contains(e.data, `"fingerprint":"2"`) {
			t.Errorf("the news is %s", e.data)
		}
		if e := v.until(eventSummary); !strings.Contains(e.data, `"firing":2`) {
			t.Errorf("the numbers are %s", e.data)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the news took %s", took)
		}
		b.alerts.mu.Lock()
		b.alerts.loaded = time.Time{}.Add(time.Second) // the whole history is read again
		b.alerts.mu.Unlock()
		v.until(eventSummary)
		for range 3 {
			if e, _ := v.next(); e.name == eventAlert {
				t.Errorf("an old change is told again: %s", e.data)
			}
		}
	})
}

// Nobody watches, nobody asks.
func TestStoreIsFollowedOnlyForViewers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := runLive(t, store, nil)
		time.Sleep(time.Hour)
		if n := store.count(readMentions); n != 0 {
			t.Errorf("the store was asked %d times", n)
		}
		v := b.watch(t, "", "")
		v.until(eventSummary)
		v.conn.Close()
		time.Sleep(2 * lingering)
		n := store.count(readMentions)
		time.Sleep(time.Hour)
		if after := store.count(readMentions); after != n {
			t.Errorf("after the last viewer left, the store was asked %d times", after-n)
		}
	})
}

// More posts than people can read: the feed shows a sample, says so, and keeps up.
func TestFeedSkipsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := runLive(t, store, nil)
		v := b.watch(t, "", "")
		time.Sleep(2 * time.Second) // the store is being followed
		for i := range 5 * feedPage * feedPages {
			store.store(said(post.Key(i+1), time.Now().Add(time.Duration(i)*10*time.Millisecond), "many"))
		}
		v.until(eventGap)
		store.store(said(1_000_000, time.Now().Add(time.Hour), "after"))
		start, sample := time.Now(), 0
		for v.texts(1) != "after" {
			sample++
		}
		if took := time.Since(start); took > 2*time.Second || sample > 3*feedPage*feedPages {
			t.Errorf("the feed keeps up after %s and %d posts", took, sample)
		}
	})
}

// The clocks of those who store need not agree with the board's.
func TestFeedDoesNotTrustClocks(t *testing.T) {
	for name, skew := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &fakeStore{}
				store.store(said(1, time.Now().Add(skew-time.Hour), "old"))
				b := runLive(t, store, nil)
				v := b.watch(t, "", "")
				time.Sleep(5 * time.Second)
				start := time.Now()
				store.store(said(2, time.Now().Add(skew), "new"))
				for v.texts(1) != "new" {
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("the post came after %s", took)
				}
			})
		})
	}
}

// Pages may be short because posts of several agencies come once, and the
// overlap may be longer than a page: the feed moves on all the same.
func TestFeedMovesThroughADenseOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		b := runLive(t, store, nil)
		v := b.watch(t, "", "")
		v.until(eventSummary)
		for i := range 30 { // 900 posts a second: less than a round, more than a page in the overlap
			for j := range 900 {
				store.store(said(post.Key(1000*i+j+1), time.Now(), fmt.Sprint(i)))
			}
			for v.texts(1) != fmt.Sprint(i) {
			}
			time.Sleep(time.Second)
		}
	})
}
