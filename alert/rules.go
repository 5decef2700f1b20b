package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"outcry/internal/config"
	"outcry/post"
)

// The kinds of rule.
const (
	KindBurst = "burst" // more voices than normal times bring
	KindBlind = "blind" // a source that is silent, failing or behind
)

// Severities in rising order.
var severities = []string{"info", "warning", "critical"}

// RuleFile is the file of rules.
type RuleFile struct {
	// Version of the file's format: 1.
	Version int `yaml:"version"`
	// Rules are evaluated independently of each other.
	Rules []Rule `yaml:"rules"`
}

// Rule says what is alerted on, and how.
type Rule struct {
	// Name identifies the rule and its alerts; [a-z0-9-], unique. A rule that is
	// renamed is another rule: its open alerts are resolved.
	Name string `yaml:"name"`
	// Kind is burst or blind.
	Kind string `yaml:"kind"`
	// By says what one series of a burst rule is: agency, and further of issue,
	// touch_point, platform and language.
	By []string `yaml:"by,omitempty"`
	// FalseAlarmsPerWeek is the sensitivity of a burst rule: how many alarms
	// normal times may raise per series and week. 0.00001 to 10.
	FalseAlarmsPerWeek float64 `yaml:"false_alarms_per_week,omitempty"`
	// MinVoices is how many distinct authors a burst must have. 5 or more: four
	// voices are never called a burst.
	MinVoices int `yaml:"min_voices,omitempty"`
	// Severity is info, warning or critical.
	Severity string `yaml:"severity"`
	// For is how long the condition must last before the alert fires; until then
	// it is pending and nobody is told.
	For time.Duration `yaml:"for"`
	// KeepFiringFor is how long all must be calm before the alert is resolved.
	KeepFiringFor time.Duration `yaml:"keep_firing_for"`
	// Labels are added to the alert, for routing.
	Labels map[string]string `yaml:"labels,omitempty"`
	// Annotations tell people what to do, for example runbook_url.
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// ParseRules reads a file of rules; name stands for it in the error, which names
// every fault with its line.
func ParseRules(name string, data []byte) ([]Rule, error) {
	var f RuleFile
	if err := config.LoadBytes(name, data, &f, config.Options{}); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return f.Rules, nil
}

// SetDefaults is called for each rule of a file before it is read.
func (r *Rule) SetDefaults() {
	r.Severity = "warning"
	r.KeepFiringFor = 15 * time.Minute
}

var ruleName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Validate names faults of the file as a whole.
func (f RuleFile) Validate() config.Faults {
	var faults config.Faults
	if f.Version != 1 {
		faults.Add("version", "must be 1")
	}
	if len(f.Rules) == 0 {
		faults.Add("rules", "at least one rule is needed")
	}
	seen := map[string]bool{}
	for i, r := range f.Rules {
		if seen[r.Name] {
			faults.Add(fmt.Sprintf("rules[%d].name", i), "%q is taken; names of rules must differ", r.Name)
		}
		seen[r.Name] = true
	}
	return faults
}

// Validate names what cannot work.
func (r Rule) Validate() config.Faults {
	var f config.Faults
	if !ruleName.MatchString(r.Name) {
		f.Add("name", "must be 1 to 64 of a-z, 0-9 and -")
	}
	switch r.Kind {
	case KindBurst:
		r.validateBurst(&f)
	case KindBlind:
		if len(r.By) > 0 || r.FalseAlarmsPerWeek != 0 || r.MinVoices != 0 {
			f.Add("kind", "a blind rule takes no by, false_alarms_per_week or min_voices: it watches every source")
		}
	default:
		f.Add("kind", "must be burst or blind")
	}
	if !slices.Contains(severities, r.Severity) {
		f.Add("severity", "must be info, warning or critical")
	}
	if r.For < 0 || r.For > 24*time.Hour {
		f.Add("for", "must be from 0s to 24h")
	}
	if r.KeepFiringFor < 0 || r.KeepFiringFor > 24*time.Hour {
		f.Add("keep_firing_for", "must be from 0s to 24h")
	}
	for name := range r.Labels {
		if name == labelSource {
			f.Add("labels", "%q is set by Outcry itself", name)
		}
	}
	return f
}

func (r Rule) validateBurst(f *config.Faults) {
	if !slices.Contains(r.By, "agency") {
		f.Add("by", "must contain agency: alerts concern one agency")
	}
	for i, d := range r.By {
		if !slices.Contains([]string{"agency", "issue", "touch_point", "platform", "language"}, d) {
			f.Add("by", "%q is none of agency, issue, touch_point, platform, language", d)
		} else if slices.Index(r.By, d) < i {
			f.Add("by", "%s stands twice", d)
		}
	}
	if !(r.FalseAlarmsPerWeek >= 1e-5 && r.FalseAlarmsPerWeek <= 10) {
		f.Add("false_alarms_per_week", "must be from 0.00001 to 10; 0.1 is calm")
	}
	if r.MinVoices < leastVoices {
		f.Add("min_voices", "must be %d or more", leastVoices)
	}
}

// leastVoices is the fewest voices the detector calls a burst.
const leastVoices = 5

const minutesPerWeek = 7 * 24 * 60

// Level is the surprise from which the rule's condition holds.
func (r *Rule) Level() float64 { return math.Log10(minutesPerWeek / r.FalseAlarmsPerWeek) }

// by is the breakdown in the store's terms.
func (r *Rule) by() post.Dimensions {
	return post.Dimensions{
		Issue:      slices.Contains(r.By, "issue"),
		TouchPoint: slices.Contains(r.By, "touch_point"),
		Platform:   slices.Contains(r.By, "platform"),
		Language:   slices.Contains(r.By, "language"),
	}
}

// version is a hash of everything the rule says.
func (r *Rule) version() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic("alert: a rule is plain data: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

// rank orders severities; an unknown one is the least.
func rank(severity string) int { return slices.Index(severities, strings.ToLower(severity)) }
