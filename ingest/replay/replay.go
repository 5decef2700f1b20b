// Package replay is the source that reads archives: files of Outcry's own
// documents or of CSV, plain or compressed, as fast as they go or in the rhythm
// of their posts' own times.
//
// Promise: every record of a file becomes one event or one dead letter that
// names its line; a broken record costs its neighbours nothing; memory is
// bounded whatever the file holds. Replaying a file again gives the same ids.
// A cursor is good for the file it was made of, also after the file grew;
// another file is read from its beginning.
//
// Limits: the cursor counts records, so going on means reading over what was
// read. Input from a pipe cannot be gone on with.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"outcry/ingest"
)

// Bounds of a batch: it is passed on when it has reached one of them.
const (
	batchRecords = 1000
	batchBytes   = 4 << 20
)

// Progress is how far a file has been read.
type Progress struct {
	Bytes, Total int64 // as stored, so of a compressed file the compressed ones; Total is 0 when unknown
	Records      int64
}

// Deps are what Replay works with.
type Deps struct {
	Log      *slog.Logger
	Stdin    io.Reader      // read for the file "-"
	Progress func(Progress) // called after every batch; may be nil
}

// Replay is a source that reads one file.
type Replay struct {
	cfg   Config
	deps  Deps
	speed float64 // 0 is as fast as possible

	in        *input
	decoder   decoder
	signature string
	records   int // read so far, used or refused
	held      *ingest.Event
	pace      pace
	err       error // what ended the input, to be told after the last batch
}

// New makes the source; it opens nothing.
func New(cfg Config, deps Deps) (*Replay, error) {
	speed, err := parseSpeed(cfg.Speed)
	if err != nil {
		return nil, fmt.Errorf("speed: %w", err)
	}
	if cfg.Format != FormatOutcry && cfg.Format != FormatCSV {
		return nil, fmt.Errorf("format %q is unknown", cfg.Format)
	}
	return &Replay{cfg: cfg, deps: deps, speed: speed}, nil
}

// Open opens the file and goes to the record that the cursor names.
func (r *Replay) Open(ctx context.Context, cursor string) error {
	in, err := open(r.cfg.File, r.deps.Stdin)
	if err != nil {
		return ingest.Permanent(fmt.Errorf("open %s: %w", r.name(), err))
	}
	r.in, r.decoder, r.records, r.held, r.err = in, nil, 0, nil, nil
	r.pace = pace{speed: r.speed}
	if in.stream {
		return nil // to look at it now might wait for ever
	}
	if err := r.begin(); err != nil {
		return err
	}
	return r.resume(ctx, cursor)
}

// begin finds out what the file is made of.
func (r *Replay) begin() error {
	if err := r.in.decompress(); err != nil {
		return ingest.Permanent(fmt.Errorf("open %s: %w", r.name(), err))
	}
	if !r.in.stream {
		hash, n := r.in.signature(signatureSize)
		r.signature = fmt.Sprintf("%d:%016x", n, hash)
	}
	lines := newLineReader(r.in.Reader)
	if r.cfg.Format == FormatCSV {
		r.decoder = &rows{csv: newCSVReader(lines), cfg: r.cfg}
	} else {
		r.decoder = &documents{lines: lines, platform: r.cfg.Platform}
	}
	return nil
}

// resume reads over the records before the cursor.
func (r *Replay) resume(ctx context.Context, cursor string) error {
	if cursor == "" {
		return nil
	}
	var size, records int
	var hash uint64
	_, err := fmt.Sscanf(cursor, "%d:%16x:%d", &size, &hash, &records)
	if err == nil && size >= 0 && size <= signatureSize {
		if have, n := r.in.signature(size); have == hash && n == size {
			for r.records < records {
				if err := r.decoder.skip(); errors.Is(err, io.EOF) {
					break
				}
				if r.records++; r.records%100_000 == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
			}
			return nil
		}
	}
	r.deps.Log.Info("the cursor is not of this file, reading it from the beginning", "component", "replay", "file", r.name())
	return nil
}

// Read gives the next records. An error that ends the file comes after the
// records before it.
func (r *Replay) Read(ctx context.Context) (ingest.Batch, error) {
	stop := context.AfterFunc(ctx, r.in.interrupt)
	defer stop()
	if r.decoder == nil {
		if err := r.begin(); err != nil {
			return ingest.Batch{}, r.fault(ctx, err)
		}
	}
	var b ingest.Batch
	for size := 0; r.err == nil && len(b.Events)+len(b.Bad) < batchRecords && size < batchBytes; {
		if r.held == nil {
			ev, bad, err := r.decoder.next()
			if err != nil {
				r.err = err
				break
			}
			r.records++
			if bad != nil {
				b.Bad = append(b.Bad, *bad)
				size += len(bad.Raw)
				continue
			}
			r.held = &ev
		}
		if wait := r.pace.wait(r.held.Time, time.Now()); wait > 0 {
			if len(b.Events)+len(b.Bad) > 0 {
				break
			}
			if err := sleep(ctx, wait); err != nil {
				return ingest.Batch{}, err
			}
		}
		b.Events = append(b.Events, *r.held)
		size += len(r.held.Text)
		r.held = nil
		if r.in.stream && r.in.Buffered() == 0 {
			break // whoever writes into the pipe may pause now
		}
	}
	if len(b.Events)+len(b.Bad) == 0 {
		return ingest.Batch{}, r.fault(ctx, r.err)
	}
	b.Cursor = r.cursor()
	r.report()
	return b, nil
}

// cursor names the records that have been given.
func (r *Replay) cursor() string {
	if r.in.stream {
		return ""
	}
	given := r.records
	if r.held != nil {
		given--
	}
	return fmt.Sprintf("%s:%d", r.signature, given)
}

// fault words what ended the input.
func (r *Replay) fault(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF):
		return ingest.ErrEnd
	case r.decoder == nil:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("the compressed file is cut off: %w", err)
	}
	return ingest.Permanent(fmt.Errorf("%s:%d: %w", r.name(), r.decoder.line(), err))
}

// report tells the progress.
func (r *Replay) report() {
	if r.deps.Progress != nil {
		r.deps.Progress(Progress{Bytes: r.in.raw.Load(), Total: r.in.total, Records: int64(r.records)})
	}
}

// Close closes the file.
func (r *Replay) Close() error {
	if r.in != nil {
		r.in.close()
	}
	return nil
}

func (r *Replay) name() string {
	if r.cfg.File == "-" {
		return "standard input"
	}
	return r.cfg.File
}

// pace releases posts in the rhythm of their own times, speed times as fast.
type pace struct {
	speed float64   // 0 is without a rhythm
	first time.Time // time of the first post
	start time.Time // when it was released
}

// wait tells how long a post of time t must still wait. Posts that are older
// than the first, or have no time, go at once.
func (p *pace) wait(t, now time.Time) time.Duration {
	if p.speed == 0 || t.IsZero() {
		return 0
	}
	if p.first.IsZero() {
		p.first, p.start = t, now
	}
	return time.Duration(float64(t.Sub(p.first))/p.speed) - now.Sub(p.start)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

var _ ingest.Source = (*Replay)(nil)
