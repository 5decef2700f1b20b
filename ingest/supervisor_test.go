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
