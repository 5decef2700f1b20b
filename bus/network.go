package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// embeddedAddr stands for the embedded broker where a host and port are
// expected; every dial goes to its socket.
const embeddedAddr = "embedded:9092"

// network knows how to reach the brokers.
type network struct {
	brokers     []string
	socket      string // path of the embedded broker's unix socket, or empty
	clientID    string
	tls         *tls.Config
	sasl        sasl.Mechanism
	dialTimeout time.Duration
}

func newNetwork(cfg Config) (*network, error) {
	n := &network{brokers: cfg.Brokers, clientID: cfg.ClientID, dialTimeout: cfg.DialTimeout}
	if path, ok := strings.CutPrefix(cfg.Brokers[0], unixScheme); ok {
		n.brokers, n.socket = []string{embeddedAddr}, path
	}
	var err error
	if n.tls, err = cfg.TLS.Client(); err != nil {
		return nil, err
	}
	n.sasl, err = mechanism(cfg.SASL)
	return n, err
}

func mechanism(cfg SASL) (sasl.Mechanism, error) {
	switch cfg.Mechanism {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: cfg.Username, Password: cfg.Password.Reveal()}, nil
	}
	algorithm := scram.SHA256
	if cfg.Mechanism == "SCRAM-SHA-512" {
		algorithm = scram.SHA512
	}
	m, err := scram.Mechanism(algorithm, cfg.Username, cfg.Password.Reveal())
	if err != nil {
		// The library's error is dropped: it may quote the password.
		return nil, errors.New("sasl: username or password holds characters that SCRAM does not allow")
	}
	return m, nil
}

// String names the cluster for logs and errors.
func (n *network) String() string {
	if n.socket != "" {
		return unixScheme + n.socket
	}
	return strings.Join(n.brokers, ",")
}

func (n *network) bootstrap() net.Addr { return kafka.TCP(n.brokers...) }

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: n.dialTimeout}
	if n.socket != "" {
		return d.DialContext(ctx, "unix", n.socket)
	}
	return d.DialContext(ctx, "tcp", address)
}

// transport serves requests of the Client kind: produce, metadata, offsets.
func (n *network) transport() *kafka.Transport {
	return &kafka.Transport{
		Dial:        n.dial,
		DialTimeout: n.dialTimeout,
		ClientID:    n.clientID,
		TLS:         n.tls,
		SASL:        n.sasl,
		// A client that starts before its broker, or before a topic exists,
		// notices within this time: failures are cached until it passes.
		MetadataTTL: 3 * time.Second,
	}
}

// dialer serves readers and group members. Its connections belong to conns, so
// that whoever holds conns can cut a call that waits for the other side.
func (n *network) dialer(conns *connSet) *kafka.Dialer {
	return &kafka.Dialer{
		ClientID: n.clientID,
		Timeout:  n.dialTimeout,
		DialFunc: func(ctx context.Context, network, address string) (net.Conn, error) {
			return conns.dial(ctx, func(ctx context.Context) (net.Conn, error) { return n.dial(ctx, network, address) })
		},
		TLS:           n.tls,
		SASLMechanism: n.sasl,
	}
}

// connSet is a set of open connections. The blocking calls of the library take
// no context: a join waits for the slowest member of the group, a read for its
// time-out. Cutting their connections ends them at once.
type connSet struct {
	mu    sync.Mutex
	open  map[*trackedConn]struct{}
	dials map[int]context.CancelFunc // dials under way, by number
	next  int
}

func newConnSet() *connSet {
	return &connSet{open: map[*trackedConn]struct{}{}, dials: map[int]context.CancelFunc{}}
}

func (s *connSet) dial(ctx context.Context, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	id := s.next
	s.next++
	s.dials[id] = cancel
	s.mu.Unlock()
	conn, err := dial(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dials, id)
	if err != nil {
		return nil, err
	}
	tracked := &trackedConn{Conn: conn, set: s}
	s.open[tracked] = struct{}{}
	return tracked, nil
}

// cut closes every connection and ends every dial under way. New dials may
// follow, for example to leave a group.
func (s *connSet) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.dials {
		cancel()
	}
	for conn := range s.open {
		_ = conn.Conn.Close()
	}
}

type trackedConn struct {
	net.Conn
	set *connSet
}

func (c *trackedConn) Close() error {
	c.set.mu.Lock()
	delete(c.set.open, c)
	c.set.mu.Unlock()
	return c.Conn.Close()
}
