package alert

import (
	"math"
	"strings"
	"testing"
	"time"

	"outcry/configs"
	"outcry/post"
)

func TestRulesThatComeWithOutcry(t *testing.T) {
	data, err := configs.Files.ReadFile("rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := ParseRules("rules.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, r := range rules {
		kinds[r.Kind]++
		if r.KeepFiringFor == 0 || r.Severity == "" || r.Annotations["runbook_url"] == "" {
			t.Errorf("rule %s has no default or no runbook: %+v", r.Name, r)
		}
	}
	if kinds[KindBurst] < 2 || kinds[KindBlind] < 1 {
		t.Errorf("kinds of rules: %v", kinds)
	}
}

func TestRuleFaultsNameTheirKey(t *testing.T) {
	_, err := ParseRules("rules.yaml", []byte(`version: 2
rules:
  - name: Bad Name
    kind: burst
    by: [issue, colour, issue]
    false_alarms_per_week: 0
    min_voices: 2
    severity: loud
    for: -1s
    labels: {source: x}
  - name: a
    kind: blind
    by: [agency]
    keep_firing_for: 48h
  - name: a
    kind: other
  - name: b
    kind: blind
    theshold: 3
`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"rules.yaml:1: version:", "rules.yaml:3: rules[0].name:", "rules[0].by: must contain agency", `rules[0].by: "colour"`,
		"rules[0].by: issue stands twice", "rules[0].false_alarms_per_week:", "rules[0].min_voices:", "rules[0].severity:",
		"rules[0].for:", "rules[0].labels", "rules[1].kind:", "rules[1].keep_firing_for:", "rules[2].kind:", "rules[2].name:", "theshold",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte("version: 1\nrules:\n  - {name: a, kind: burst, by: [agency], false_alarms_per_week: 0.1, min_voices: 5}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := ParseRules("fuzz", data)
		if err != nil {
			return
		}
		for _, r := range rules {
			if l := r.Level(); r.Kind == KindBurst && (math.IsNaN(l) || l < 3 || l > 10) {
				t.Fatalf("rule %+v has level %v", r, l)
			}
		}
	})
}

func TestRuleVersionFollowsItsText(t *testing.T) {
	a := Rule{Name: "a", Kind: KindBurst, By: []string{"agency"}, FalseAlarmsPerWeek: 0.1, Labels: map[string]string{"x": "1", "y": "2"}}
	b := a
	if a.version() != b.version() {
		t.Error("the same rule has two versions")
	}
	b.Labels = map[string]string{"y": "2", "x": "1"}
	if a.version() != b.version() {
		t.Error("the order of labels makes another version")
	}
	b.For = time.Second
	if a.version() == b.version() {
		t.Error("another rule has the same version")
	}
}

func TestRuleLevelAndBreakdown(t *testing.T) {
	r := Rule{By: []string{"agency", "issue", "language"}, FalseAlarmsPerWeek: 1.008}
	if l := r.Level(); math.Abs(l-4) > 1e-9 {
		t.Errorf("level %v, want 4", l)
	}
	if d := r.by(); d != (post.Dimensions{Issue: true, Language: true}) {
		t.Errorf("breakdown %+v", d)
	}
}

func TestDefaultConfigIsValid(t *testing.T) {
	if f := DefaultConfig().Validate(); len(f) > 0 {
		t.Errorf("faults: %v", f)
	}
	bad := Config{Interval: 1, Delay: -1, History: 1, TimeZone: "Mars/Olympus"}
	keys := ""
	for _, f := range bad.Validate() {
		keys += f.Key + " "
	}
	if keys != "interval delay history max_series source_timeout time_zone " {
		t.Errorf("faults at %s", keys)
	}
}
