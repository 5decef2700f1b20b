package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"outcry/post"
)

// runner keeps one source running.
type runner struct {
	Named
	cfg    Config
	deps   Deps
	log    *slog.Logger
	status *status
	cursor *cursorKeeper

	norm     *normaliser
	agencies *agencyMatcher
	mentions func(agency string, posts int)

	progress atomic.Bool // a batch was acknowledged since the last restart
}

func newRunner(cfg Config, deps Deps, named Named, log *slog.Logger, note func(post.SourceHealth)) *runner {
	metrics := deps.Metrics.source(named.Name)
	return &runner{
		Named: named, cfg: cfg, deps: deps, log: log,
		status: &status{name: named.Name, metrics: metrics, note: note, state: post.SourceBackoff, detail: "starting"},
		cursor: &cursorKeeper{instance: named.Name, store: deps.Cursors, log: log, metrics: metrics},
		norm: &normaliser{
			source: named.Name, archive: named.Archive, authors: newPseudonymiser(deps.Secret),
			changed: func(c change) { metrics.changed[c].Inc() },
		},
		agencies: deps.Agencies.newMatcher(),
		mentions: func(agency string, posts int) {
			deps.Metrics.mentions.WithLabelValues(agency).Add(float64(posts))
		},
	}
}

// run reads the source, again and again, until ctx ends or it is over.
func (r *runner) run(ctx context.Context) error {
	stopSaving := r.cursor.saveEvery(ctx, r.cfg.CursorEvery)
	defer stopSaving()
	pause := &backoff.ExponentialBackOff{
		InitialInterval: r.cfg.RestartMin, MaxInterval: r.cfg.RestartMax, Multiplier: 2, RandomizationFactor: 0.3,
	}
	pause.Reset()
	for {
		err := r.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrEnd):
			r.log.Info("source read to its end")
			r.status.set(post.SourceFinished, "")
			return nil
		case isPermanent(err):
			r.log.Error("source ended by a fault", "error", err)
			r.status.set(post.SourceFailed, err.Error())
			return err
		}
		if r.progress.Swap(false) {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		r.log.Warn("source failed, will be opened again", "error", err, "in", wait.Round(time.Millisecond))
		r.status.set(post.SourceBackoff, err.Error())
		r.status.metrics.restarts.Inc()
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// session opens the source and moves its posts to Kafka until something fails.
// It returns after everything read was acknowledged or given up.
func (r *runner) session(ctx context.Context) error {
	from, err := r.cursor.load(ctx)
	if err != nil {
		return err
	}
	// A batch that Kafka refuses ends the reading, too.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer func() {
		if err := r.Source.Close(); err != nil {
			r.log.Warn("close source", "error", err)
		}
	}()
	if err := r.Source.Open(ctx, from); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	r.status.set(post.SourceRunning, "")

	batches := make(chan arrival, 4)
	var readErr error
	go func() {
		defer close(batches)
		readErr = r.read(ctx, batches)
	}()
	out := newConveyor(ctx, r, stop)
	for first := range batches {
		if !out.send(ctx, r.prepare(first, batches)) {
			break
		}
	}
	out.drain()
	for b := range batches { // whoever stopped first, the reader is gone before Close
		if b.Ack != nil {
			b.Ack(context.Cause(ctx))
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return readErr
}

// arrival is a batch and the moment it was read.
type arrival struct {
	Batch
	at time.Time
}

// read passes on what the source gives until it fails.
func (r *runner) read(ctx context.Context, batches chan<- arrival) error {
	for {
		read := r.status.beginRead()
		var stall *time.Timer
		if r.Stall > 0 {
			stall = time.AfterFunc(r.Stall, func() { r.status.stalled(read, r.Stall) })
		}
		b, err := r.Source.Read(ctx)
		if stall != nil {
			stall.Stop()
		}
		if err != nil {
			if errors.Is(err, ErrEnd) {
				return ErrEnd
			}
			return fmt.Errorf("read: %w", err)
		}
		now := time.Now()
		r.status.endRead(len(b.Events)+len(b.Bad), now)
		if !b.GapFrom.IsZero() {
			r.log.Warn("posts may be missing", "from", b.GapFrom)
			r.status.gap(b.GapFrom)
		}
		select {
		case batches <- arrival{b, now}:
		case <-ctx.Done():
			if b.Ack != nil {
				b.Ack(ctx.Err())
			}
			return ctx.Err()
		}
	}
}

// prepare makes a flight of a batch, and of those that wait behind it, so that
// a source of many small batches costs Kafka few large ones.
func (r *runner) prepare(next arrival, more <-chan arrival) *flight {
	f := &flight{done: make(chan struct{})}
	for events := 0; ; {
		r.load(f, next)
		if events += len(next.Events); events >= r.cfg.BatchEvents {
			return f
		}
		select {
		case b, ok := <-more:
			if !ok {
				return f
			}
			next = b
		default:
			return f
		}
	}
}

// load puts what is worth publishing of a batch into a flight.
func (r *runner) load(f *flight, b arrival) {
	m := r.status.metrics
	for i := range b.Bad {
		f.letters = append(f.letters, r.letter(b.Bad[i], b.at))
	}
	before := len(f.posts)
	for i := range b.Events {
		p, refusal := r.norm.post(&b.Events[i], b.at)
		if refusal != nil {
			f.letters = append(f.letters, r.letter(refusal.deadEvent(&b.Events[i]), b.at))
			continue
		}
		// A delete is for whoever has the post, and no longer says whom it concerned.
		if p.Kind != post.KindDelete {
			if p.Agencies = r.agencies.match(&p); p.Agencies == nil {
				m.unmatched.Inc()
				continue
			}
			for _, id := range p.Agencies {
				r.mentions(id, 1)
			}
		}
		f.posts = append(f.posts, p)
	}
	m.matched.Add(float64(len(f.posts) - before))
	if b.Ack != nil {
		f.acks = append(f.acks, b.Ack)
	}
	if b.Cursor != "" {
		f.cursor = b.Cursor
	}
}

// letter completes a dead letter and counts it.
func (r *runner) letter(l post.DeadLetter, at time.Time) post.DeadLetter {
	l.At, l.Stage, l.Source = at.UTC().Truncate(time.Millisecond), "ingest", r.Name
	l.Raw = l.Raw[:min(len(l.Raw), maxDeadRaw)]
	l.Detail = cut(l.Detail, 500)
	r.status.metrics.refuse(l.Reason)
	return l
}
