package simulate

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

//go:embed grammar/*.txt
var grammarFiles embed.FS

// languages are the languages that the grammar speaks.
var languages = []string{"en", "de", "fr", "es"}

// grammar knows the ways to say things in one language. It is immutable.
type grammar struct {
	sections map[string][]phrase
}

// phrase is one way to say something: parts in a row.
type phrase []part

// part is literal text, or one of three kinds of choice.
type part struct {
	text   string
	slot   string   // another section
	choice []phrase // one of these
	lo, hi int      // a number, when hi > 0
}

// loadGrammars reads the grammar of every language.
func loadGrammars() (map[string]*grammar, error) {
	all := map[string]*grammar{}
	for _, language := range languages {
		data, err := grammarFiles.ReadFile("grammar/" + language + ".txt")
		if err != nil {
			return nil, fmt.Errorf("grammar: %w", err)
		}
		if all[language], err = parseGrammar(string(data)); err != nil {
			return nil, fmt.Errorf("grammar %s: %w", language, err)
		}
	}
	return all, nil
}

// parseGrammar reads sections; grammar/en.txt describes the form.
func parseGrammar(data string) (*grammar, error) {
	g := &grammar{sections: map[string][]phrase{}}
	section := ""
	for i, line := range strings.Split(data, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' && section == "":
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
		default:
			p, err := parsePhrase(line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			g.sections[section] = append(g.sections[section], p)
		}
	}
	for name, phrases := range g.sections {
		if missing := g.missing(phrases); missing != "" {
			return nil, fmt.Errorf("section %s uses %q, which is missing", name, missing)
		}
	}
	return g, nil
}

// missing names a section that phrases use and that is not there.
func (g *grammar) missing(phrases []phrase) string {
	for _, p := range phrases {
		for _, part := range p {
			if part.slot != "" && part.slot != "T" && !g.has(part.slot) {
				return part.slot
			}
			if inner := g.missing(part.choice); inner != "" {
				return inner
			}
		}
	}
	return ""
}

// has tells whether there is a section of a name, for all or for some agencies.
func (g *grammar) has(name string) bool {
	if _, ok := g.sections[name]; ok {
		return true
	}
	for section := range g.sections {
		if strings.HasPrefix(section, name+"@") {
			return true
		}
	}
	return false
}

func parsePhrase(line string) (phrase, error) {
	var p phrase
	for line != "" {
		at := strings.IndexAny(line, "{<")
		if at < 0 {
			return append(p, part{text: line}), nil
		}
		if at > 0 {
			p = append(p, part{text: line[:at]})
		}
		closing := map[byte]string{'{': "}", '<': ">"}[line[at]]
		inner, rest, ok := strings.Cut(line[at+1:], closing)
		if !ok {
			return nil, fmt.Errorf("%q is not closed", line[at:])
		}
		part, err := parsePart(inner, line[at] == '<')
		if err != nil {
			return nil, err
		}
		p = append(p, part)
		line = rest
	}
	return p, nil
}

func parsePart(inner string, choice bool) (part, error) {
	if choice {
		var all []phrase
		for alternative := range strings.SplitSeq(inner, "|") {
			p, err := parsePhrase(alternative)
			if err != nil {
				return part{}, err
			}
			all = append(all, p)
		}
		return part{choice: all}, nil
	}
	if lo, hi, ok := strings.Cut(inner, "-"); ok {
		from, errLo := strconv.Atoi(lo)
		to, errHi := strconv.Atoi(hi)
		if errLo == nil && errHi == nil && from < to {
			return part{lo: from, hi: to}, nil
		}
	}
	return part{slot: inner}, nil
}

// speaker renders phrases for one agency.
type speaker struct {
	g      *grammar
	rng    *rand.Rand
	agency string
	retold string // stands for {T}
	buf    []byte
}

// say renders one way of a section.
func (s *speaker) say(section string) string {
	s.buf = s.buf[:0]
	s.render(section)
	return string(s.buf)
}

// ways gives the phrases of a section, of this agency if it has its own.
func (s *speaker) ways(section string) []phrase {
	if own, ok := s.g.sections[section+"@"+s.agency]; ok {
		return own
	}
	return s.g.sections[section]
}

func (s *speaker) render(section string) {
	if section == "T" {
		s.buf = append(s.buf, s.retold...)
		return
	}
	ways := s.ways(section)
	s.expand(ways[s.rng.IntN(len(ways))])
}

func (s *speaker) expand(p phrase) {
	for _, part := range p {
		switch {
		case part.slot != "":
			s.render(part.slot)
		case part.choice != nil:
			s.expand(part.choice[s.rng.IntN(len(part.choice))])
		case part.hi > 0:
			s.buf = strconv.AppendInt(s.buf, int64(part.lo+s.rng.IntN(part.hi-part.lo+1)), 10)
		default:
			s.buf = append(s.buf, part.text...)
		}
	}
}
