package alert

import (
	"context"
	"sync"

	"outcry/post"
)

// queue holds the changes that wait for one receiver. It has no bound: changes
// of alerts are few, and none may be lost.
type queue struct {
	mu    sync.Mutex
	items []post.AlertChange
	wake  chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// add appends and gives the length.
func (q *queue) add(c post.AlertChange) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, c)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(q.items)
}

// next waits for a change and gives how many are left; false when ctx ended.
func (q *queue) next(ctx context.Context) (c post.AlertChange, left int, ok bool) {
	for ctx.Err() == nil {
		if c, left, ok = q.take(); ok {
			return c, left, true
		}
		select {
		case <-ctx.Done():
		case <-q.wake:
		}
	}
	return post.AlertChange{}, 0, false
}

func (q *queue) take() (c post.AlertChange, left int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) == 0 {
		return post.AlertChange{}, 0, false
	}
	c, q.items = q.items[0], q.items[1:]
	return c, len(q.items), true
}
