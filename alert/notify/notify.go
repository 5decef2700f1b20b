package notify

import (
	"context"
	"errors"
	"time"

	"outcry/post"
)

// Notifier tells one receiver of a change, in one attempt. A nil error means
// that the receiver accepted it. An error is worth another attempt unless it is
// marked by Permanent.
type Notifier interface {
	Notify(ctx context.Context, c post.AlertChange) error
}

// Receiver is a notifier with the name under which people know it.
type Receiver struct {
	Name string
	Notifier
}

// Permanent marks an error that no further attempt can cure.
func Permanent(err error) error { return permanent{err} }

// IsPermanent tells whether the error was marked by Permanent.
func IsPermanent(err error) bool { return errors.As(err, new(permanent)) }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// later is an error of a receiver that said when to come again.
type later struct {
	error
	after time.Duration
}

func (l later) Unwrap() error { return l.error }
