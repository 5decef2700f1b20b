// Package obs is how Outcry is seen from outside: one logger, one registry of
// metrics and one place that answers whether the process is alive and ready.
// Nothing in it is global; cmd makes each once and hands it down.
package obs

import (
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"outcry/internal/config"
)

// LogConfig says what is logged and how.
type LogConfig struct {
	// Level is the lowest level that is written: debug, info, warn or error.
	Level slog.Level `yaml:"level"`
	// Format is text, json, or auto: text on a terminal, json elsewhere.
	Format string `yaml:"format"`
}

var formats = []string{"auto", "text", "json"}

// DefaultLogConfig logs from info on, as text on a terminal and as JSON elsewhere.
func DefaultLogConfig() LogConfig { return LogConfig{Level: slog.LevelInfo, Format: "auto"} }

// Validate reports an unknown format.
func (c LogConfig) Validate() (f config.Faults) {
	if !slices.Contains(formats, c.Format) {
		f.Add("format", "must be one of %s, not %q", strings.Join(formats, ", "), c.Format)
	}
	return f
}

// Logger writes to w, one line for each record. Both formats quote control
// characters, so that logged input cannot forge a line or drive a terminal.
// Each component adds its name once: log.With("component", "bus").
func Logger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "json" || (format != "text" && !isTerminal(w)) {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	opts.ReplaceAttr = shortTime
	return slog.New(slog.NewTextHandler(w, opts))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// shortTime leaves out the date: who reads text watches it happen.
func shortTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		a.Value = slog.StringValue(a.Value.Time().Format(time.TimeOnly))
	}
	return a
}
