package web

import (
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"outcry/post"
)

// names turns ids into what people are shown.
type names struct {
	agencies []post.Agency
	byID     map[string]post.Agency
	issues   map[string]string
}

func newNames(agencies []post.Agency, issues map[string]string) names {
	n := names{agencies: agencies, byID: make(map[string]post.Agency, len(agencies)), issues: issues}
	for _, a := range agencies {
		n.byID[a.ID] = a
	}
	return n
}

func (n names) agency(id string) string {
	if a, ok := n.byID[id]; ok && a.Name != "" {
		return a.Name
	}
	return id
}

func (n names) issue(id string) string {
	if name := n.issues[id]; name != "" {
		return name
	}
	return id
}

// finite keeps a number within what JSON can hold and people can read: a
// surprise may be infinite, a share of nothing is not a number.
func finite(f float64) float64 {
	const most = 1e12
	if math.IsNaN(f) {
		return 0
	}
	return max(-most, min(most, f))
}

func finite32(f float32) float32 { return float32(finite(float64(f))) }

// A mention is a stored post as the board and the API show it. It has neither
// author nor permalink, and its text has gone through display.
type mention struct {
	Key        post.Key    `json:"key"`
	Agencies   []name      `json:"agencies"`
	Platform   string      `json:"platform"`
	Time       time.Time   `json:"time"`
	Version    int64       `json:"version"` // grows when the post is edited
	Language   string      `json:"language"`
	Text       string      `json:"text"`
	Label      string      `json:"label"` // negative, neutral, positive
	Score      float32     `json:"score"`
	Confidence float32     `json:"confidence"`
	Scorer     string      `json:"scorer"`
	Complaint  float32     `json:"complaint"`
	Issues     []issueName `json:"issues"`
	TouchPoint []issueName `json:"touch_points"`
}

type name struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// About names the agencies of the post, for people.
func (m mention) About() string {
	var out []string
	for _, a := range m.Agencies {
		out = append(out, a.Name)
	}
	return strings.Join(out, ", ")
}

type issueName struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Score float32 `json:"score"`
}

func (n names) mention(m *post.StoredMention) mention {
	label := string(m.Sentiment.Label)
	switch m.Sentiment.Label {
	case post.Negative, post.Positive, post.Neutral:
	default:
		label = string(post.Neutral)
	}
	return mention{
		Key:        m.Key,
		Agencies:   n.ofAgencies(m),
		Platform:   short(clean(m.Platform)),
		Time:       m.Time.UTC(),
		Version:    m.Version().UnixMilli(),
		Language:   languageTag(m.DetectedLanguage),
		Text:       display(m.Text),
		Label:      label,
		Score:      finite32(m.Sentiment.Score),
		Confidence: finite32(m.Sentiment.Confidence),
		Scorer:     m.Sentiment.Scorer,
		Complaint:  finite32(m.Complaint),
		Issues:     n.labels(m.Issues),
		TouchPoint: n.labels(m.TouchPoints),
	}
}

// ofAgencies names the agencies of a post: all of them, though a row is of one.
func (n names) ofAgencies(m *post.StoredMention) []name {
	ids := m.Agencies
	if !slices.Contains(ids, m.Agency) {
		ids = append([]string{m.Agency}, ids...)
	}
	out := make([]name, len(ids))
	for i, id := range ids {
		out[i] = name{id, n.agency(id)}
	}
	return out
}

func (n names) mentions(rows []post.StoredMention) []mention {
	out := make([]mention, len(rows))
	for i := range rows {
		out[i] = n.mention(&rows[i])
	}
	return out
}

func (n names) labels(labels []post.Label) []issueName {
	out := make([]issueName, len(labels))
	for i, l := range labels {
		out[i] = issueName{ID: l.ID, Name: n.issue(l.ID), Score: finite32(l.Score)}
	}
	return out
}

// languageTag is a language that may stand in a lang attribute, or "".
func languageTag(lang string) string {
	if len(lang) < 2 || len(lang) > 3 || lang == "und" {
		return ""
	}
	if strings.ContainsFunc(lang, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return ""
	}
	return lang
}

