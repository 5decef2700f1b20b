package ingest

import (
	"context"
	"errors"
	"slices"
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
