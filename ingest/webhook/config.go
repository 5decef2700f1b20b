package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"outcry/internal/config"
)

// Config says where posts are received and who may send them.
type Config struct {
	// Listen is host:port. Loopback unless a proxy with TLS stands before it:
	// signatures keep strangers out, not readers.
	Listen string `yaml:"listen"`
	// Path is where posts are sent to.
	Path string `yaml:"path"`
	// Secret signs requests as Standard Webhooks has it: base64 of at least 24
	// bytes, with or without "whsec_". Several, one a line, are all accepted, so
	// that a secret can be changed without losing a request.
	Secret config.Secret `yaml:"secret"`
	// Platform is the platform of posts that name none.
	Platform string `yaml:"platform"`
	// MaxBody is the size in bytes above which a request is refused with 413.
	MaxBody config.ByteSize `yaml:"max_body"`
	// MaxRequests is how many requests are worked on at once; others get 503.
	MaxRequests int `yaml:"max_requests"`
	// Timeout is how long a request waits for Kafka before it gets 503.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig listens on the loopback interface. It has no secret: one must be
// given.
func DefaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:8090", Path: "/posts", Platform: "webhook",
		MaxBody: config.MiB, MaxRequests: 32, Timeout: 10 * time.Second,
	}
}

// SetDefaults lets a configuration file leave keys out.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate names what cannot work.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		f.Add("listen", "must be host:port: %v", err)
	}
	if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "{} ") {
		f.Add("path", "must begin with / and have no blanks or braces")
	}
	if !c.Secret.IsSet() {
		f.Add("secret", "is needed: give secret_file or the environment variable")
	} else if _, err := parseSecrets(c.Secret.Reveal()); err != nil {
		f.Add("secret", "%v", err)
	}
	if c.MaxBody < config.KiB || c.MaxBody > 64*config.MiB {
		f.Add("max_body", "must be from 1KiB to 64MiB")
	}
	if c.MaxRequests < 1 || c.MaxRequests > 1000 {
		f.Add("max_requests", "must be from 1 to 1000")
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > time.Minute {
		f.Add("timeout", "must be from 100ms to 1m")
	}
	return f
}

// minSecret is the length in bytes that Standard Webhooks asks of a secret.
const minSecret = 24

// parseSecrets decodes the secrets, one a line. Its errors never hold them.
func parseSecrets(all string) ([][]byte, error) {
	var secrets [][]byte
	for i, line := range strings.Fields(all) {
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "whsec_"))
		if err != nil {
			return nil, fmt.Errorf("secret %d is not base64", i+1)
		}
		if len(b) < minSecret {
			return nil, fmt.Errorf("secret %d has %d bytes; at least %d are needed", i+1, len(b), minSecret)
		}
		secrets = append(secrets, b)
	}
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret")
	}
	return secrets, nil
}
