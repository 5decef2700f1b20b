package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"

	"outcry/post"
)

// Source reads posts from one place. The Supervisor never calls two of its
// methods at once; it opens, reads and closes it any number of times. Only
// Batch.Ack comes at any time, from another goroutine.
type Source interface {
	// Open starts reading after cursor; an empty cursor means from the
	// beginning, or from now for a stream without a past.
	Open(ctx context.Context, cursor string) error
	// Read waits for the next batch. It returns ErrEnd after the last one, an
	// error wrapped by Permanent when opening again cannot help, and ctx's error
	// when ctx ends. After any error the source is closed. A batch without
	// events is a sign of life.
	Read(ctx context.Context) (Batch, error)
	// Close releases what Open took. It is called after a failed Open too.
	Close() error
}

// Batch is what one Read gave.
type Batch struct {
	Events []Event
	Cursor string            // where to go on after this batch; empty leaves the cursor as it was
	Ack    func(error)       // called once: nil when Kafka has every post; may be nil
	Bad    []post.DeadLetter // input the source could not decode; At, Stage and Source are filled in by the Supervisor
	// GapFrom is set when posts between it and this batch may be missing.
	GapFrom time.Time
}

// Event is something that happened to a post, as the platform tells it. Nothing
// of it is trusted.
type Event struct {
	Kind      post.Kind // empty means KindPost
	Platform  string    // [a-z0-9_-], at most 32 bytes
	ID        string    // the platform's own id of the post
	Author    string    // the platform's own id of the author; empty is unknown
	Text      string
	Language  string // ISO 639-1, or a BCP 47 tag
	Permalink string
	Time      time.Time // zero means the moment of arrival
	Edited    time.Time // for KindEdit; zero means the moment of arrival
	Links     []string
	Repaired  bool // the decoder already replaced invalid UTF-8
}

// Named is a source with the properties that the Supervisor must know.
type Named struct {
	Name    string        // instance: the label of its metrics, the key of its cursor
	Source  Source        //
	Archive bool          // its event times are trusted however old they are
	Stall   time.Duration // silence after which it counts as stalled; 0 is never (files)
}

// ErrEnd is returned by Source.Read when the source has been read to its end.
var ErrEnd = errors.New("end of source")

// permanentError marks a fault that opening the source again cannot mend.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks err so that the Supervisor ends the source instead of
// restarting it, for example for a file that is not there.
func Permanent(err error) error { return &permanentError{err} }

func isPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// Key identifies a post: the 64-bit xxhash of platform, a zero byte and the
// platform's own id.
func Key(platform, id string) post.Key {
	var buf [128]byte
	b := append(buf[:0], platform...)
	b = append(b, 0)
	b = append(b, id...)
	return post.Key(xxhash.Sum64(b))
}
