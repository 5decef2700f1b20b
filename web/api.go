package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"outcry/post"
)

// The API answers GET with JSON. Times are RFC 3339 in UTC, keys are decimal
// strings, shares run from 0 to 1, durations are seconds. Errors are
// {"error": {"code", "message"}}: 400 unknown_parameter, invalid_parameter or
// invalid_cursor, 404 not_found, 503 store_unavailable or busy (with
// Retry-After). Where an answer has "unknown", it names the parts that the store
// did not give: they are old, or missing.
//
//	/api/v1/agencies  every agency, what needs a person first; at most summary_interval old
//	/api/v1/series    agency (required), issue, from, to (default: the last 6 h; at most
//	                  31 days), step (whole minutes such as 5m, to 24h)
//	/api/v1/mentions  agency, issue, limit (1 to 500, default 50), before (a time; the
//	                  next page is before next_before); newest first
//	/api/v1/alerts    agency, state: open (default), resolved (in the last day) or all
//	/api/v1/sources   every source and whether it is blind
//	/api/v1/stream    agency, issue; server-sent events mention, alert, summary and gap;
//	                  Last-Event-ID resumes

// longest is the longest stretch of time one question may be about.
const longest = 31 * 24 * time.Hour

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away misses nothing
}

func writeError(w http.ResponseWriter, err *apiError) {
	type detail struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, err.status, map[string]detail{"error": {err.code, err.message}})
}

// unavailable is what a client hears of a store that does not answer. The
// reason is in the log: it may name hosts.
func unavailable() *apiError {
	return &apiError{http.StatusServiceUnavailable, "store_unavailable", "the store did not answer; try again"}
}

func (s *Server) apiAgencies(w http.ResponseWriter, r *http.Request) {
	if err := newParams(r.URL.Query(), s.names).done(); err != nil {
		writeError(w, err)
		return
	}
	o := s.overview.get(r.Context())
	writeJSON(w, http.StatusOK, map[string]any{"at": o.At, "agencies": o.Agencies, "unknown": o.Unknown})
}

func (s *Server) apiSources(w http.ResponseWriter, r *http.Request) {
	if err := newParams(r.URL.Query(), s.names).done(); err != nil {
		writeError(w, err)
		return
	}
	o := s.overview.get(r.Context())
	writeJSON(w, http.StatusOK, map[string]any{"at": o.At, "sources": orEmpty(o.Sources), "unknown": o.Unknown})
}

func (s *Server) apiAlerts(w http.ResponseWriter, r *http.Request) {
	p := newParams(r.URL.Query(), s.names)
	agency, state := p.agency(false), p.choice("state", "open", "resolved", "all")
	if err := p.done(); err != nil {
		writeError(w, err)
		return
	}
	o := s.overview.get(r.Context())
	var found []alert
	if state != "resolved" {
		found = append(found, o.Alerts...)
	}
	if state != "open" {
		found = append(found, o.Resolved...)
	}
	found = slices.DeleteFunc(found, func(a alert) bool { return agency != "" && a.Agency != agency })
	writeJSON(w, http.StatusOK, map[string]any{"at": o.At, "alerts": orEmpty(found), "unknown": o.Unknown})
}

func (s *Server) apiSeries(w http.ResponseWriter, r *http.Request) {
	p := newParams(r.URL.Query(), s.names)
	series := post.Series{Agency: p.agency(true), Issue: p.issue()}
	from, to := p.span(s.now(), 6*time.Hour)
	step := p.step(from, to)
	if err := p.done(); err != nil {
		writeError(w, err)
		return
	}
	c, err := s.chart(r.Context(), series, from, to, step)
	if err != nil {
		writeError(w, unavailable())
		return
	}
	writeJSON(w, http.StatusOK, c)
}

func (s *Server) apiMentions(w http.ResponseWriter, r *http.Request) {
	p := newParams(r.URL.Query(), s.names)
	q := post.MentionQuery{Agency: p.agency(false), Issue: p.issue(), Limit: p.whole("limit", 50, 1, 500), To: p.time("before")}
	if err := p.done(); err != nil {
		writeError(w, err)
		return
	}
	limit := q.Limit
	q.Limit++ // one more tells whether there is a next page
	rows, err := s.deps.Store.Mentions(r.Context(), q)
	if err != nil {
		s.readFailed(r.Context(), readMentions, err)
		writeError(w, unavailable())
		return
	}
	page := map[string]any{}
	if len(rows) > limit {
		rows = wholeMoments(rows[:limit])
		page["next_before"] = rows[len(rows)-1].Time.UTC()
	}
	page["mentions"] = s.names.mentions(rows)
	writeJSON(w, http.StatusOK, page)
}

// wholeMoments drops the last rows that share one time, so that the next page,
// which starts before the last time given, leaves none of them out. When all
// share it, the page stays: posts of one millisecond beyond it are left out.
func wholeMoments(rows []post.StoredMention) []post.StoredMention {
	last := rows[len(rows)-1].Time
	for i, row := range slices.Backward(rows) {
		if !row.Time.Equal(last) {
			return rows[:i+1]
		}
	}
	return rows
}

// span reads from and to; by default the latest stretch of the given length.
func (p *params) span(now time.Time, length time.Duration) (from, to time.Time) {
	from, to = p.time("from"), p.time("to")
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-length)
	}
	if !from.Before(to) {
		p.fail("from", "must be before to")
	} else if to.Sub(from) > longest {
		p.fail("from", "must be at most %d days before to", longest/(24*time.Hour))
	}
	return from, to
}

// step reads the width of a point, whole minutes of which a day is a multiple
// or which are whole days; by default one that suits the span.
func (p *params) step(from, to time.Time) time.Duration {
	s := p.text("step")
	if s == "" {
		return stepFor(to.Sub(from))
	}
	step, err := time.ParseDuration(s)
	switch {
	case err != nil || step < time.Minute || step%time.Minute != 0 || step > 24*time.Hour:
		p.fail("step", "must be whole minutes such as 5m, from 1m to 24h")
		return time.Hour
	case to.Sub(from)/step >= maxPoints:
		p.fail("step", "too small: the answer would hold more than %d points", maxPoints)
		return time.Hour
	}
	return step
}

// stepFor gives a width of points that a chart of the span can show.
func stepFor(span time.Duration) time.Duration {
	switch {
	case span <= time.Hour:
		return time.Minute
	case span <= 6*time.Hour:
		return 2 * time.Minute
	case span <= 24*time.Hour:
		return 10 * time.Minute
	}
	return time.Hour
}

// orEmpty makes an empty list of a missing one: clients need not tell them apart.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
