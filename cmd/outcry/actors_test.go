package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestActorsStopBackwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActors()
		var order []string
		for _, name := range []string{"broker", "analyze", "source"} {
			a.start(name, func(ctx context.Context) error {
				<-ctx.Done()
				order = append(order, name)
				return ctx.Err()
			})
		}
		if err := a.stop(); err != nil {
			t.Fatal(err)
		}
		if want := []string{"source", "analyze", "broker"}; !slices.Equal(order, want) {
			t.Errorf("stopped in the order %v, want %v: a part must outlive those that depend on it", order, want)
		}
	})
}

func TestFirstFailureStopsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActors()
		boom := errors.New("disk on fire")
		a.start("calm", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		a.start("done", func(context.Context) error { return nil })
		a.start("store", func(context.Context) error { return boom })
		err := a.wait(t.Context())
		if !errors.Is(err, boom) || err.Error() != "store: disk on fire" {
			t.Errorf("wait: %v, want the failure with the name of its actor", err)
		}
		if err := a.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStopNamesTheActorThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newActors()
		release := make(chan struct{})
		a.start("stuck", func(context.Context) error { <-release; return nil })
		began := time.Now()
		err := a.stop()
		if err == nil || err.Error() != "stuck did not stop within 6s" {
			t.Errorf("stop: %v", err)
		}
		if waited := time.Since(began); waited != stopWithin {
			t.Errorf("waited %s, want %s", waited, stopWithin)
		}
		close(release)
	})
}
