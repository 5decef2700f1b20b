package ingest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"outcry/post"
)

// TestCursorFollowsAcknowledgement tells rule 1: while Kafka is silent neither
// the cursor moves nor the source hears anything.
func TestCursorFollowsAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		acknowledge := make(chan struct{})
		w.publish = func(ctx context.Context, _ []post.Post) error {
			<-acknowledge
			return nil
		}
		acked := make(chan error, 1)
		first := events("1", "2")
		first.batch.Ack = func(err error) { acked <- err }
		source := newTape(first)
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: source}))

		time.Sleep(time.Minute)
		synctest.Wait()
		if c := w.cursor("s"); c != "" {
			t.Fatalf("the cursor is %q before Kafka acknowledged", c)
		}
		if len(acked) > 0 {
			t.Fatal("the source was acknowledged before Kafka acknowledged")
		}

		close(acknowledge)
		synctest.Wait()
		if err := <-acked; err != nil {
			t.Fatalf("acknowledged with %v", err)
		}
		time.Sleep(DefaultConfig().CursorEvery)
		synctest.Wait()
		if c := w.cursor("s"); c != "1" {
			t.Fatalf("the cursor is %q after Kafka acknowledged", c)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAcknowledgementsAreInOrder lets Kafka acknowledge a later batch first.
func TestAcknowledgementsAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		release := map[post.Key]chan struct{}{Key("test", "1"): make(chan struct{}), Key("test", "2"): make(chan struct{})}
		w.publish = func(_ context.Context, posts []post.Post) error {
			<-release[posts[0].Key]
			return nil
		}
		var mu sync.Mutex
		var acks []string
		batch := func(id string) step {
			s := events(id)
			s.batch.Ack = func(error) { mu.Lock(); acks = append(acks, id); mu.Unlock() }
			s.within = time.Second // so that they are not merged
			return s
		}
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: newTape(batch("1"), batch("2"))}))
		time.Sleep(5 * time.Second)

		close(release[Key("test", "2")])
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := w.ids("1", "2"); !slices.Equal(got, []string{"2"}) {
			t.Fatalf("published %v: the batches do not fly at once", got)
		}
		if c := w.cursor("s"); c != "" || len(acks) > 0 {
			t.Fatalf("the second batch alone moved the cursor to %q, acknowledged %v", c, acks)
		}
		close(release[Key("test", "1")])
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if c := w.cursor("s"); c != "2" || !slices.Equal(acks, []string{"1", "2"}) {
			t.Fatalf("cursor %q, acknowledged %v", c, acks)
		}
		stop()
	})
}

// TestFailedPublishIsReadAgain lets Kafka refuse the first batch while a later
// one passes: the cursor stays and both are read again.
func TestFailedPublishIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		refusals := 1
		w.publish = func(_ context.Context, posts []post.Post) error {
			if posts[0].Key == Key("test", "1") && refusals > 0 {
				refusals--
				time.Sleep(3 * time.Second)
				return errors.New("message refused")
			}
			return nil
		}
		var mu sync.Mutex
		acks := map[string][]error{}
		batch := func(id string) step {
			s := events(id)
			s.batch.Ack = func(err error) { mu.Lock(); acks[id] = append(acks[id], err); mu.Unlock() }
			s.within = time.Second
			return s
		}
		source := newTape(batch("1"), batch("2"))
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: source}))
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if c := w.cursor("s"); c != "" {
			t.Fatalf("the cursor moved to %q over a batch that Kafka refused", c)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := w.ids("1", "2"); !slices.Equal(got, []string{"2", "1", "2"}) {
			t.Fatalf("published %v", got)
		}
		if c := w.cursor("s"); c != "2" {
			t.Fatalf("the cursor is %q", c)
		}
		if a := acks["1"]; len(a) != 2 || a[0] == nil || a[1] != nil {
			t.Fatalf("the refused batch was acknowledged with %v", a)
		}
		if a := acks["2"]; len(a) != 2 || a[0] != nil || a[1] != nil {
			t.Fatalf("the batch that Kafka has was acknowledged with %v", a)
		}
		if n := w.value(t, "restarts_total", "source", "s"); n != 1 {
			t.Fatalf("%v restarts", n)
		}
		stop()
	})
}

