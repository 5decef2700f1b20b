package alert

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"outcry/post"
)

// burning is a world in which an alert is about to fire, evaluated up to just
// before.
func burning(t *testing.T) *world {
	w := newWorld(t)
	w.complain("tax", "down", w.now, w.now.Add(30*time.Minute), 25)
	w.talk("tax", w.now, w.now.Add(3*time.Hour), 2)
	w.now = w.now.Add(3 * time.Minute)
	w.takeOver()
	return w
}

// evaluate is a tick without delivery.
func (w *world) evaluate() {
	w.t.Helper()
	w.now = w.now.Add(w.cfg.Interval)
	if err := w.shift.evaluate(w.t.Context(), w.now); err != nil {
		w.t.Fatal(err)
	}
}

// The process dies after the change was logged and before anybody was told.
func TestCrashBetweenLogAndNotify(t *testing.T) {
	w := burning(t)
	w.evaluate()
	w.expectHeard()
	if len(w.store.log()) == 0 {
		t.Fatal("nothing was logged")
	}
	w.published = nil
	w.takeOver()
	w.run(10 * time.Second)
	w.expectHeard("FIRING critical tax · down")
	if len(w.published) == 0 {
		t.Error("the change was not published again")
	}
	w.takeOver()
	w.run(2 * time.Minute)
	w.expectHeard("FIRING critical tax · down")
}

// The process dies after the receiver accepted and before that was written.
func TestCrashBetweenNotifyAndMark(t *testing.T) {
	w := burning(t)
	w.evaluate()
	c, _, _ := w.shift.desk.counters["ops"].waiting.next(t.Context())
	if err := w.ears.Notify(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.takeOver()
	w.run(10 * time.Second)
	w.expectHeard("FIRING critical tax · down", "FIRING critical tax · down")
	if a, b := w.ears.heard[0].ID, w.ears.heard[1].ID; a != b {
		t.Errorf("told as %v and again as %v: a receiver cannot know that it is the same", a, b)
	}
	w.takeOver()
	w.run(10 * time.Second)
	w.expectHeard("FIRING critical tax · down", "FIRING critical tax · down")
}

// The process dies before anything was logged: the next one finds out itself.
func TestCrashBeforeLog(t *testing.T) {
	w := burning(t)
	w.store.breakdown("InsertAlerts", errStore)
	w.now = w.now.Add(w.cfg.Interval)
	w.tick()
	w.expectLog()
	w.expectHeard()
	w.store.breakdown("InsertAlerts", nil)
	w.takeOver()
	w.run(10 * time.Second)
	w.expectHeard("FIRING critical tax · down")
}

// The log refuses for a while: the same change is written later, once.
func TestLogIsWrittenBeforeAnybodyIsTold(t *testing.T) {
	w := burning(t)
	w.store.breakdown("InsertAlerts", errStore)
	w.run(10 * time.Second)
	waiting := len(w.shift.unlogged)
	w.run(90 * time.Second)
	w.expectHeard()
	if n := len(w.shift.unlogged); waiting == 0 || n != waiting {
		t.Errorf("%d changes waited for the log, then %d: nothing new may be decided meanwhile", waiting, n)
	}
	if len(w.published) > 0 {
		t.Error("a change was published before it was logged")
	}
	w.store.breakdown("InsertAlerts", nil)
	w.run(10 * time.Second)
	w.expectHeard("FIRING critical tax · down")
	if n := countPrefix(w.store.log(), "issue-burst down INACTIVE => FIRING"); n != 1 {
		t.Errorf("fired %d times in the log", n)
	}
}

// An alert survives a takeover and is resolved by the next owner; what was
// suppressed stays so.
func TestAlertOutlivesItsOwner(t *testing.T) {
	w := burning(t)
	w.run(10 * time.Minute)
	w.expectHeard("FIRING critical tax · down")
	for range 4 {
		w.now = w.now.Add(7 * time.Minute)
		w.takeOver()
		w.run(3 * time.Minute)
	}
	w.run(70 * time.Minute)
	w.expectHeard("FIRING critical tax · down", "RESOLVED critical tax · down")
	suppressed := map[post.Key]int{}
	for _, n := range w.store.notes {
		if n.Status == statusSuppressed {
			suppressed[n.Change]++
		}
	}
	for id, n := range suppressed {
		if n > 1 {
			t.Errorf("change %v was suppressed %d times", id, n)
		}
	}
}

// An alert that was over while nobody watched is resolved, not forgotten.
func TestEndDuringAnOutageIsTold(t *testing.T) {
	w := burning(t)
	w.run(2 * time.Minute)
	w.leave()
	w.talk("tax", w.now, w.now.Add(6*time.Hour), 2)
	w.now = w.now.Add(5 * time.Hour)
	w.takeOver()
	w.run(20 * time.Minute)
	w.expectHeard("FIRING critical tax · down", "RESOLVED critical tax · down")
}

// A receiver that was down is told by the next owner, the others are not told
// again.
func TestReceiverThatWasDownIsTold(t *testing.T) {
	w := burning(t)
	w.evaluator.deps.Retry.GiveUp = 0
	w.ears.refuse(errors.New("refused"))
	w.shift.desk.retry.GiveUp = 0
	w.run(time.Minute)
	w.expectHeard()
	if n := w.metric("outcry_alert_notifications_total", "ops", statusFailed); n != 1 {
		t.Errorf("%v failed attempts", n)
	}
	if !slices.ContainsFunc(w.store.notes, func(n post.Notification) bool { return n.Status == statusFailed && n.Reason == "refused" }) {
		t.Errorf("the failure stands nowhere: %+v", w.store.notes)
	}
	w.ears.refuse(nil)
	w.takeOver()
	w.run(10 * time.Second)
	w.expectHeard("FIRING critical tax · down")
}

// Open alerts of a rule that was taken out are resolved.
func TestAlertOfRemovedRuleIsResolved(t *testing.T) {
	w := burning(t)
	w.run(10 * time.Second)
	w.rules = w.rules[2:]
	w.takeOver()
	w.run(10 * time.Second)
	w.expectHeard("FIRING critical tax · down", "RESOLVED critical tax · down · after ")
	w.takeOver()
	w.run(10 * time.Second)
	if n := countPrefix(w.store.log(), "issue-burst down FIRING => RESOLVED"); n != 1 {
		t.Errorf("resolved %d times", n)
	}
}

func countPrefix(lines []string, prefix string) int {
	n := 0
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}
