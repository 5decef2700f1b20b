package simulate

import (
	"time"

	"outcry/internal/config"
)

// Config shapes the story.
type Config struct {
	// Seed decides everything that is left to chance.
	Seed uint64 `yaml:"seed"`
	// History is how much of the past is told before the live part begins.
	History time.Duration `yaml:"history"`
	// LaunchAfter is how long after the live part began the launch goes wrong.
	LaunchAfter time.Duration `yaml:"launch_after"`
}

// DefaultConfig is the demonstration of `outcry run --demo`.
func DefaultConfig() Config {
	return Config{Seed: 1, History: 14 * 24 * time.Hour, LaunchAfter: 45 * time.Second}
}

// SetDefaults lets a configuration file leave keys out.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

// Validate names what cannot work.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if c.History < 0 || c.History > 366*24*time.Hour {
		f.Add("history", "must be from 0s to 8784h (a year)")
	}
	if c.LaunchAfter < 0 || c.LaunchAfter > time.Hour {
		f.Add("launch_after", "must be from 0s to 1h")
	}
	return f
}