// TestOneFailingSourceHarmsNoOther runs a source that cannot be opened, one that
// is over, one that ends by a fault, and one that works.
func TestOneFailingSourceHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		broken := newTape()
		broken.openErr = func(int) error { return errNet }
		well := newTape(events("1"))
		over := newTape(events("2"), step{err: ErrEnd})
		gone := newTape(events("3"), step{err: Permanent(errors.New("no such file"))})
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "broken", Source: broken}, Named{Name: "well", Source: well},
			Named{Name: "over", Source: over}, Named{Name: "gone", Source: gone}))
		time.Sleep(time.Minute)
		well.add(events("4"))
		time.Sleep(time.Minute)
		synctest.Wait()

		got := w.ids("1", "2", "3", "4")
		slices.Sort(got)
		if !slices.Equal(got, []string{"1", "2", "3", "4"}) {
			t.Fatalf("published %v", got)
		}
		for name, want := range map[string]post.SourceState{
			"broken": post.SourceBackoff, "well": post.SourceRunning, "over": post.SourceFinished, "gone": post.SourceFailed,
		} {
			states := w.states(name)
			if states[len(states)-1] != want {
				t.Errorf("%s went through %v", name, states)
			}
			if w.value(t, "source_state", "source", name, "state", string(want)) != 1 {
				t.Errorf("the gauge of %s is not at %s", name, want)
			}
		}
		if len(gone.opens) != 1 || len(over.opens) != 1 {
			t.Errorf("a source that is over was opened again")
		}
		if broken.closes != len(broken.opens) {
			t.Errorf("opened %d times, closed %d times", len(broken.opens), broken.closes)
		}
		err := stop()
		if err == nil || !strings.Contains(err.Error(), "source gone: ") || strings.Contains(err.Error(), "broken") {
			t.Errorf("Run gave %v", err)
		}
	})
}

func TestRunEndsWithItsSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := New(DefaultConfig(), w.deps(t, Named{Name: "s", Source: newTape(events("1"), step{err: ErrEnd})}))
		if err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if w.cursor("s") != "1" || len(w.published) != 1 {
			t.Fatalf("cursor %q, %d posts", w.cursor("s"), len(w.published))
		}
		last := w.rows[len(w.rows)-1]
		if last.State != post.SourceFinished || last.Received != 1 || last.Published != 1 {
			t.Fatalf("the last row of health is %+v", last)
		}
	})
}

// TestBackoff measures the pauses between attempts: they double, spread by a
// third, up to the limit, and begin anew after success.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		source := newTape(events("1"), step{err: errNet})
		source.openErr = func(n int) error {
			if n <= 10 {
				return errNet
			}
			return nil
		}
		cfg := DefaultConfig()
		stop := run(t, cfg, w.deps(t, Named{Name: "s", Source: source}))
		time.Sleep(time.Hour)
		synctest.Wait()
		stop()
		for i := 1; i < 11; i++ {
			want := min(cfg.RestartMin<<(i-1), cfg.RestartMax)
			got := source.opened[i].Sub(source.opened[i-1])
			if got < want*7/10 || got > want*13/10 {
				t.Errorf("pause %d is %v, wanted about %v", i, got, want)
			}
		}
		// The eleventh attempt delivers a batch and fails: the next is soon.
		if got := source.opened[11].Sub(source.opened[10]); got > cfg.RestartMin*13/10 {
			t.Errorf("after a success the pause is %v", got)
		}
	})
}

// TestStall tells the story of a source that falls silent and comes back.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		source, file := newTape(events("1")), newTape(events("2"))
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "live", Source: source, Stall: time.Minute}, Named{Name: "file", Source: file}))

		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := w.value(t, "stalls_total", "source", "live"); n != 0 {
			t.Fatal("stalled before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.states("live"); got[len(got)-1] != post.SourceStalled {
			t.Fatalf("went through %v", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := w.value(t, "stalls_total", "source", "live"); n != 1 {
			t.Fatalf("one silence was counted %v times", n)
		}
		if len(source.opens) != 1 {
			t.Fatal("a silent source was opened again: quiet is not dead")
		}

		source.add(step{}) // a sign of life without events
		synctest.Wait()
		if got := w.states("live"); got[len(got)-1] != post.SourceRunning {
			t.Fatalf("went through %v", got)
		}
		if got := w.states("file"); slices.Contains(got, post.SourceStalled) {
			t.Fatalf("a file stalled: %v", got)
		}
		stop()
	})
}

// TestLateStallTimer lets the timer of a read fire when the read is over.
func TestLateStallTimer(t *testing.T) {
	w := newWorld()
	s := &status{name: "s", metrics: NewMetrics(w.reg).source("s"), note: func(post.SourceHealth) {}, state: post.SourceRunning}
	read := s.beginRead()
	s.endRead(1, time.Now())
	s.stalled(read, time.Minute)
	if got := s.row(time.Now()).State; got != post.SourceRunning {
		t.Fatalf("the state is %s", got)
	}
}

