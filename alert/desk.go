package alert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"outcry/alert/notify"
	"outcry/post"
)

// everyReceiver stands for all receivers in an entry of the notification log.
const everyReceiver = "*"

// desk tells the receivers of changes, each at its own pace and in order, and
// writes to the notification log what became of it.
type desk struct {
	log     *slog.Logger
	metrics *Metrics
	notes   Notes
	retry   notify.RetryConfig
	now     func() time.Time

	counters map[string]*counter
	names    []string
}

// counter is where changes wait for one receiver.
type counter struct {
	receiver notify.Receiver
	waiting  *queue
}

func newDesk(d Deps, retry notify.RetryConfig, log *slog.Logger) *desk {
	k := &desk{log: log, metrics: d.Metrics, notes: d.Store, retry: retry, now: d.Now, counters: map[string]*counter{}}
	for _, r := range d.Receivers {
		k.counters[r.Name] = &counter{receiver: r, waiting: newQueue()}
		k.names = append(k.names, r.Name)
	}
	return k
}

// tell queues a change for a receiver.
func (k *desk) tell(receiver string, c post.AlertChange) {
	q := k.counters[receiver]
	k.metrics.queued(receiver, q.waiting.add(c))
}

// tellAll queues a change for every receiver.
func (k *desk) tellAll(c post.AlertChange) {
	for _, name := range k.names {
		k.tell(name, c)
	}
}

// run serves the receivers until ctx ends.
func (k *desk) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, name := range k.names {
		wg.Go(func() { k.serve(ctx, k.counters[name]) })
	}
	wg.Wait()
}

func (k *desk) serve(ctx context.Context, q *counter) {
	for {
		c, left, ok := q.waiting.next(ctx)
		if !ok {
			return
		}
		// The one under way waits too, as long as its receiver does not accept it.
		k.metrics.queued(q.receiver.Name, left+1)
		k.deliver(ctx, q.receiver, c)
		k.metrics.queued(q.receiver.Name, left)
	}
}

// deliver tells one receiver of one change. Its acceptance is written before
// the next change is told, so a crash repeats one change at most.
func (k *desk) deliver(ctx context.Context, r notify.Receiver, c post.AlertChange) {
	err := notify.Deliver(ctx, k.retry, r, c, func(attempt int, err error) {
		note := post.Notification{At: k.now(), Change: c.ID, Receiver: r.Name, Status: statusSent, Attempt: attempt}
		if err == nil {
			k.metrics.notified(r.Name, statusSent)
			k.mustWrite(ctx, note)
			return
		}
		note.Status, note.Reason = statusFailed, err.Error()
		k.metrics.notified(r.Name, statusFailed)
		k.log.Warn("notification failed", "receiver", r.Name, "change", c.ID, "attempt", attempt, "permanent", notify.IsPermanent(err), "error", err)
		if err := k.write(ctx, note); err != nil {
			k.log.Warn("cannot write to the notification log", "error", err)
		}
	})
	if err != nil && ctx.Err() == nil {
		k.log.Error("receiver was not told", "receiver", r.Name, "change", c.ID, "summary", c.Summary, "error", err)
	}
}

const (
	noteTimeout = 10 * time.Second // for one write to the notification log
	lastChance  = 2 * time.Second  // for writing what a receiver accepted when ctx has ended
	notePause   = time.Second
)

func (k *desk) write(ctx context.Context, n ...post.Notification) error {
	ctx, cancel := context.WithTimeout(ctx, noteTimeout)
	defer cancel()
	return k.notes.InsertNotifications(ctx, n)
}

// mustWrite writes an entry and does not give up before ctx ends; even then it
// tries once more.
func (k *desk) mustWrite(ctx context.Context, n post.Notification) {
	for {
		err := k.write(ctx, n)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastChance)
			defer cancel()
			if err = k.notes.InsertNotifications(last, []post.Notification{n}); err != nil {
				k.log.Warn("a receiver will be told again: its acceptance could not be written", "receiver", n.Receiver, "change", n.Change, "error", err)
			}
			return
		}
		k.log.Warn("cannot write to the notification log, will try again", "error", err)
		pause := time.NewTimer(notePause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}
