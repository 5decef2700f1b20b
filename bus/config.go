package bus

import (
	"net"
	"path/filepath"
	"strings"
	"time"

	"outcry/internal/config"
)

// Config says which Kafka cluster to use, and how.
type Config struct {
	// Brokers to ask first, as host:port; the cluster tells of its others. A
	// single unix:///path names an embedded broker.
	Brokers []string `yaml:"brokers"`
	// ClientID is how the cluster's logs and quotas name this program.
	ClientID string     `yaml:"client_id"`
	TLS      config.TLS `yaml:"tls"`
	SASL     SASL       `yaml:"sasl"`
	Topics   Topics     `yaml:"topics"`

	// DialTimeout bounds a connection attempt. 100ms to 1m, default 10s.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// RequestTimeout bounds one request, among them one attempt to publish.
	// 100ms to 5m, default 10s.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// BackoffMin and BackoffMax bound the wait between attempts; it doubles
	// from one to the other, with jitter. Defaults 200ms and 30s.
	BackoffMin time.Duration `yaml:"backoff_min"`
	BackoffMax time.Duration `yaml:"backoff_max"`
	// MaxInFlight bounds the produce requests under way at once, each of up to
	// 1 MB: publishers wait for a free place. 1 to 1000, default 16.
	MaxInFlight int `yaml:"max_in_flight"`
}

// SASL says how the client proves who it is.
type SASL struct {
	// Mechanism: PLAIN (use TLS with it), SCRAM-SHA-256, SCRAM-SHA-512, or
	// empty for none.
	Mechanism string `yaml:"mechanism"`
	Username  string `yaml:"username"`
	// Password comes from password_file or from the environment.
	Password config.Secret `yaml:"password"`
}

// Topics says how topics are made that do not exist yet. Existing topics are
// left as they are.
type Topics struct {
	// Partitions of outcry.posts: the most analyzers that can share the work.
	// 1 to 1000, default 4. The other topics have one.
	Partitions int `yaml:"partitions"`
	// Replication is the number of copies. 1 to 15, default 1; 3 in production,
	// where an acknowledgement then means two copies at least.
	Replication int `yaml:"replication"`
	// PostsRetention is how long posts, with their text, stay in Kafka. It
	// must outlast the longest outage of analyze or ClickHouse that is to lose
	// nothing. 1h or more, default 48h.
	PostsRetention time.Duration `yaml:"posts_retention"`
	// DeadLetterRetention is how long refused input stays. 1h or more, default 168h.
	DeadLetterRetention time.Duration `yaml:"dead_letter_retention"`
	// AlertsRetention is how long alert state changes stay. 1h or more, default 2160h.
	AlertsRetention time.Duration `yaml:"alerts_retention"`
	// RetentionBytes caps each partition of outcry.posts whatever its age.
	// 0 (default): no cap; the embedded broker has a cap of its own.
	RetentionBytes config.ByteSize `yaml:"retention_bytes"`
	// SegmentBytes is the unit in which old data is dropped. 1MiB to 1GiB, default 16MiB.
	SegmentBytes config.ByteSize `yaml:"segment_bytes"`
}

// DefaultConfig gives the defaults; Brokers is still to be set.
func DefaultConfig() Config {
	return Config{
		ClientID: "outcry",
		Topics: Topics{
			Partitions:          4,
			Replication:         1,
			PostsRetention:      48 * time.Hour,
			DeadLetterRetention: 7 * 24 * time.Hour,
			AlertsRetention:     90 * 24 * time.Hour,
			SegmentBytes:        16 * config.MiB,
		},
		DialTimeout:    10 * time.Second,
		RequestTimeout: 10 * time.Second,
		BackoffMin:     200 * time.Millisecond,
		BackoffMax:     30 * time.Second,
		MaxInFlight:    16,
	}
}

// unixScheme begins the address of an embedded broker.
const unixScheme = "unix://"

// Validate reports what is wrong with c.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if len(c.Brokers) == 0 {
		f.Add("brokers", "name at least one broker as host:port")
	}
	for _, b := range c.Brokers {
		if path, ok := strings.CutPrefix(b, unixScheme); ok {
			if !filepath.IsAbs(path) || len(c.Brokers) > 1 {
				f.Add("brokers", "%q must be the only broker and name an absolute path, as in unix:///run/outcry/kafka.sock", b)
			}
		} else if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			f.Add("brokers", "%q must be host:port, as in kafka-1:9092", b)
		}
	}
	within(&f, "dial_timeout", c.DialTimeout, 100*time.Millisecond, time.Minute)
	within(&f, "request_timeout", c.RequestTimeout, 100*time.Millisecond, 5*time.Minute)
	within(&f, "backoff_min", c.BackoffMin, time.Millisecond, time.Minute)
	within(&f, "backoff_max", c.BackoffMax, c.BackoffMin, 10*time.Minute)
	if c.MaxInFlight < 1 || c.MaxInFlight > 1000 {
		f.Add("max_in_flight", "must be 1 to 1000")
	}
	return f
}

// Validate reports what is wrong with s.
func (s SASL) Validate() config.Faults {
	var f config.Faults
	switch s.Mechanism {
	case "":
		if s.Username != "" || s.Password.IsSet() {
			f.Add("mechanism", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 where a username or password is given")
		}
		return f
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	default:
		f.Add("mechanism", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, not %q", s.Mechanism)
	}
	if s.Username == "" {
		f.Add("username", "is needed for %s", s.Mechanism)
	}
	if !s.Password.IsSet() {
		f.Add("password", "is needed for %s: name a password_file or set the environment variable", s.Mechanism)
	}
	return f
}

// Validate reports what is wrong with t.
func (t Topics) Validate() config.Faults {
	var f config.Faults
	if t.Partitions < 1 || t.Partitions > 1000 {
		f.Add("partitions", "must be 1 to 1000")
	}
	if t.Replication < 1 || t.Replication > 15 {
		f.Add("replication", "must be 1 to 15")
	}
	const ever = 100 * 365 * 24 * time.Hour
	within(&f, "posts_retention", t.PostsRetention, time.Hour, ever)
	within(&f, "dead_letter_retention", t.DeadLetterRetention, time.Hour, ever)
	within(&f, "alerts_retention", t.AlertsRetention, time.Hour, ever)
	if t.SegmentBytes < config.MiB || t.SegmentBytes > config.GiB {
		f.Add("segment_bytes", "must be 1MiB to 1GiB")
	}
	return f
}

func within(f *config.Faults, key string, d, low, high time.Duration) {
	if d < low || d > high {
		f.Add(key, "must be %s to %s", low, high)
	}
}