// TestBackPressureIsNoStall keeps Kafka down for long: the source waits, and is
// not said to be silent.
func TestBackPressureIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		down := make(chan struct{})
		w.publish = func(context.Context, []post.Post) error { <-down; return nil }
		cfg := DefaultConfig()
		cfg.BatchEvents = 1
		var steps []step
		ids := numbered("p", 100)
		for _, id := range ids {
			steps = append(steps, events(id))
		}
		source := newTape(steps...)
		stop := run(t, cfg, w.deps(t, Named{Name: "s", Source: source, Stall: time.Minute}))
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := w.value(t, "stalls_total", "source", "s"); n != 0 {
			t.Fatal("a source that we keep waiting was called stalled")
		}
		source.mu.Lock()
		read := source.next
		source.mu.Unlock()
		if read > cfg.InFlight+8 {
			t.Fatalf("%d batches were read while Kafka is down", read)
		}
		close(down)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.ids(ids...); len(got) != 100 {
			t.Fatalf("published %d posts after Kafka came back", len(got))
		}
		stop()
	})
}

// TestEventsOfOnePostKeepTheirOrder publishes an edit only after its post.
func TestEventsOfOnePostKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.publish = func(_ context.Context, posts []post.Post) error {
			if posts[0].Kind == post.KindPost {
				time.Sleep(3 * time.Second) // the post is slow, what follows is not
			}
			return nil
		}
		edit, remove, other := events("1"), events("1"), events("2")
		edit.batch.Events[0].Kind, remove.batch.Events[0].Kind, other.batch.Events[0].Kind = post.KindEdit, post.KindDelete, post.KindEdit
		steps := []step{events("1"), edit, remove, other}
		for i := range steps {
			steps[i].within = 100 * time.Millisecond
		}
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: newTape(steps...)}))
		time.Sleep(time.Minute)
		synctest.Wait()
		var got []string
		for _, p := range w.published {
			got = append(got, string(p.Kind))
		}
		if !slices.Equal(got, []string{"edit", "post", "edit", "delete"}) || w.published[0].Key != Key("test", "2") {
			t.Fatalf("Kafka got %v", got)
		}
		stop()
	})
}

// TestDeadLettersDoNotHoldUpPosts breaks the dead letter topic in both ways.
func TestDeadLettersDoNotHoldUpPosts(t *testing.T) {
	for name, letters := range map[string]func(context.Context, []post.DeadLetter) error{
		"failing": func(context.Context, []post.DeadLetter) error { return errors.New("topic gone") },
		"hanging": func(ctx context.Context, _ []post.DeadLetter) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s := events("1", "", "2")
				s.batch.Bad = []post.DeadLetter{{Reason: ReasonBadJSON, Raw: []byte("{")}, {Reason: "made up"}}
				deps := w.deps(t, Named{Name: "s", Source: newTape(s)})
				deps.DeadLetters = letters
				stop := run(t, DefaultConfig(), deps)
				time.Sleep(deadLetterGrace + 5*time.Second)
				synctest.Wait()
				if got := w.ids("1", "2"); !slices.Equal(got, []string{"1", "2"}) {
					t.Fatalf("published %v", got)
				}
				if w.cursor("s") != "1" {
					t.Fatal("the cursor hangs on the dead letters")
				}
				if n := w.value(t, "deadletters_lost_total", "source", "s"); n != 3 {
					t.Fatalf("%v lost letters counted", n)
				}
				for reason, want := range map[string]float64{ReasonBadJSON: 1, ReasonBadID: 1, "other": 1, ReasonBadTime: 0} {
					if n := w.value(t, "refused_total", "source", "s", "reason", reason); n != want {
						t.Errorf("%s was counted %v times", reason, n)
					}
				}
				stop()
			})
		})
	}
}

// TestDeadLettersSayWhatTheyAre checks what is kept of refused input.
func TestDeadLettersSayWhatTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := events("")
		s.batch.Events[0].Author = "someone"
		s.batch.Bad = []post.DeadLetter{{Reason: ReasonBadJSON, Raw: make([]byte, 1<<20), Detail: strings.Repeat("x", 10_000)}}
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: newTape(s)}))
		stop()
		if len(w.letters) != 2 {
			t.Fatalf("%d dead letters", len(w.letters))
		}
		for _, l := range w.letters {
			if l.Stage != "ingest" || l.Source != "s" || l.At.IsZero() || len(l.Raw) > maxDeadRaw || len(l.Detail) > 500 {
				t.Errorf("letter of stage %q, source %q, at %v, %d bytes raw, %d detail", l.Stage, l.Source, l.At, len(l.Raw), len(l.Detail))
			}
			if strings.Contains(string(l.Raw), "someone") {
				t.Errorf("the author is in the dead letter: %s", l.Raw)
			}
		}
	})
}

