package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// stopWithin bounds the teardown of one actor. All of them together must leave
// within ten seconds of a signal; an actor that hangs must not eat it all.
const stopWithin = 6 * time.Second

// actors is a stack of running components. The first to fail stops all, and
// teardown runs backwards: what was started last, and so depends on the others,
// stops first. That is how a source stops before the bus it publishes to.
type actors struct {
	mu      sync.Mutex
	running []*actor
	failed  chan error // the first failure; buffered so that no actor blocks on it
}

type actor struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

func newActors() *actors { return &actors{failed: make(chan error, 1)} }

// start runs fn until stop. An actor that returns nil is simply done; an error
// stops everything.
func (a *actors) start(name string, fn func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	act := &actor{name: name, cancel: cancel, done: make(chan struct{})}
	a.mu.Lock()
	a.running = append(a.running, act)
	a.mu.Unlock()
	go func() {
		defer close(act.done)
		err := fn(ctx)
		if err == nil || (ctx.Err() != nil && errors.Is(err, context.Canceled)) {
			return
		}
		select {
		case a.failed <- fmt.Errorf("%s: %w", name, err):
		default:
		}
	}()
}

// wait returns when ctx ends or when the first actor fails.
func (a *actors) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.failed:
		return err
	}
}

// until waits for ready, the end of ctx, or the first failure.
func (a *actors) until(ctx context.Context, ready <-chan struct{}) error {
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case err := <-a.failed:
		return err
	}
}

// stop ends all actors, last started first, and names those that hang.
func (a *actors) stop() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var err error
	for _, act := range slices.Backward(a.running) {
		act.cancel()
		timer := time.NewTimer(stopWithin)
		select {
		case <-act.done:
		case <-timer.C:
			err = errors.Join(err, fmt.Errorf("%s did not stop within %s", act.name, stopWithin))
		}
		timer.Stop()
	}
	a.running = nil
	return err
}
