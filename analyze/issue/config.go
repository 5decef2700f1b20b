package issue

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"outcry/internal/config"
	"outcry/match"
)

// Other is the issue of complaints that fit no other. It alone may be without
// wordings: that phrases recognise nothing does not mean that nothing fits.
const Other = "other"

// IDs gives the ids of all issues. They are fixed: they are stored, charted and
// alerted on.
func IDs() []string {
	return []string{"down", "access", "wait", "rejected", "payment", "disruption", "information",
		"conduct", "facility", "hazard", "utility", "privacy", "lost", Other}
}

// TouchPointIDs gives the ids of all touch points.
func TouchPointIDs() []string {
	return []string{"web", "app", "phone", "office", "message", "mail", "site"}
}

// Config is the content of issues.yaml.
type Config struct {
	Complaint   Signs   `yaml:"complaint"`    // signs that the author complains at all
	Issues      []Entry `yaml:"issues"`       // what fails
	TouchPoints []Entry `yaml:"touch_points"` // where people meet the failure
}

// Signs are wordings that speak for and against a complaint.
type Signs struct {
	For     Wording `yaml:"for"`
	Against Wording `yaml:"against"`
}

// Entry is one issue or touch point.
type Entry struct {
	ID          string `yaml:"id"`
	Name        string `yaml:"name"`        // what people are shown
	Description string `yaml:"description"` // one sentence
	Wording     `yaml:",inline"`
}

// Wording is how people put something. Both maps are keyed by language. A
// wording counts in texts of its language and in texts whose language is
// unknown; English ones count everywhere, since people everywhere borrow them.
type Wording struct {
	Phrases map[string][]string `yaml:"phrases"` // plain text, found as it stands
	Queries map[string][]string `yaml:"queries"` // in the query language of package match
}

// Validate implements config.Validator.
func (c Config) Validate() config.Faults {
	var faults config.Faults
	validateEntries(&faults, "issues", c.Issues, IDs())
	validateEntries(&faults, "touch_points", c.TouchPoints, TouchPointIDs())
	for i, e := range c.Issues {
		if e.ID != Other && len(e.all()) == 0 {
			faults.Add(fmt.Sprintf("issues[%d]", i), "has neither phrases nor queries, so it can never be recognised")
		}
	}
	return faults
}

// validateEntries reports ids that are unknown, missing or given twice, and
// entries without a name.
func validateEntries(faults *config.Faults, list string, entries []Entry, known []string) {
	seen := make(map[string]bool)
	for i, e := range entries {
		key := fmt.Sprintf("%s[%d]", list, i)
		switch {
		case !slices.Contains(known, e.ID):
			faults.Add(key+".id", "unknown id %q: the ids are fixed: %s", e.ID, strings.Join(known, ", "))
		case seen[e.ID]:
			faults.Add(key+".id", "%s is there twice", e.ID)
		}
		seen[e.ID] = true
		if strings.TrimSpace(e.Name) == "" {
			faults.Add(key+".name", "must be set: it is what people are shown")
		}
	}
	for _, id := range known {
		if !seen[id] {
			faults.Add(list, "%s is missing", id)
		}
	}
}

var languageTag = regexp.MustCompile(`^[a-z]{2}$`)

// Validate implements config.Validator.
func (w Wording) Validate() config.Faults {
	var faults config.Faults
	for _, l := range w.all() {
		if !languageTag.MatchString(l.language) {
			faults.Add(l.key, "%q is not a language: use a code of two letters such as en", l.language)
			continue
		}
		if _, err := match.Compile([]match.Query{{Text: l.query}}); err != nil {
			faults.Add(l.key, "%v", err)
		}
	}
	return faults
}

// wordingLine is one phrase or query.
type wordingLine struct{ key, language, query string }

// all gives every phrase and query, in the query language, in a fixed order.
func (w Wording) all() []wordingLine {
	var lines []wordingLine
	add := func(kind string, byLanguage map[string][]string, quote bool) {
		for _, lang := range sortedKeys(byLanguage) {
			for i, text := range byLanguage[lang] {
				if quote {
					text = `"` + strings.TrimSpace(text) + `"`
				}
				lines = append(lines, wordingLine{fmt.Sprintf("%s.%s[%d]", kind, lang, i), lang, text})
			}
		}
	}
	add("phrases", w.Phrases, true)
	add("queries", w.Queries, false)
	return lines
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Load reads a configuration from YAML; name stands for the file in errors.
func Load(name string, data []byte) (Config, error) {
	var c Config
	if err := config.LoadBytes(name, data, &c, config.Options{}); err != nil {
		return Config{}, err
	}
	return c, nil
}
