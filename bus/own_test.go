package bus_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"outcry/bus"
)

// owners watches that a task never runs twice at once.
type owners struct {
	t       *testing.T
	running atomic.Int32
}

// task runs until its context ends; started tells who runs.
func (o *owners) task(name string, started chan<- string) func(context.Context) error {
	return func(ctx context.Context) error {
		if n := o.running.Add(1); n != 1 {
			o.t.Errorf("%s started as owner number %d", name, n)
		}
		started <- name
		<-ctx.Done()
		o.running.Add(-1)
		return ctx.Err()
	}
}

func ownerClient(t *testing.T, addrs ...string) *bus.Client {
	c, _ := newClient(t, busConfig(addrs...))
	c.SetOwnerTimes(time.Second, 1500*time.Millisecond, 100*time.Millisecond)
	return c
}

func TestOneOwnerAndOrderlyTakeover(t *testing.T) {
	addrs := brokers(t)
	topic, group := newTopic(t, addrs, 1), unique("group")
	o, started := &owners{t: t}, make(chan string, 100)
	stopA := start(t, func(ctx context.Context) error {
		return ownerClient(t, addrs...).Own(ctx, group, topic, o.task("a", started))
	})
	if got := receive(t, started); got != "a" {
		t.Fatalf("%s owns, want a", got)
	}
	stopB := start(t, func(ctx context.Context) error {
		return ownerClient(t, addrs...).Own(ctx, group, topic, o.task("b", started))
	})
	// b joins: the task is interrupted for the moment but stays with a.
	if got := receive(t, started); got != "a" {
		t.Fatalf("after b joined %s owns, want still a", got)
	}
	stopA()
	if got := receive(t, started); got != "b" {
		t.Fatalf("after a left %s owns, want b", got)
	}
	stopB()
	if n := o.running.Load(); n != 0 {
		t.Errorf("%d tasks still run", n)
	}
}

func TestOwnerThatVanishesIsReplaced(t *testing.T) {
	addrs := brokers(t)
	topic, group := newTopic(t, addrs, 1), unique("group")
	link := newProxy(t, addrs[0])
	o, started := &owners{t: t}, make(chan string, 100)
	start(t, func(ctx context.Context) error {
		return ownerClient(t, link.Addr).Own(ctx, group, topic, o.task("a", started))
	})
	if got := receive(t, started); got != "a" {
		t.Fatalf("%s owns, want a", got)
	}
	start(t, func(ctx context.Context) error {
		return ownerClient(t, addrs...).Own(ctx, group, topic, o.task("b", started))
	})
	if got := receive(t, started); got != "a" {
		t.Fatalf("after b joined %s owns, want still a", got)
	}
	link.Cut() // a cannot say goodbye; its own task must end all the same
	if got := receive(t, started); got != "b" {
		t.Fatalf("after a vanished %s owns, want b", got)
	}
	link.Mend() // a comes back to the group, and b stays owner though it is interrupted
	if got := receive(t, started); got != "b" {
		t.Fatalf("after a came back %s owns, want still b", got)
	}
}

func TestOwnersTaskIsStartedAgain(t *testing.T) {
	addrs := brokers(t)
	topic := newTopic(t, addrs, 1)
	runs := make(chan int, 10)
	n := 0
	start(t, func(ctx context.Context) error {
		return ownerClient(t, addrs...).Own(ctx, unique("group"), topic, func(ctx context.Context) error {
			n++
			runs <- n
			if n < 3 {
				return errors.New("the database is down")
			}
			<-ctx.Done()
			return nil
		})
	})
	for want := 1; want <= 3; want++ {
		if got := receive(t, runs); got != want {
			t.Fatalf("run %d, want %d", got, want)
		}
	}
}
