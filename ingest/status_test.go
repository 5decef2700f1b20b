package ingest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"outcry/post"
)

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
