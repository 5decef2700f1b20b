package embedded

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// hostile is what no client of ours sends.
func hostile() map[string][]byte {
	frame := func(size uint32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), rest...)
	}
	return map[string][]byte{
		"unknown API key":      frame(10, 0x00, 0x5d, 0, 0, 0, 0, 0, 1, 0, 0),
		"far API key":          frame(10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0, 0),
		"negative API key":     frame(10, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 0, 0),
		"a gap among the keys": frame(10, 0x00, 0x55, 0, 0, 0, 0, 0, 1, 0, 0),
		"4 GB":                 frame(0xffffffff, 0, 18, 0, 0),
		"just too large":       frame(maxFrame+1, 0, 18, 0, 0),
		"empty":                frame(0, 0, 18, 0, 0),
		"HTTP":                 []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"TLS":                  {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		"cut short":            frame(100, 0, 18),
		"no version known":     frame(10, 0, 18, 0x7f, 0xff, 0, 0, 0, 1, 0, 0),
		"nonsense in a body":   frame(30, append([]byte{0, 0, 0, 9, 0, 0, 0, 1, 0, 0}, bytes.Repeat([]byte{0xff}, 20)...)...),
	}
}

func TestHostileFramesDoNotBringTheBrokerDown(t *testing.T) {
	cfg := testConfig(t.TempDir())
	b := run(t, cfg)
	b.create(t, "t", 1)
	addr, err := Address(cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, frame := range hostile() {
		conn, err := net.Dial("unix", strings.TrimPrefix(addr, unixScheme))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, _ = conn.Write(frame)
		_ = conn.(*net.UnixConn).CloseWrite()
		_, _ = io.ReadAll(conn)
		_ = conn.Close()
		b.mustPublish(t, "t", record("k", name)) // fails the test, or panics, if it is down
	}
	if n := testutil.ToFloat64(b.metrics.refusedFrames); n < 8 {
		t.Errorf("counted %v refused frames", n)
	}
}

// FuzzGuard sends any bytes in any pieces through the guard. What comes out is a
// prefix of what went in and holds only frames that may pass.
func FuzzGuard(f *testing.F) {
	for _, frame := range hostile() {
		f.Add(frame, uint8(3))
	}
	good := append(binary.BigEndian.AppendUint32(nil, 10), 0, 18, 0, 0, 0, 0, 0, 1, 0, 0)
	f.Add(append(good, good...), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		client, server := net.Pipe()
		go func() {
			defer client.Close()
			_, _ = client.Write(in)
		}()
		guard := &guardConn{Conn: server, metrics: discardMetrics()}
		defer guard.Close()
		var out []byte
		buf := make([]byte, int(piece)+1)
		for {
			n, err := guard.Read(buf)
			out = append(out, buf[:n]...)
			if err != nil {
				break
			}
			if n == 0 {
				t.Fatal("a read of nothing without an error")
			}
		}
		if !bytes.HasPrefix(in, out) {
			t.Fatalf("%x went in, %x came out", in, out)
		}
		for rest := out; len(rest) > 0; {
			if len(rest) < 6 {
				t.Fatalf("half a header came out: %x", rest)
			}
			size, err := checkFrame([6]byte(rest[:6]))
			if err != nil {
				t.Fatalf("let through: %v", err)
			}
			rest = rest[min(len(rest), 4+size):]
		}
	})
}

// Clients wait outside until the broker has put its offsets right.
func TestSocketIsServedOnlyOnceItIsOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := listen(path, discardMetrics())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	own := make(chan net.Conn, 1)
	go func() { // the admin comes later and is served first
		conn, _ := ln.dial(t.Context(), "", "")
		own <- conn
	}()
	first, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, guarded := first.(*guardConn); guarded {
		t.Error("a client was served before the socket was opened")
	}
	(<-own).Close()
	close(ln.open)
	if second, err := ln.Accept(); err != nil {
		t.Error(err)
	} else if _, guarded := second.(*guardConn); !guarded {
		t.Error("a client was served without its guard")
	}
}
