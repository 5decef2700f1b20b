package alert

import (
	"fmt"
	"math"
	"strings"
	"time"

	"outcry/detect"
	"outcry/post"
)

// evidence is what the store says of the window of a burst.
type evidence struct {
	voices    float64 // distinct in the whole window
	negative  float64 // share of the posts, 0 to 1
	exemplars []post.Key
	mostly    string // for a whole agency: the issue that stands out most
}

// about names what an alert concerns.
func (in *instance) about(name func(string) string) string {
	if in.key.source != "" {
		return "source " + in.key.source
	}
	s := in.key.series
	parts := []string{name(s.Agency)}
	for _, id := range []string{s.Issue, s.TouchPoint, s.Platform, s.Language} {
		if id != "" {
			parts = append(parts, name(id))
		}
	}
	return strings.Join(parts, " · ")
}

// headline begins every summary.
func headline(to post.AlertState, severity, about string) string {
	return strings.ToUpper(string(to)) + " " + severity + " " + about
}

// burstSummary is the line for a burst that begins.
func burstSummary(head string, v detect.Verdict, e evidence, name func(string) string) string {
	s := fmt.Sprintf("%s · %s in %s, expected %s (%s) · %.0f %% negative",
		head, voices(e.voices), span(v.Window), figure(v.Expected), odds(v.Surprise), 100*e.negative)
	if e.mostly != "" {
		s += " · mostly " + name(e.mostly)
	}
	return s
}

// endSummary is the line for an alert that is over.
func endSummary(head string, started, now time.Time, why string) string {
	s := fmt.Sprintf("%s · after %s", head, span(now.Sub(started)))
	if why != "" {
		s += " · " + why
	}
	return s
}

func voices(n float64) string {
	if n == 1 {
		return "1 author"
	}
	return fmt.Sprintf("%.0f authors", n)
}

// figure writes an expectation: one digit after the point while that says something.
func figure(x float64) string {
	if x < 0.05 {
		return "under 0.1"
	}
	if x < 10 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// odds writes a surprise as people say it.
func odds(surprise float64) string {
	const most = 30
	if surprise > most {
		return fmt.Sprintf("less than 1 in 10^%d", most)
	}
	return fmt.Sprintf("1 in 10^%.0f", math.Floor(surprise))
}

// span writes a duration in the largest units that matter.
func span(d time.Duration) string {
	d = d.Round(time.Minute)
	switch h, m := int(d.Hours()), int(d.Minutes())%60; {
	case h >= 48:
		return fmt.Sprintf("%d days", h/24)
	case h > 0 && m > 0:
		return fmt.Sprintf("%d h %d min", h, m)
	case h > 0:
		return fmt.Sprintf("%d h", h)
	default:
		return fmt.Sprintf("%d min", m)
	}
}
