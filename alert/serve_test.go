package alert

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/alert/notify"
	"outcry/post"
)

// Ownership comes and goes: nothing is evaluated without it, and what one
// ownership fired the next one knows. In the bubble the clock is time itself.
func TestServeFollowsOwnership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		shift := time.Since(noon).Truncate(time.Minute)
		for i := range w.store.voices {
			w.store.voices[i].at = w.store.voices[i].at.Add(shift)
		}
		start := noon.Add(shift)
		w.talk("tax", start, start.Add(3*time.Hour), 2)
		w.complain("tax", "down", start, start.Add(20*time.Minute), 25)
		w.store.breakdown("Points", errStore) // the store is not there yet

		owned := make(chan context.Context)
		registry := prometheus.NewRegistry()
		receivers := []notify.Receiver{{Name: "ops", Notifier: w.ears}}
		cfg := w.cfg
		e, err := New(cfg, Deps{
			Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(registry, receivers), Store: w.store, Rules: w.rules, Receivers: receivers,
			Publish: func(context.Context, []post.AlertChange) error { return nil },
			Own: func(ctx context.Context, fn func(context.Context) error) error {
				for {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case owner := <-owned:
						if err := fn(owner); !errors.Is(err, context.Canceled) {
							t.Errorf("serve ended with %v", err)
						}
					}
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.registry = registry
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()

		time.Sleep(time.Minute)
		if err := e.Check(ctx); err != nil || w.metric("outcry_alert_owner") != 0 {
			t.Errorf("a process that stands by: %v", err)
		}
		first, lose := context.WithCancel(ctx)
		owned <- first
		time.Sleep(time.Minute)
		if err := e.Check(ctx); !errors.Is(err, errNotReady) || w.metric("outcry_alert_owner") != 1 {
			t.Errorf("while the history cannot be read: %v", err)
		}
		w.store.breakdown("Points", nil)
		time.Sleep(2 * time.Minute)
		if err := e.Check(ctx); err != nil {
			t.Errorf("while all is well: %v", err)
		}
		w.expectHeard("FIRING critical tax · down")
		w.store.breakdown("SourceHealth", errStore)
		time.Sleep(2 * time.Minute)
		if err := e.Check(ctx); err == nil || !strings.Contains(err.Error(), "no successful evaluation") {
			t.Errorf("after two minutes of failures: %v", err)
		}
		w.store.breakdown("SourceHealth", nil)
		lose()
		synctest.Wait()
		if w.metric("outcry_alert_owner") != 0 {
			t.Error("still owner after the loss")
		}
		done := w.metric("outcry_alert_evaluations_total", resultOK)
		time.Sleep(10 * time.Minute)
		if w.metric("outcry_alert_evaluations_total", resultOK) != done {
			t.Error("evaluated without ownership")
		}
		second, cancelSecond := context.WithCancel(ctx)
		defer cancelSecond()
		owned <- second
		time.Sleep(100 * time.Minute)
		w.expectHeard("FIRING critical tax · down", "RESOLVED critical tax · down")
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

// A receiver that hangs delays neither the evaluation nor other receivers.
func TestSlowReceiverDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		quick, slow := &ears{}, hanging{}
		k := newDesk(Deps{Log: slog.New(slog.DiscardHandler), Store: store, Now: time.Now, Receivers: []notify.Receiver{{Name: "slow", Notifier: slow}, {Name: "quick", Notifier: quick}}},
			notify.DefaultRetryConfig(), slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); k.run(ctx) }()
		for i := range 5 {
			k.tellAll(post.AlertChange{ID: post.Key(i)})
		}
		synctest.Wait()
		if n := len(quick.said()); n != 5 {
			t.Errorf("the quick receiver heard %d of 5", n)
		}
		cancel()
		<-done
	})
}

type hanging struct{}

func (hanging) Notify(ctx context.Context, _ post.AlertChange) error {
	<-ctx.Done()
	return ctx.Err()
}

// What a receiver accepted is written even if the process is told to stop just
// then.
func TestAcceptanceIsWrittenOnTheWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		ctx, cancel := context.WithCancel(t.Context())
		n := stopping(cancel)
		k := newDesk(Deps{Log: slog.New(slog.DiscardHandler), Store: store, Now: time.Now, Receivers: []notify.Receiver{{Name: "ops", Notifier: n}}},
			notify.DefaultRetryConfig(), slog.New(slog.DiscardHandler))
		k.tellAll(post.AlertChange{ID: 7})
		k.run(ctx)
		if len(store.notes) != 1 || store.notes[0].Status != statusSent || store.notes[0].Change != 7 {
			t.Errorf("notes %+v", store.notes)
		}
	})
}

// stopping accepts, while the process is told to stop.
type stopping context.CancelFunc

func (stop stopping) Notify(context.Context, post.AlertChange) error {
	stop()
	return nil
}
