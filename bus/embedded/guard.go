package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// maxFrame is the largest request let through; ours are below 1.1 MB. The
	// broker allocates what a frame says that it holds.
	maxFrame = 8 << 20

	// minFrame is the least that a request can be: key, version, correlation,
	// client id.
	minFrame = 10

	// maxKey is the last API that the broker knows; it panics beyond.
	maxKey = 92
)

// listener is what the broker accepts connections from: its own admin at once,
// and the unix socket once it is opened. Until then clients wait in the socket's
// queue: they must not read offsets that are about to be set back.
type listener struct {
	unix    *net.UnixListener
	metrics *Metrics

	accepted chan net.Conn
	open     chan struct{}
	closed   chan struct{}
	once     sync.Once
}

func listen(path string, metrics *Metrics) (*listener, error) {
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = ln.Close()
		return nil, err
	}
	l := &listener{unix: ln, metrics: metrics, accepted: make(chan net.Conn), open: make(chan struct{}), closed: make(chan struct{})}
	go l.serve()
	return l, nil
}

// serve accepts from the socket, once it is opened, until the listener closes.
func (l *listener) serve() {
	select {
	case <-l.open:
	case <-l.closed:
		return
	}
	for {
		conn, err := l.unix.Accept()
		if err != nil {
			_ = l.Close()
			return
		}
		if !l.pass(&guardConn{Conn: conn, metrics: l.metrics}) {
			return
		}
	}
}

// dial connects the broker's own admin.
func (l *listener) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	if !l.pass(theirs) {
		_ = ours.Close()
		return nil, net.ErrClosed
	}
	return ours, nil
}

func (l *listener) pass(conn net.Conn) bool {
	select {
	case l.accepted <- conn:
		return true
	case <-l.closed:
		_ = conn.Close()
		return false
	}
}

// Accept gives the next connection.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener and removes the socket.
func (l *listener) Close() error {
	var err error
	l.once.Do(func() {
		close(l.closed)
		err = l.unix.Close()
	})
	return err
}

// Addr is what clients are told to dial; they dial the socket whatever it says.
func (l *listener) Addr() net.Addr { return embeddedAddr{} }

type embeddedAddr struct{}

func (embeddedAddr) Network() string { return "unix" }
func (embeddedAddr) String() string  { return "embedded:9092" }

// guardConn reads frame by frame: the size and the API key are checked before
// the broker sees a byte of the frame. A refused frame ends the connection.
type guardConn struct {
	net.Conn
	metrics *Metrics

	header  [6]byte // size and API key
	pending []byte  // of header, still to be passed on
	body    int     // bytes of the frame after header, still to be passed on
}

func (c *guardConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.pending) == 0 && c.body == 0 {
		if _, err := io.ReadFull(c.Conn, c.header[:]); err != nil {
			return 0, err
		}
		size, err := checkFrame(c.header)
		if err != nil {
			c.metrics.refusedFrames.Inc()
			_ = c.Conn.Close()
			return 0, err
		}
		c.pending, c.body = c.header[:], size-2
	}
	if len(c.pending) > 0 {
		n := copy(p, c.pending)
		c.pending = c.pending[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(len(p), c.body)])
	c.body -= n
	return n, err
}

// checkFrame gives the size that the frame says it has, if it may pass.
func checkFrame(header [6]byte) (int, error) {
	size := binary.BigEndian.Uint32(header[:4])
	if size < minFrame || size > maxFrame {
		return 0, fmt.Errorf("frame of %d bytes refused", size)
	}
	key := int16(binary.BigEndian.Uint16(header[4:]))
	if key < 0 || key > maxKey || kmsg.RequestForKey(key) == nil {
		return 0, fmt.Errorf("request with API key %d refused", key)
	}
	return int(size), nil
}
