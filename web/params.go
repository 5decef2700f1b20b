package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apiError is an error that is told to the client.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.message }

func badRequest(code, format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// params reads query parameters strictly: one that nobody asked for, or that
// is given twice, is an error. The first error stays.
type params struct {
	values url.Values
	names  names
	known  []string
	err    *apiError
}

func newParams(values url.Values, n names) *params { return &params{values: values, names: n} }

func (p *params) fail(name, format string, args ...any) {
	if p.err == nil {
		p.err = badRequest("invalid_parameter", "%s: %s", name, fmt.Sprintf(format, args...))
	}
}

// text gives the value of a parameter, or "".
func (p *params) text(name string) string {
	p.known = append(p.known, name)
	switch given := p.values[name]; len(given) {
	case 0:
		return ""
	case 1:
		return given[0]
	}
	p.fail(name, "given more than once")
	return ""
}

func (p *params) agency(required bool) string {
	id := p.text("agency")
	if id == "" {
		if required {
			p.fail("agency", "must name an agency")
		}
		return ""
	}
	if _, ok := p.names.byID[id]; !ok {
		p.fail("agency", "%.80q is not a configured agency", id)
	}
	return id
}

func (p *params) issue() string {
	id := p.text("issue")
	if id == "" {
		return ""
	}
	if _, ok := p.names.issues[id]; !ok {
		p.fail("issue", "%.80q is not a configured issue", id)
	}
	return id
}

// time reads an RFC 3339 time; zero when it is not given.
func (p *params) time(name string) time.Time {
	s := p.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		p.fail(name, "%.80q is not a time such as 2026-01-31T15:04:05Z", s)
		return time.Time{}
	}
	return t.UTC()
}

// whole reads a whole number from low to high; other when it is not given.
func (p *params) whole(name string, other, low, high int) int {
	s := p.text(name)
	if s == "" {
		return other
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		p.fail(name, "must be a whole number from %d to %d", low, high)
		return other
	}
	return n
}

// choice reads one of several words, of which the first is the default.
func (p *params) choice(name string, words ...string) string {
	s := p.text(name)
	if s == "" {
		return words[0]
	}
	if !slices.Contains(words, s) {
		p.fail(name, "must be one of %s", strings.Join(words, ", "))
	}
	return s
}

// done gives the first error, unknown parameters included.
func (p *params) done() *apiError {
	if p.err != nil {
		return p.err
	}
	var unknown []string
	for name := range p.values {
		if !slices.Contains(p.known, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return badRequest("unknown_parameter", "unknown parameter %.80q; known: %s", unknown[0], strings.Join(p.known, ", "))
	}
	return nil
}
