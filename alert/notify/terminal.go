package notify

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"outcry/post"
)

// Terminal is the name of the receiver that writes lines.
const Terminal = "terminal"

const longestLine = 500 // runes of a summary

// NewTerminal returns a receiver that writes one line per change to w, with
// times in loc. Colour is for terminals only. Whatever a summary holds, a line
// stays one line and moves no cursor.
func NewTerminal(w io.Writer, colour bool, loc *time.Location) Receiver {
	return Receiver{Terminal, &terminal{w: w, colour: colour, loc: loc}}
}

type terminal struct {
	mu     sync.Mutex
	w      io.Writer
	colour bool
	loc    *time.Location
}

func (t *terminal) Notify(_ context.Context, c post.AlertChange) error {
	line := Plain(c.Summary, longestLine)
	if code := shade(c); t.colour && code != "" {
		line = "\x1b[" + code + "m" + line + "\x1b[0m"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := fmt.Fprintf(t.w, "%s %s\n", c.At.In(t.loc).Format("15:04:05"), line); err != nil {
		return Permanent(fmt.Errorf("write an alert to the terminal: %w", err))
	}
	return nil
}

// shade is the colour of a change: red, yellow or none while firing, green after.
func shade(c post.AlertChange) string {
	switch {
	case c.State != post.Firing:
		return "32"
	case c.Severity == "critical":
		return "1;31"
	case c.Severity == "warning":
		return "33"
	}
	return ""
}

// Plain makes text fit to stand in a line: characters that control a terminal
// or turn the direction of writing are shown as escapes, and the text is cut
// after so many runes.
func Plain(s string, longest int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > longest {
			b.WriteRune('…')
			break
		}
		if r != ' ' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
