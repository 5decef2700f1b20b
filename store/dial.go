package store

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// options translates the configuration for the driver.
func options(cfg Config, endpoint func() (url, token string, err error)) (*clickhouse.Options, error) {
	opts := &clickhouse.Options{
		Protocol:        clickhouse.Native,
		Addr:            cfg.Addr,
		Auth:            clickhouse.Auth{Database: cfg.Database, Username: cfg.Username, Password: cfg.Password.Reveal()},
		DialTimeout:     cfg.DialTimeout,
		MaxOpenConns:    cfg.MaxOpenConns,
		MaxIdleConns:    cfg.MaxIdleConns,
		ConnMaxLifetime: cfg.ConnLifetime,
		ReadTimeout:     max(cfg.InsertTimeout, cfg.QueryTimeout, cfg.HistoryTimeout) + 5*time.Second,
		BlockBufferSize: 2,
		Compression:     &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		ClientInfo: clickhouse.ClientInfo{Products: []struct{ Name, Version string }{
			{Name: "outcry", Version: "1"},
		}},
	}
	if endpoint != nil {
		embeddedOptions(opts, endpoint)
		return opts, nil
	}
	if cfg.Protocol == protocolHTTP {
		opts.Protocol = clickhouse.HTTP
	}
	var err error
	if opts.TLS, err = cfg.TLS.Client(); err != nil {
		return nil, err
	}
	if cfg.Cluster != "" {
		// Otherwise a Distributed table acknowledges rows before a shard has them.
		opts.Settings = clickhouse.Settings{"insert_distributed_sync": 1}
	}
	return opts, nil
}

// embeddedOptions aims the driver at the embedded engine: HTTP on the loopback,
// where compression only costs.
func embeddedOptions(opts *clickhouse.Options, endpoint func() (url, token string, err error)) {
	opts.Protocol = clickhouse.HTTP
	opts.Addr = []string{"embedded:0"}
	opts.Auth.Username, opts.Auth.Password = "", ""
	opts.Compression = nil
	opts.TransportFunc = func(t *http.Transport) (http.RoundTripper, error) {
		t.Proxy = nil
		return &embeddedTransport{next: t, endpoint: endpoint}, nil
	}
}

// embeddedTransport sends each request to where the engine listens now, so that
// the pool survives an engine that comes back on another port.
type embeddedTransport struct {
	next     *http.Transport
	endpoint func() (url, token string, err error)
}

// The headers by which ClickHouse takes credentials over HTTP.
const (
	userHeader = "X-ClickHouse-User"
	keyHeader  = "X-ClickHouse-Key"
)

func (t *embeddedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	address, token, err := t.endpoint()
	var target *url.URL
	if err == nil {
		target, err = url.Parse(address)
	}
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, fmt.Errorf("find the embedded engine: %w", err)
	}
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host, req.Host = target.Scheme, target.Host, target.Host
	req.Header.Set(userHeader, "default")
	req.Header.Set(keyHeader, token)
	return t.next.RoundTrip(req)
}

// CloseIdleConnections is how the driver lets go of a connection.
func (t *embeddedTransport) CloseIdleConnections() { t.next.CloseIdleConnections() }
