package notify

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"outcry/post"
)

// fake answers one error after the other, then nil, and notes when it was asked.
type fake struct {
	errs []error
	at   []time.Time
}

func (f *fake) Notify(context.Context, post.AlertChange) error {
	f.at = append(f.at, time.Now())
	if len(f.errs) == 0 {
		return nil
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return err
}

var errDown = errors.New("down")

func TestDeliverTriesUntilAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{errs: []error{errDown, errDown, later{errDown, 5 * time.Minute}, errDown}}
		var reported []error
		err := Deliver(t.Context(), DefaultRetryConfig(), f, change, func(_ int, err error) { reported = append(reported, err) })
		if err != nil || len(f.at) != 5 || len(reported) != 5 || reported[4] != nil {
			t.Fatalf("error %v, %d attempts, reported %v", err, len(f.at), reported)
		}
		for i, least := range []time.Duration{500 * time.Millisecond, time.Second, 5 * time.Minute, 4 * time.Second} {
			if pause := f.at[i+1].Sub(f.at[i]); pause < least || i != 2 && pause > 2*least {
				t.Errorf("pause %d is %v, want %v to twice that", i+1, pause, least)
			}
		}
	})
}

func TestDeliverGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuses := &fake{errs: []error{errDown, Permanent(errDown)}}
		if err := Deliver(t.Context(), DefaultRetryConfig(), refuses, change, func(int, error) {}); !errors.Is(err, errDown) || len(refuses.at) != 2 {
			t.Errorf("refused for good: error %v after %d attempts", err, len(refuses.at))
		}
		down := &fake{}
		for range 1000 {
			down.errs = append(down.errs, errDown)
		}
		began := time.Now()
		err := Deliver(t.Context(), DefaultRetryConfig(), down, change, func(int, error) {})
		if took := time.Since(began); !errors.Is(err, errDown) || took > time.Hour || took < 58*time.Minute {
			t.Errorf("never accepted: error %v after %v", err, took)
		}
		once := &fake{errs: []error{errDown}}
		if err := Deliver(t.Context(), RetryConfig{First: time.Second, Max: time.Second}, once, change, func(int, error) {}); err == nil || len(once.at) != 1 {
			t.Errorf("give_up 0s: error %v after %d attempts", err, len(once.at))
		}
	})
}

func TestDeliverEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		f := &fake{errs: []error{errDown, errDown}}
		if err := Deliver(ctx, DefaultRetryConfig(), f, change, func(int, error) {}); !errors.Is(err, context.DeadlineExceeded) || len(f.at) != 1 {
			t.Errorf("error %v after %d attempts", err, len(f.at))
		}
	})
}

func TestTerminalKeepsToOneLine(t *testing.T) {
	var out bytes.Buffer
	hostile := change
	hostile.Summary = "FIRING \x1b[2J\r\nowned\u202egnp.exe\u2028\x00\u200b \x9b31m" + strings.Repeat("x", 2000)
	if err := NewTerminal(&out, false, time.UTC).Notify(t.Context(), hostile); err != nil {
		t.Fatal(err)
	}
	line := out.String()
	if strings.Count(line, "\n") != 1 || strings.ContainsAny(line, "\x1b\r\x00\u202e\u2028\u200b\u009b") || len(line) > 800 {
		t.Errorf("line %q", line)
	}
	if !strings.HasPrefix(line, `09:00:00 FIRING \u001b[2J\u000d\u000aowned\u202e`) {
		t.Errorf("line %q", line)
	}
	out.Reset()
	if err := NewTerminal(&out, true, time.UTC).Notify(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	if want := "09:00:00 \x1b[1;31mFIRING critical demo-benefits · down\x1b[0m\n"; out.String() != want {
		t.Errorf("line %q, want %q", out.String(), want)
	}
	if err := NewTerminal(failing{}, false, time.UTC).Notify(t.Context(), change); !IsPermanent(err) {
		t.Errorf("a terminal that is gone: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errDown }

func FuzzPlain(f *testing.F) {
	f.Add("a\nb\u202ec")
	f.Fuzz(func(t *testing.T, s string) {
		if p := Plain(s, 100); strings.ContainsAny(p, "\n\r\t\x1b\x00\x7f\u0085\u2028\u2029\u202e\u2066") || len([]rune(p)) > 100*10+1 {
			t.Fatalf("%q became %q", s, p)
		}
	})
}