// TestStopDrains acknowledges what is under way before it leaves, and leaves in
// any case.
func TestStopDrains(t *testing.T) {
	for name, test := range map[string]struct {
		takes  time.Duration
		cursor string
	}{"Kafka answers": {3 * time.Second, "1"}, "Kafka hangs": {time.Hour, ""}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.publish = func(ctx context.Context, _ []post.Post) error {
					select {
					case <-time.After(test.takes):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				acked := make(chan error, 1)
				s := events("1")
				s.batch.Ack = func(err error) { acked <- err }
				stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: newTape(s)}))
				begun := time.Now()
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > DefaultConfig().Drain {
					t.Errorf("the stop took %v", took)
				}
				if c := w.cursor("s"); c != test.cursor {
					t.Errorf("the cursor is %q", c)
				}
				if err := <-acked; (err == nil) != (test.cursor != "") {
					t.Errorf("the source was told %v", err)
				}
			})
		})
	}
}

// TestCursorStoreDown reads nothing while the cursor is unknown: to begin at the
// wrong place could skip posts.
func TestCursorStoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.loadErr = errNet
		source := newTape(events("1"))
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: source}))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		opened := len(source.opens)
		w.loadErr = nil
		w.mu.Unlock()
		if opened != 0 {
			t.Fatal("opened without its cursor")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.ids("1"); len(got) != 1 {
			t.Fatalf("published %v", got)
		}
		stop()
	})
}

// TestHealthRows checks the rows: at every interval and change, with a gap, and
// kept while the store is down.
func TestHealthRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		gap := time.Now().Add(-time.Hour)
		s := events("1")
		s.batch.GapFrom = gap
		s.batch.Events = append(s.batch.Events, Event{Platform: "test", ID: "9", Text: "of no concern"})
		stop := run(t, DefaultConfig(), w.deps(t, Named{Name: "s", Source: newTape(s)}))
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if got := w.states("s"); !slices.Equal(got, []post.SourceState{post.SourceRunning, post.SourceGap, post.SourceRunning}) {
			t.Fatalf("went through %v", got)
		}
		if len(w.rows) != 2+6 {
			t.Fatalf("%d rows in a minute", len(w.rows))
		}
		if r := w.rows[1]; !r.GapFrom.Equal(gap) {
			t.Errorf("the gap is from %v", r.GapFrom)
		}
		if r := w.rows[7]; r.Received != 2 || r.Published != 1 || r.LastEvent.IsZero() {
			t.Errorf("the row is %+v", r)
		}

		w.mu.Lock()
		w.healthErr = errors.New("store down")
		w.mu.Unlock()
		time.Sleep(time.Minute)
		w.mu.Lock()
		w.healthErr = nil
		w.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(w.rows) != 8+7 {
			t.Errorf("%d rows after the store was down for a minute", len(w.rows))
		}
		stop()
	})
}

// TestNothingIsLostWhateverFails lets reads, publishes and the process itself
// fail at random, and checks at every moment that the saved cursor covers only
// what Kafka has, and in the end that Kafka has everything.
func TestNothingIsLostWhateverFails(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			w := newWorld()
			const batches = 40
			ids := numbered("p", batches)
			var steps []step
			for _, id := range ids {
				s := events(id)
				s.within = time.Duration(rng.IntN(300)) * time.Millisecond
				steps = append(steps, s)
			}
			var chance sync.Mutex
			roll := func(n int) int { chance.Lock(); defer chance.Unlock(); return rng.IntN(n) }
			w.publish = func(ctx context.Context, _ []post.Post) error {
				select {
				case <-time.After(time.Duration(roll(2000)) * time.Millisecond):
				case <-ctx.Done():
					return ctx.Err()
				}
				if roll(10) == 0 {
					return errors.New("refused")
				}
				return nil
			}
			covered := func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				has := map[post.Key]bool{}
				for i := range w.published {
					has[w.published[i].Key] = true
				}
				upTo, _ := strconv.Atoi(w.cursors["s"])
				for _, id := range ids[:upTo] {
					if !has[Key("test", id)] {
						t.Fatalf("seed %d: the cursor is %d and Kafka does not have %s", seed, upTo, id)
					}
				}
			}
			cfg := DefaultConfig()
			cfg.RestartMax = 2 * time.Second
			for lives := 0; w.cursor("s") != strconv.Itoa(batches); lives++ {
				if lives > 500 {
					t.Fatalf("seed %d: no progress", seed)
				}
				source := newTape(steps...)
				source.openErr = func(int) error {
					if roll(4) == 0 {
						return errNet
					}
					return nil
				}
				w.reg = newWorld().reg
				stop := run(t, cfg, w.deps(t, Named{Name: "s", Source: source}))
				for range 1 + roll(20) {
					time.Sleep(time.Duration(roll(1000)) * time.Millisecond)
					covered()
				}
				stop()
				covered()
			}
		})
	}
}
