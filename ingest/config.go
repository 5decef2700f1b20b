package ingest

import (
	"time"

	"outcry/internal/config"
)

// Config holds what all sources share.
type Config struct {
	// AuthorSecret keys the hashes that stand for authors (at least 16 bytes).
	// Where it is not given, one is made and kept in the data directory. All
	// processes that ingest must share it, or one author counts as several.
	AuthorSecret config.Secret `yaml:"author_secret"`
	// InFlight is how many batches of one source may wait for Kafka at once.
	// 1 to 64.
	InFlight int `yaml:"in_flight"`
	// BatchEvents is the number of events up to which waiting batches of one
	// source are merged into one. 1 to 10000.
	BatchEvents int `yaml:"batch_events"`
	// Stall is the silence after which a live source counts as stalled, unless
	// the source says otherwise. 0 is never.
	Stall time.Duration `yaml:"stall"`
	// RestartMin and RestartMax bound the pause before a failed source is opened
	// again; it doubles from failure to failure and is spread at random.
	RestartMin time.Duration `yaml:"restart_min"`
	RestartMax time.Duration `yaml:"restart_max"`
	// CursorEvery is how often a cursor is saved. What came since is read again
	// after a crash.
	CursorEvery time.Duration `yaml:"cursor_every"`
	// HealthEvery is how often the health of every source is written.
	HealthEvery time.Duration `yaml:"health_every"`
	// Drain is how long a stop waits for Kafka to acknowledge what was read.
	Drain time.Duration `yaml:"drain"`
}

// DefaultConfig is right for a laptop and for a cluster.
func DefaultConfig() Config {
	return Config{
		InFlight:    4,
		BatchEvents: 2000,
		Stall:       5 * time.Minute,
		RestartMin:  time.Second,
		RestartMax:  2 * time.Minute,
		CursorEvery: time.Second,
		HealthEvery: 10 * time.Second,
		Drain:       5 * time.Second,
	}
}

// Validate names what cannot work.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if n := len(c.AuthorSecret.Reveal()); n > 0 && n < minSecret {
		f.Add("author_secret", "has %d bytes; at least %d are needed", n, minSecret)
	}
	if c.InFlight < 1 || c.InFlight > 64 {
		f.Add("in_flight", "must be from 1 to 64")
	}
	if c.BatchEvents < 1 || c.BatchEvents > 10000 {
		f.Add("batch_events", "must be from 1 to 10000")
	}
	if c.Stall < 0 {
		f.Add("stall", "must be 0 (never) or a duration such as \"5m\"")
	}
	if c.RestartMin < 10*time.Millisecond {
		f.Add("restart_min", "must be at least 10ms")
	}
	if c.RestartMax < c.RestartMin {
		f.Add("restart_max", "must not be below restart_min")
	}
	if c.CursorEvery < 10*time.Millisecond {
		f.Add("cursor_every", "must be at least 10ms")
	}
	if c.HealthEvery < time.Second {
		f.Add("health_every", "must be at least 1s")
	}
	if c.Drain < 0 || c.Drain > time.Minute {
		f.Add("drain", "must be from 0s to 1m")
	}
	return f
}
