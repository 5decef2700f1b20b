package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// liveBoard runs a board on connections in memory, so that a test inside
// synctest decides over time.
type liveBoard struct {
	*Server
	ln *pipeListener
}

func runLive(t *testing.T, store Store, change func(*Config, *Deps)) *liveBoard {
	t.Helper()
	s := newTestServer(t, store, func(c *Config, d *Deps) {
		d.Now = time.Now
		if change != nil {
			change(c, d)
		}
	})
	ln := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the board ends with %v", err)
		}
	})
	return &liveBoard{s, ln}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// sse is a viewer that reads.
type sse struct {
	t      *testing.T
	conn   net.Conn
	lines  *bufio.Scanner
	lastID string
}

// patience is how many other events a test passes over: a summary comes every
// ten seconds for ever.
const patience = 3000

type sseEvent struct{ id, name, data string }

// watch opens a stream and gives the viewer once the answer has begun.
func (b *liveBoard) watch(t *testing.T, query, lastID string) *sse {
	t.Helper()
	client, server := net.Pipe()
	b.ln.conns <- server
	t.Cleanup(func() { client.Close() })
	fmt.Fprintf(client, "GET /api/v1/stream%s HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %s\r\n\r\n", query, lastID)
	r := bufio.NewReader(client)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the stream is answered with %s", answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &sse{t: t, conn: client, lines: lines, lastID: lastID}
}

// next reads one event; ok is false at the end of the stream.
func (v *sse) next() (e sseEvent, ok bool) {
	for v.lines.Scan() {
		name, value, _ := strings.Cut(v.lines.Text(), ": ")
		switch name {
		case "id":
			e.id, v.lastID = value, value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name != "" {
				return e, true
			}
		}
	}
	return e, false
}

// texts reads n mentions, passing over other events, and gives their texts.
func (v *sse) texts(n int) string {
	v.t.Helper()
	var out []string
	for others := 0; len(out) < n; {
		e, ok := v.next()
		if others++; !ok || others > n+patience {
			v.t.Fatalf("the stream gave only %q", out)
		}
		if e.name == eventMention {
			var m mention
			if err := json.Unmarshal([]byte(e.data), &m); err != nil {
				v.t.Fatal(err)
			}
			out = append(out, m.Text)
		}
	}
	return strings.Join(out, " ")
}

// until reads events up to the first of the given name.
func (v *sse) until(name string) sseEvent {
	v.t.Helper()
	for range patience {
		e, ok := v.next()
		if !ok {
			break
		}
		if e.name == name {
			return e
		}
	}
	v.t.Fatalf("the stream gave no %s", name)
	return sseEvent{}
}
