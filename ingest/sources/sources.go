// Package sources joins the kinds of source into one list of configuration and
// builds them. It is the only place that knows all of them.
package sources

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"outcry/ingest"
	"outcry/ingest/replay"
	"outcry/ingest/simulate"
	"outcry/ingest/webhook"
	"outcry/internal/config"
)

// Types of source.
const (
	TypeReplay   = "replay"
	TypeWebhook  = "webhook"
	TypeSimulate = "simulate"
)

// List is the content of the key sources.
type List []Source

// Source is one source instance. The block named like its type configures it;
// the blocks of other types stay out.
type Source struct {
	// Name tells instances apart, in metrics and for cursors: keep it, or the
	// source begins anew. [a-z0-9-], at most 63 long.
	Name string `yaml:"name"`
	// Type is replay, webhook or simulate.
	Type string `yaml:"type"`
	// Stall is the silence after which this source counts as stalled. Left out,
	// it is ingest.stall; 0s is never. Files and simulations never stall.
	Stall *time.Duration `yaml:"stall,omitempty"`

	Replay   *replay.Config   `yaml:"replay,omitempty"`
	Webhook  *webhook.Config  `yaml:"webhook,omitempty"`
	Simulate *simulate.Config `yaml:"simulate,omitempty"`
}

var name = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// Validate names sources that cannot be told apart.
func (l List) Validate() config.Faults {
	var f config.Faults
	seen := map[string]int{}
	for i, s := range l {
		if first, ok := seen[s.Name]; ok {
			f.Add(fmt.Sprintf("[%d].name", i), "%q is the name of sources[%d] too", s.Name, first)
		} else {
			seen[s.Name] = i
		}
	}
	return f
}

// Validate names what does not fit the type.
func (s Source) Validate() config.Faults {
	var f config.Faults
	if !name.MatchString(s.Name) {
		f.Add("name", "%q must be of a-z, 0-9 and -, at most 63 long", s.Name)
	}
	if s.Stall != nil && *s.Stall < 0 {
		f.Add("stall", "must not be negative")
	}
	blocks := []struct {
		name  string
		given bool
		free  bool // the defaults do without any key
	}{
		{TypeReplay, s.Replay != nil, false},
		{TypeWebhook, s.Webhook != nil, false},
		{TypeSimulate, s.Simulate != nil, true},
	}
	known := false
	for _, b := range blocks {
		known = known || b.name == s.Type
		if b.name == s.Type && !b.given && !b.free {
			f.Add(b.name, "is needed for a source of type %s", s.Type)
		}
		if b.name != s.Type && b.given {
			f.Add(b.name, "does not belong to a source of type %q", s.Type)
		}
	}
	if !known {
		f.Add("type", "%q is unknown; there are %s, %s and %s", s.Type, TypeReplay, TypeWebhook, TypeSimulate)
	}
	return f
}

// Deps are what sources work with.
type Deps struct {
	Log     *slog.Logger
	Webhook *webhook.Metrics // nil counts nothing
	Stdin   io.Reader        // for a replay of "-"
	// Progress is called by replays with the name of the source; may be nil.
	Progress func(source string, p replay.Progress)
	Stall    time.Duration // for live sources that do not say
}

// Build makes the sources; none is opened.
func Build(list List, deps Deps) ([]ingest.Named, error) {
	var all []ingest.Named
	for _, s := range list {
		n, err := build(s, deps)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		all = append(all, n)
	}
	return all, nil
}

func build(s Source, deps Deps) (ingest.Named, error) {
	n := ingest.Named{Name: s.Name}
	var err error
	switch s.Type {
	case TypeReplay:
		n.Archive = true
		var progress func(replay.Progress)
		if deps.Progress != nil {
			progress = func(p replay.Progress) { deps.Progress(s.Name, p) }
		}
		n.Source, err = replay.New(*s.Replay, replay.Deps{Log: deps.Log, Stdin: deps.Stdin, Progress: progress})
	case TypeWebhook:
		n.Stall = deps.Stall
		if s.Stall != nil {
			n.Stall = *s.Stall
		}
		n.Source, err = webhook.New(*s.Webhook, webhook.Deps{Log: deps.Log, Metrics: deps.Webhook, Name: s.Name})
	case TypeSimulate:
		n.Archive = true
		cfg := simulate.DefaultConfig()
		if s.Simulate != nil {
			cfg = *s.Simulate
		}
		n.Source = simulate.NewDemo(cfg)
	default:
		err = fmt.Errorf("type %q is unknown", s.Type)
	}
	return n, err
}
