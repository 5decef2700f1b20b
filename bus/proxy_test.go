package bus_test

import (
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
)

// proxy stands between a client and its broker. Cut, it is to the broker as if
// the client's process had vanished, and to the client as if the network had.
type proxy struct {
	Addr string

	ln     net.Listener
	target string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

// newProxy listens on a unix socket: a client of one dials nothing else, not
// even the address that the broker's metadata names.
func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Addr: "unix://" + path, ln: ln, target: target, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() { _ = ln.Close(); p.Cut() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if !p.keep(conn) {
		return
	}
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	if !p.keep(out) {
		return
	}
	go func() {
		_, _ = io.Copy(out, conn)
		_ = out.Close()
		_ = conn.Close()
	}()
	_, _ = io.Copy(conn, out)
}

func (p *proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[conn] = struct{}{}
	return !p.cut
}

// Cut closes all connections and refuses new ones.
func (p *proxy) Cut() { p.set(true) }

// Mend lets new connections through again.
func (p *proxy) Mend() { p.set(false) }

func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for conn := range p.conns {
			_ = conn.Close()
		}
		clear(p.conns)
	}
}
