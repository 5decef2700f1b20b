package ingest

import (
	"context"
	"fmt"
	"time"

	"outcry/post"
)

// deadLetterGrace is how long dead letters are tried after the posts beside them
// are published: longer than a broker takes to restart.
const deadLetterGrace = 30 * time.Second

// flight is a batch on its way to Kafka.
type flight struct {
	posts   []post.Post
	letters []post.DeadLetter
	acks    []func(error)
	cursor  string

	after []*flight     // earlier flights with an event of one of the same posts
	done  chan struct{} // closed when published or given up; then err is set
	err   error
}

// conveyor publishes several flights at once and acknowledges them in order. It
// lives as long as one session of a source.
type conveyor struct {
	r        *runner
	fail     context.CancelCauseFunc // ends the session
	publish  context.Context         // outlives the session by the time to drain
	release  context.CancelFunc
	inFlight chan *flight
	acked    chan struct{} // closed when the last flight is acknowledged

	last map[post.Key]*flight // the latest flight of each post; touched by send alone
	sent []*flight            // flights with entries in last, oldest first
}

func newConveyor(ctx context.Context, r *runner, fail context.CancelCauseFunc) *conveyor {
	c := &conveyor{
		r: r, fail: fail, last: map[post.Key]*flight{},
		// One flight is with the acknowledger, so the channel holds one less.
		inFlight: make(chan *flight, r.cfg.InFlight-1), acked: make(chan struct{}),
	}
	c.publish, c.release = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		select {
		case <-time.After(r.cfg.Drain):
			c.release()
		case <-c.publish.Done():
		}
	})
	go c.acknowledge()
	return c
}

// send starts publishing a flight once there is room. It tells whether the
// session goes on.
func (c *conveyor) send(ctx context.Context, f *flight) bool {
	c.order(f)
	c.r.status.metrics.inFlight.Add(float64(len(f.posts)))
	// The acknowledger always moves on: every flight ends, at the latest when
	// the time to drain is over.
	c.inFlight <- f
	go c.fly(f)
	return ctx.Err() == nil
}

// order makes f wait for the flights that carry earlier events of its posts.
func (c *conveyor) order(f *flight) {
	for len(c.sent) > 0 && c.sent[0].landed() {
		for i := range c.sent[0].posts {
			if key := c.sent[0].posts[i].Key; c.last[key] == c.sent[0] {
				delete(c.last, key)
			}
		}
		c.sent = c.sent[1:]
	}
	for i := range f.posts {
		key := f.posts[i].Key
		if earlier := c.last[key]; earlier != nil && earlier != f {
			f.after = append(f.after, earlier)
		}
		c.last[key] = f
	}
	c.sent = append(c.sent, f)
}

func (f *flight) landed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// fly publishes a flight: its posts, and beside them its dead letters.
func (c *conveyor) fly(f *flight) {
	defer close(f.done)
	for _, earlier := range f.after {
		<-earlier.done
	}
	f.after = nil
	letters := make(chan error, 1)
	ctx, cancel := context.WithCancel(c.publish)
	defer cancel()
	if len(f.letters) > 0 {
		go func() { letters <- c.r.deps.DeadLetters(ctx, f.letters) }()
	} else {
		letters <- nil
	}
	if len(f.posts) > 0 {
		begun := time.Now()
		if err := c.r.deps.Publish(c.publish, f.posts); err != nil {
			f.err = fmt.Errorf("publish %d posts: %w", len(f.posts), err)
		}
		c.r.status.metrics.publishing.Observe(time.Since(begun).Seconds())
	}
	// Refused input is worth a wait but not a standstill.
	grace := time.AfterFunc(deadLetterGrace, cancel)
	defer grace.Stop()
	if err := <-letters; err != nil {
		c.r.log.Error("dead letters lost", "letters", len(f.letters), "reason", f.letters[0].Reason, "error", err)
		c.r.status.metrics.lostLetters.Add(float64(len(f.letters)))
	}
}

// acknowledge tells the source of each flight in order and moves the cursor over
// those that Kafka has. After one that failed the cursor stays: the session ends
// and the next one reads again from there.
func (c *conveyor) acknowledge() {
	defer close(c.acked)
	failed := false
	for f := range c.inFlight {
		<-f.done
		c.r.status.metrics.inFlight.Sub(float64(len(f.posts)))
		if f.err == nil {
			c.r.status.add(len(f.posts), len(f.letters))
		} else if !failed {
			failed = true
			c.fail(f.err)
		}
		if !failed {
			c.r.progress.Store(true)
			c.r.cursor.advance(f.cursor)
		}
		for _, ack := range f.acks {
			ack(f.err)
		}
	}
}

// drain waits until every flight is acknowledged or given up.
func (c *conveyor) drain() {
	close(c.inFlight)
	<-c.acked
	c.release()
}
