package bus_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"outcry/bus"
	"outcry/internal/config"
)

// roundTrip publishes and consumes once, over every kind of connection that
// the client makes.
func roundTrip(t *testing.T, cfg bus.Config) {
	t.Helper()
	cfg.Topics.Partitions = 1
	c, _ := newClient(t, cfg)
	if err := c.CreateTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Producer(bus.TopicPosts).Publish(t.Context(), numbered(0, 10)); err != nil {
		t.Fatal(err)
	}
	got := newLedger()
	stop := start(t, func(ctx context.Context) error { return c.Consume(ctx, groupConfig(bus.TopicPosts), got.handle) })
	got.await(t, 10)
	stop()
}

func TestSASL(t *testing.T) {
	const password = "correct-horse"
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			cluster := fake(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "outcry", password))
			cfg := busConfig(cluster.ListenAddrs()...)
			cfg.SASL = bus.SASL{Mechanism: mechanism, Username: "outcry", Password: config.NewSecret(password)}
			roundTrip(t, cfg)

			var logs bytes.Buffer
			const wrong = "battery-staple"
			cfg.SASL.Password = config.NewSecret(wrong)
			c, err := bus.New(cfg, bus.Deps{Log: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err = c.Ping(ctx)
			if err == nil {
				t.Fatal("a wrong password was accepted")
			}
			_ = c.Producer("t").Publish(ctx, numbered(0, 1))
			if strings.Contains(err.Error()+logs.String(), wrong) {
				t.Error("the password is in the error or the log")
			}
		})
	}
}

func TestPasswordThatSCRAMForbidsIsNotQuoted(t *testing.T) {
	cfg := busConfig("localhost:9092")
	cfg.SASL = bus.SASL{Mechanism: "SCRAM-SHA-256", Username: "outcry", Password: config.NewSecret("hush\u0001\u200b")}
	if _, err := bus.New(cfg, bus.Deps{}); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	pki := newPKI(t)
	cluster := fake(t, kfake.TLS(&tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pki.pair(t, "broker")},
		ClientCAs:    pki.pool(t),
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}))
	cfg := busConfig(cluster.ListenAddrs()...)
	cfg.TLS = config.TLS{
		Enabled: true, CAFile: pki.ca, ServerName: "broker.test",
		CertFile: pki.file("client.crt"), KeyFile: pki.file("client.key"),
	}
	pki.pair(t, "client")
	roundTrip(t, cfg)

	refused := map[string]func(*config.TLS){
		"another server name":    func(c *config.TLS) { c.ServerName = "elsewhere.test" },
		"an unknown authority":   func(c *config.TLS) { c.CAFile = "" },
		"no client certificate":  func(c *config.TLS) { c.CertFile, c.KeyFile = "", "" },
		"no encryption whatever": func(c *config.TLS) { *c = config.TLS{} },
	}
	for name, change := range refused {
		t.Run(name, func(t *testing.T) {
			cfg := cfg
			change(&cfg.TLS)
			c, _ := newClient(t, cfg)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.Ping(ctx); err == nil {
				t.Error("the connection was accepted")
			}
		})
	}
}

func TestUnusableTLSFilesAreNamed(t *testing.T) {
	notPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(notPEM, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, c := range map[string]config.TLS{
		"tls.ca_file":   {Enabled: true, CAFile: notPEM},
		"tls.cert_file": {Enabled: true, CertFile: notPEM, KeyFile: notPEM},
	} {
		cfg := busConfig("localhost:9092")
		cfg.TLS = c
		if _, err := bus.New(cfg, bus.Deps{}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("got %v, want %s named", err, key)
		}
	}
}

// pki is an authority and the certificates that it signed, as files.
type pki struct {
	dir, ca string
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
}

func newPKI(t *testing.T) *pki {
	p := &pki{dir: t.TempDir()}
	p.ca = p.file("ca.crt")
	p.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &p.key.PublicKey, p.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writePEM(t, p.ca, "CERTIFICATE", der)
	return p
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

func (p *pki) pool(t *testing.T) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.cert)
	return pool
}

// pair signs a certificate for name.test and writes it to name.crt and name.key.
func (p *pki) pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name + ".test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.cert, &key.PublicKey, p.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, p.file(name+".crt"), "CERTIFICATE", der)
	writePEM(t, p.file(name+".key"), "EC PRIVATE KEY", private)
	pair, err := tls.LoadX509KeyPair(p.file(name+".crt"), p.file(name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
