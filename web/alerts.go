package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"outcry/post"
)

const (
	// alertHistory is how far back the log of alerts is read: an alert that
	// opened earlier and never changed since is not shown.
	alertHistory = 30 * 24 * time.Hour
	// alertOverlap is how far before the newest known change the log is read
	// again, so that a change written late is not missed.
	alertOverlap = 10 * time.Minute
	// alertReload is how often the whole history is read again.
	alertReload = 10 * time.Minute
	// alertFresh is how long a reading is good enough for everybody.
	alertFresh = 500 * time.Millisecond
	// shownResolved is for how long a resolved alert stays on the board.
	shownResolved = 24 * time.Hour
)

// alertBook follows the log of alert changes and knows the latest state of
// each alert. It is safe for concurrent use.
type alertBook struct {
	store   AlertStore
	publish func([]post.AlertChange)

	mu     sync.Mutex
	loaded time.Time // of the whole history; zero: never
	read   time.Time // of the latest changes
	newest time.Time
	seen   map[post.Key]struct{} // ids of changes
	latest map[post.Key]post.AlertChange
}

func newAlertBook(store AlertStore, publish func([]post.AlertChange)) *alertBook {
	return &alertBook{store: store, publish: publish}
}

// refresh reads what the log has gained and hands it to publish. The first
// reading hands over nothing: what happened before is not news.
func (b *alertBook) refresh(ctx context.Context, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.read) < alertFresh {
		return nil
	}
	first := b.loaded.IsZero()
	whole := now.Sub(b.loaded) >= alertReload
	since := b.newest.Add(-alertOverlap)
	if whole || b.newest.IsZero() {
		since = now.Add(-alertHistory)
	}
	log, err := b.store.AlertLog(ctx, since)
	if err != nil {
		return fmt.Errorf("read the log of alerts: %w", err)
	}
	b.read = now
	known := b.seen
	if whole {
		b.loaded = now
		b.seen, b.latest = make(map[post.Key]struct{}), make(map[post.Key]post.AlertChange)
	}
	var fresh []post.AlertChange
	for _, c := range log {
		if _, ok := known[c.ID]; !ok && !first {
			fresh = append(fresh, c)
		}
		b.seen[c.ID] = struct{}{}
		if old, ok := b.latest[c.Fingerprint]; !ok || !c.At.Before(old.At) {
			b.latest[c.Fingerprint] = c
		}
		if c.At.After(b.newest) {
			b.newest = c.At
		}
	}
	if len(fresh) > 0 {
		b.publish(fresh)
	}
	return nil
}

// last is the time of the newest change; zero when there is none.
func (b *alertBook) last() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.newest
}

// list gives the open alerts, worst first, and those resolved lately, newest first.
func (b *alertBook) list(n names, now time.Time) (open, resolved []alert) {
	b.mu.Lock()
	defer b.mu.Unlock()
	open, resolved = []alert{}, []alert{}
	for _, c := range b.latest {
		switch {
		case c.State == post.Firing || c.State == post.Pending:
			open = append(open, n.alert(c))
		case c.State == post.Resolved && now.Sub(c.At) < shownResolved:
			resolved = append(resolved, n.alert(c))
		}
	}
	slices.SortFunc(open, func(x, y alert) int {
		return cmp.Or(-cmp.Compare(x.weight(), y.weight()), -cmp.Compare(x.Surprise, y.Surprise),
			x.Started.Compare(y.Started), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	slices.SortFunc(resolved, func(x, y alert) int {
		return cmp.Or(-x.At.Compare(y.At), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	return open, resolved
}

// during gives the alerts that were firing at some time between from and to,
// for the marks on a timeline.
func (b *alertBook) during(n names, s post.Series, from, to time.Time) []alert {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []alert{}
	for _, c := range b.latest {
		ended := c.State == post.Resolved && c.At.Before(from)
		shown := c.State == post.Firing || c.State == post.Resolved
		concerns := c.Series.Agency == s.Agency && (s.Issue == "" || c.Series.Issue == "" || c.Series.Issue == s.Issue)
		if shown && concerns && !ended && c.Started.Before(to) {
			out = append(out, n.alert(c))
		}
	}
	slices.SortFunc(out, func(x, y alert) int {
		return cmp.Or(x.Started.Compare(y.Started), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	return out
}
