package notify

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"outcry/internal/config"
)

// Config says who is told of alerts, beside the terminal.
type Config struct {
	// Webhooks are receivers of signed HTTP requests.
	Webhooks []WebhookConfig `yaml:"webhooks"`
	// Retry says how deliveries are tried again.
	Retry RetryConfig `yaml:"retry"`
}

// DefaultConfig tells nobody.
func DefaultConfig() Config { return Config{Retry: DefaultRetryConfig()} }

// RetryConfig says how deliveries are tried again.
type RetryConfig struct {
	// First is the pause before the second attempt; pauses double from there
	// and are spread at random. 100ms to 1m.
	First time.Duration `yaml:"first"`
	// Max bounds the pause. First to 1h.
	Max time.Duration `yaml:"max"`
	// GiveUp is how long after the first attempt a delivery is given up. 0s is
	// after the first attempt.
	GiveUp time.Duration `yaml:"give_up"`
}

// DefaultRetryConfig outlasts the restart of a receiver and most outages.
func DefaultRetryConfig() RetryConfig {
	return RetryConfig{First: time.Second, Max: time.Minute, GiveUp: time.Hour}
}

// Validate names what cannot work.
func (c RetryConfig) Validate() config.Faults {
	var f config.Faults
	if c.First < 100*time.Millisecond || c.First > time.Minute {
		f.Add("first", "must be from 100ms to 1m")
	}
	if c.Max < c.First || c.Max > time.Hour {
		f.Add("max", "must be from first (%s) to 1h", c.First)
	}
	if c.GiveUp < 0 {
		f.Add("give_up", "must be 0s or more")
	}
	return f
}

// WebhookConfig is one receiver of signed HTTP requests (Standard Webhooks).
type WebhookConfig struct {
	// Name is how people know the receiver; [a-z0-9-], unique.
	Name string `yaml:"name"`
	// URL is where the requests go; https, or http on this machine. Only its
	// host appears in logs.
	URL string `yaml:"url"`
	// Secret signs the requests: 24 to 64 bytes in base64, with or without the
	// prefix "whsec_".
	Secret config.Secret `yaml:"secret"`
	// Timeout bounds one attempt. 100ms to 1m.
	Timeout time.Duration `yaml:"timeout"`
}

// SetDefaults is called for each element of a list before it is read.
func (c *WebhookConfig) SetDefaults() { c.Timeout = 10 * time.Second }

// Validate names faults of the list as a whole.
func (c Config) Validate() config.Faults {
	var f config.Faults
	seen := map[string]bool{Terminal: true}
	for i, w := range c.Webhooks {
		if seen[w.Name] {
			f.Add(fmt.Sprintf("webhooks[%d].name", i), "%q is taken; names of receivers must differ", w.Name)
		}
		seen[w.Name] = true
	}
	return f
}

var receiverName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Validate names what cannot work.
func (c WebhookConfig) Validate() config.Faults {
	var f config.Faults
	if !receiverName.MatchString(c.Name) {
		f.Add("name", "must be 1 to 64 of a-z, 0-9 and -")
	}
	if err := checkURL(c.URL); err != nil {
		f.Add("url", "%v", err)
	}
	if _, err := decodeSecret(c.Secret); err != nil {
		f.Add("secret", "%v", err)
	}
	if c.Timeout < 100*time.Millisecond || c.Timeout > time.Minute {
		f.Add("timeout", "must be from 100ms to 1m")
	}
	return f
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return fmt.Errorf("must be an absolute URL such as https://example.org/hook")
	}
	local := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("must be https; http is taken on this machine only")
	}
	return nil
}

// decodeSecret gives the signing key. Its errors never show the secret.
func decodeSecret(s config.Secret) ([]byte, error) {
	if !s.IsSet() {
		return nil, fmt.Errorf(`is needed: make one with "openssl rand -base64 32", put it in a file and name that file in secret_file`)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, fmt.Errorf(`must be 24 to 64 bytes in base64, as "openssl rand -base64 32" makes`)
	}
	return key, nil
}