// short bounds a name that comes from outside.
func short(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// An alert is the latest state of one alert as the board and the API show it.
type alert struct {
	Fingerprint post.Key          `json:"fingerprint"`
	Change      post.Key          `json:"change"` // id of the latest transition
	State       post.AlertState   `json:"state"`
	Severity    string            `json:"severity"`
	Agency      string            `json:"agency"`
	AgencyName  string            `json:"agency_name"`
	Series      post.Series       `json:"series"`
	Scope       string            `json:"scope"` // what of the agency, for people; "" is all
	Rule        string            `json:"rule"`
	RuleVersion string            `json:"rule_version"`
	Started     time.Time         `json:"started"`
	At          time.Time         `json:"at"`
	Window      post.Duration     `json:"window"` // seconds
	Observed    float64           `json:"observed"`
	Expected    float64           `json:"expected"`
	Surprise    float64           `json:"surprise"`
	Negative    float64           `json:"negative"`
	Summary     string            `json:"summary"`
	Runbook     string            `json:"runbook,omitempty"` // address of what to do
	Annotations map[string]string `json:"annotations,omitempty"`
	Exemplars   []mention         `json:"exemplars,omitempty"`
}

func (n names) alert(c post.AlertChange) alert {
	return alert{
		Fingerprint: c.Fingerprint,
		Change:      c.ID,
		State:       c.State,
		Severity:    severity(c.Severity),
		Agency:      c.Series.Agency,
		AgencyName:  n.agency(c.Series.Agency),
		Series:      c.Series,
		Scope:       n.scope(c.Series),
		Rule:        c.Rule,
		RuleVersion: c.RuleVersion,
		Started:     c.Started.UTC(),
		At:          c.At.UTC(),
		Window:      c.Window,
		Observed:    finite(c.Observed),
		Expected:    finite(c.Expected),
		Surprise:    finite(c.Surprise),
		Negative:    finite(c.Negative),
		Summary:     display(c.Summary),
		Runbook:     runbook(c.Annotations[runbookURL]),
		Annotations: annotations(c.Annotations),
	}
}

// annotations are shown with the care of a post: terms that rose come from posts.
func annotations(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for k, v := range in {
		if k != runbookURL {
			out[short(clean(k))] = display(v)
		}
	}
	return out
}

// runbookURL is the annotation that leads to what to do.
const runbookURL = "runbook_url"

// runbook is an address that may be a link, or "". It comes from the rules,
// not from posts.
func runbook(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}

// scope says what part of an agency a series is about.
func (n names) scope(s post.Series) string {
	var parts []string
	if s.Issue != "" {
		parts = append(parts, n.issue(s.Issue))
	}
	for _, v := range []string{s.TouchPoint, s.Platform, s.Language} {
		if v != "" {
			parts = append(parts, short(clean(v)))
		}
	}
	return strings.Join(parts, " · ")
}

// severity keeps the three known words; anything else is at least a warning.
func severity(s string) string {
	switch s {
	case "info", "warning", "critical":
		return s
	}
	return "warning"
}

// weight orders alerts: what needs a person first.
func (a *alert) weight() int {
	w := map[string]int{"info": 1, "warning": 2, "critical": 3}[a.Severity]
	if a.State == post.Firing {
		w += 10
	}
	return w
}

// A source is the latest report of a source, and whether the board is blind there.
type source struct {
	post.SourceHealth
	Blind bool      `json:"blind"`
	Why   string    `json:"why,omitempty"`  // for people: what may be missing
	Since time.Time `json:"since,omitzero"` // the time that Why speaks of
}

// judgeSource reads a report. A source that was read to its end is not blind;
// one that stopped reporting is, whatever it said last.
func judgeSource(h post.SourceHealth, now time.Time, stale time.Duration) source {
	h.Source, h.Detail = short(clean(h.Source)), display(h.Detail)
	s := source{SourceHealth: h}
	switch {
	case h.State == post.SourceFinished:
	case now.Sub(h.At) > stale:
		s.Blind, s.Why, s.Since = true, "sends no report", h.At
	case h.State == post.SourceBackoff:
		s.Blind, s.Why, s.Since = true, "failed and is being restarted", h.LastEvent
	case h.State == post.SourceStalled:
		s.Blind, s.Why, s.Since = true, "is connected but silent", h.LastEvent
	case h.State == post.SourceFailed:
		s.Blind, s.Why, s.Since = true, "failed and cannot be restarted", h.LastEvent
	case h.State == post.SourceGap:
		s.Blind, s.Why, s.Since = true, "may have missed posts", h.GapFrom
	}
	return s
}
