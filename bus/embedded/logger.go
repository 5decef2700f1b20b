package embedded

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kfake"
)

// logger passes on what kfake logs. A damaged log that is cut short at start
// shows nowhere else.
type logger struct {
	log     *slog.Logger
	metrics *Metrics
}

func (l *logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if to >= slog.LevelWarn {
		l.metrics.warnings.Inc()
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, "kfake: "+fmt.Sprintf(format, args...))
	}
}
