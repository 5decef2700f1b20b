package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"outcry/internal/config"
)

func TestDefaultsAreValid(t *testing.T) {
	if faults := DefaultConfig().Validate(); len(faults) > 0 {
		t.Errorf("faults %v", faults)
	}
}

func TestEveryFaultIsNamed(t *testing.T) {
	for key, change := range map[string]func(*Config){
		"addr":            func(c *Config) { c.Addr = nil },
		"protocol":        func(c *Config) { c.Protocol = "grpc" },
		"database":        func(c *Config) { c.Database = "x; DROP" },
		"cluster":         func(c *Config) { c.Cluster = "a`b" },
		"max_open_conns":  func(c *Config) { c.MaxOpenConns, c.MaxIdleConns = 1001, 1 },
		"max_idle_conns":  func(c *Config) { c.MaxIdleConns = c.MaxOpenConns + 1 },
		"max_rows":        func(c *Config) { c.MaxRows = 0 },
		"text_ttl":        func(c *Config) { c.TextTTL = 11 * 365 * 24 * time.Hour }, // beyond 32-bit seconds it would wrap
		"tombstone_ttl":   func(c *Config) { c.TombstoneTTL = 0 },
		"conn_lifetime":   func(c *Config) { c.ConnLifetime = 0 },
		"dial_timeout":    func(c *Config) { c.DialTimeout = time.Hour },
		"insert_timeout":  func(c *Config) { c.InsertTimeout = time.Millisecond },
		"query_timeout":   func(c *Config) { c.QueryTimeout = time.Hour },
		"history_timeout": func(c *Config) { c.HistoryTimeout = 0 },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		faults := cfg.Validate()
		if !slices.ContainsFunc(faults, func(f config.Fault) bool { return f.Key == key }) || len(faults) != 1 {
			t.Errorf("%s: faults %v", key, faults)
		}
	}
}

func TestOptionsOfAServer(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Password = config.NewSecret("hunter2")
	opts, err := options(cfg, nil)
	must(t, err)
	if opts.Protocol != clickhouse.Native || opts.TLS != nil || opts.Auth.Password != "hunter2" || opts.Compression == nil {
		t.Errorf("native options %+v", opts)
	}
	cfg.Protocol, cfg.Cluster = protocolHTTP, "main"
	opts, err = options(cfg, nil)
	must(t, err)
	if opts.Protocol != clickhouse.HTTP {
		t.Errorf("protocol %v, want HTTP", opts.Protocol)
	}
	if opts.Settings["insert_distributed_sync"] != 1 {
		t.Error("a Distributed table would acknowledge rows that no shard has")
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key)
	cfg := DefaultConfig()
	cfg.TLS = config.TLS{Enabled: true, CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "clickhouse.example"}
	opts, err := options(cfg, nil)
	must(t, err)
	if opts.TLS.ServerName != "clickhouse.example" || opts.TLS.RootCAs == nil || len(opts.TLS.Certificates) != 1 || opts.TLS.InsecureSkipVerify {
		t.Errorf("TLS %+v", opts.TLS)
	}
	for what, tls := range map[string]config.TLS{
		"missing CA":  {Enabled: true, CAFile: filepath.Join(dir, "none.pem")},
		"empty CA":    {Enabled: true, CAFile: key},
		"missing key": {Enabled: true, CertFile: cert, KeyFile: filepath.Join(dir, "none.pem")},
	} {
		cfg.TLS = tls
		if _, err := New(cfg, Deps{}); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
}

func writeCertificate(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"clickhouse.example"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// The engine may come back on another port: each request asks where it is.
func TestRequestsFollowTheEngine(t *testing.T) {
	serve := func(name string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, name+" "+r.Header.Get("X-ClickHouse-Key"))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	first, second := serve("first"), serve("second")
	address, token, failure := first, "token-1", error(nil)
	client := &http.Client{Transport: &embeddedTransport{next: &http.Transport{}, endpoint: func() (string, string, error) { return address, token, failure }}}
	defer client.CloseIdleConnections()
	ask := func() (string, error) {
		res, err := client.Post("http://embedded:0/?query=x", "text/plain", strings.NewReader("body"))
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return string(body), err
	}
	if got, err := ask(); got != "first token-1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	address, token = second, "token-2"
	if got, err := ask(); got != "second token-2" || err != nil {
		t.Errorf("after the move: got %q, %v", got, err)
	}
	failure = errors.New("no engine")
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), "no engine") {
		t.Errorf("without an engine: %v", err)
	}
}
