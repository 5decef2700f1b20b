package alert

import (
	"time"

	"outcry/internal/config"
)

// Config says how alerts are evaluated. What is alerted on stands in the file
// of rules.
type Config struct {
	// Interval is how often the rules are evaluated. 1s to 1m.
	Interval time.Duration `yaml:"interval"`
	// Delay is how long after its end a minute counts as closed: longer than it
	// usually takes from a post's publication to its row. 0s to 5m.
	Delay time.Duration `yaml:"delay"`
	// History is how much of the past is learned at the start. 48h to 2160h.
	History time.Duration `yaml:"history"`
	// MaxSeries bounds the series that are watched for each breakdown that rules
	// ask for; further ones are counted and not watched. 1 to 100000; a series
	// takes about 2 kB.
	MaxSeries int `yaml:"max_series"`
	// SourceTimeout is how long a source may go unreported before it counts as
	// blind: several times ingest.health_every. 10s to 1h.
	SourceTimeout time.Duration `yaml:"source_timeout"`
	// TimeZone is where the public lives, for the rhythm of day and week: a name
	// such as "Europe/Berlin".
	TimeZone string `yaml:"time_zone"`
}

// DefaultConfig is right for one agency and for some hundred.
func DefaultConfig() Config {
	return Config{
		Interval:      2 * time.Second,
		Delay:         10 * time.Second,
		History:       28 * 24 * time.Hour,
		MaxSeries:     2000,
		SourceTimeout: time.Minute,
		TimeZone:      "UTC",
	}
}

// Validate names what cannot work.
func (c Config) Validate() config.Faults {
	var f config.Faults
	if c.Interval < time.Second || c.Interval > time.Minute {
		f.Add("interval", "must be from 1s to 1m")
	}
	if c.Delay < 0 || c.Delay > 5*time.Minute {
		f.Add("delay", "must be from 0s to 5m")
	}
	if c.History < 48*time.Hour || c.History > 90*24*time.Hour {
		f.Add("history", "must be from 48h to 2160h")
	}
	if c.MaxSeries < 1 || c.MaxSeries > 100_000 {
		f.Add("max_series", "must be from 1 to 100000")
	}
	if c.SourceTimeout < 10*time.Second || c.SourceTimeout > time.Hour {
		f.Add("source_timeout", "must be from 10s to 1h")
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		f.Add("time_zone", `must name a time zone such as "Europe/Berlin" or "UTC"`)
	}
	return f
}
