package ingest

import (
	"errors"
	"fmt"
	"regexp"

	"outcry/internal/config"
	"outcry/match"
	"outcry/post"
)

// AgencyList is the content of configs/agencies.yaml.
type AgencyList struct {
	Agencies []post.Agency `yaml:"agencies"`
}

var (
	agencyID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	country  = regexp.MustCompile(`^[A-Z]{2}$`)
)

// Validate names every agency that cannot be used, and points at the place in
// its query.
func (l AgencyList) Validate() config.Faults {
	var f config.Faults
	if len(l.Agencies) == 0 {
		f.Add("agencies", "names no agency, so no post could concern one")
	}
	seen := map[string]int{}
	for i, a := range l.Agencies {
		key := fmt.Sprintf("agencies[%d].", i)
		if !agencyID.MatchString(a.ID) {
			f.Add(key+"id", "%q must be of a-z, 0-9 and -, at most 63 long", a.ID)
		} else if first, ok := seen[a.ID]; ok {
			f.Add(key+"id", "%q is the id of agencies[%d] too", a.ID, first)
		} else {
			seen[a.ID] = i
		}
		if a.Name == "" {
			f.Add(key+"name", "must be given: it is what people are shown")
		}
		if a.Country != "" && !country.MatchString(a.Country) {
			f.Add(key+"country", "%q must be two capitals as in ISO 3166-1, or left out", a.Country)
		}
		var syntax *match.SyntaxError
		if _, err := match.Compile([]match.Query{{Text: a.Query}}); errors.As(err, &syntax) {
			f.Add(key+"query", "%s", syntax.Error())
		} else if err != nil {
			f.Add(key+"query", "%v", err)
		}
	}
	return f
}

// LoadAgencies reads and validates a file of agencies. Its error is a
// *config.Error that names every fault with its line.
func LoadAgencies(path string) ([]post.Agency, error) {
	var list AgencyList
	if err := config.Load(path, &list, config.Options{}); err != nil {
		return nil, err
	}
	return list.Agencies, nil
}

// Agencies tells which agencies a text concerns. It is immutable.
type Agencies struct {
	set *match.Set
	ids []string
}

// CompileAgencies compiles the queries of agencies into one matcher.
func CompileAgencies(agencies []post.Agency) (*Agencies, error) {
	a := &Agencies{}
	queries := make([]match.Query, len(agencies))
	for i, agency := range agencies {
		queries[i] = match.Query{ID: agency.ID, Text: agency.Query}
		a.ids = append(a.ids, agency.ID)
	}
	var err error
	if a.set, err = match.Compile(queries); err != nil {
		return nil, fmt.Errorf("compile the queries of the agencies: %w", err)
	}
	return a, nil
}

// agencyMatcher matches posts against all agencies. It is for one goroutine.
type agencyMatcher struct {
	ids     []string
	matcher *match.Matcher
	doc     match.Doc
}

func (a *Agencies) newMatcher() *agencyMatcher {
	return &agencyMatcher{ids: a.ids, matcher: a.set.NewMatcher()}
}

// match gives the ids of the agencies that p concerns.
func (m *agencyMatcher) match(p *post.Post) []string {
	m.doc.Text, m.doc.Links = p.Text, p.Links
	hits := m.matcher.Match(&m.doc)
	if len(hits) == 0 {
		return nil
	}
	ids := make([]string, len(hits))
	for i, hit := range hits {
		ids[i] = m.ids[hit]
	}
	return ids
}
