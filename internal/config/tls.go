package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS says how connections to a server are encrypted.
type TLS struct {
	// Enabled turns TLS on; the keys below need it.
	Enabled bool `yaml:"enabled"`
	// CAFile holds the authorities that sign the servers' certificates, PEM.
	// Empty: those of the system.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are the client's own certificate, PEM, where the
	// server asks for one. Both or neither.
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// ServerName is the name that the servers' certificates must bear. Empty:
	// the host that is dialled.
	ServerName string `yaml:"server_name"`
}

// Validate reports what is wrong with t.
func (t TLS) Validate() Faults {
	var f Faults
	if (t.CertFile == "") != (t.KeyFile == "") {
		f.Add("cert_file", "cert_file and key_file go together")
	}
	if !t.Enabled && (t.CAFile != "" || t.CertFile != "" || t.ServerName != "") {
		f.Add("enabled", "must be true for the other keys of tls to count")
	}
	return f
}

// Client gives the configuration of a client, TLS 1.2 or later; nil where TLS is
// not enabled. Its errors name the key of the file that cannot be used.
func (t TLS) Client() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: no certificate in %s", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
