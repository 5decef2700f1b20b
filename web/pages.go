package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"outcry/post"
)

//go:embed templates static
var files embed.FS

// pages are the templates and the files they refer to.
type pages struct {
	templates *template.Template
	static    fs.FS
	assets    string // path under which the files are served; changes with them
}

func newPages(n names) (*pages, error) {
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	err = fs.WalkDir(static, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(static, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(body), body)
		return err
	})
	if err != nil {
		return nil, err
	}
	p := &pages{static: static, assets: "/static/" + hex.EncodeToString(sum.Sum(nil))[:12]}
	p.templates, err = template.New("").Funcs(formats(n, p.assets)).ParseFS(files, "templates/*.html")
	return p, err
}

// view is what the query string of the board asks for: the whole state of a page.
type view struct {
	Agency string
	Issue  string
	Hours  int
	Until  time.Time // zero: now
}

// spans are the lengths of time a timeline may show, in hours.
var spans = []int{1, 6, 24, 168}

const defaultHours = 6

func parseView(values url.Values, n names) (view, *apiError) {
	p := newParams(values, n)
	v := view{Agency: p.agency(false), Issue: p.issue(), Hours: defaultHours, Until: p.time("until")}
	if s := p.text("hours"); s != "" {
		h, err := strconv.Atoi(s)
		if err != nil || !slices.Contains(spans, h) {
			p.fail("hours", "must be one of %v", spans)
		}
		v.Hours = h
	}
	return v, p.done()
}

// URL is the address of a view: what is the default is left out.
func (v view) URL() string {
	q := url.Values{}
	if v.Agency != "" {
		q.Set("agency", v.Agency)
	}
	if v.Issue != "" {
		q.Set("issue", v.Issue)
	}
	if v.Hours != defaultHours && v.Hours != 0 {
		q.Set("hours", strconv.Itoa(v.Hours))
	}
	if !v.Until.IsZero() {
		q.Set("until", v.Until.UTC().Format(time.RFC3339))
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

// The views one step away.

func (v view) WithAgency(id string) view { v.Agency, v.Issue = id, ""; return v }
func (v view) WithIssue(id string) view  { v.Issue = id; return v }
func (v view) WithHours(h int) view      { v.Hours = h; return v }
func (v view) Live() view                { v.Until = time.Time{}; return v }

func (v view) end(now time.Time) time.Time {
	if v.Until.IsZero() {
		return now
	}
	return v.Until
}

// page is all that the template of the board shows.
type page struct {
	Demo     bool
	Now      time.Time
	View     view
	Chosen   bool // the agency of the timeline was asked for
	Subject  view // the view with the agency that the timeline shows
	Earlier  view
	Later    view // zero Until: now
	Overview *overview
	Agency   *agency
	Chart    *chart
	Issues   []issueCount
	Feed     []mention
	Problems []string // parts that could not be read
	Poll     time.Duration
}

const feedRows = 40

func (s *Server) board(w http.ResponseWriter, r *http.Request) {
	v, bad := parseView(r.URL.Query(), s.names)
	if bad != nil {
		s.render(w, bad.status, "error.html", map[string]any{"Demo": s.deps.Demo, "Title": "This address is not understood", "Message": bad.message})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	s.render(w, http.StatusOK, "board.html", s.page(ctx, v))
}

func (s *Server) notFound(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusNotFound, "error.html", map[string]any{"Demo": s.deps.Demo, "Title": "There is no such page", "Message": "The board is at the address /."})
}

// page reads what a view shows. What cannot be read is left out and named.
func (s *Server) page(ctx context.Context, v view) *page {
	now := s.now()
	o := s.overview.get(ctx)
	p := &page{Demo: s.deps.Demo, Now: now.UTC(), View: v, Subject: v, Chosen: v.Agency != "", Overview: o, Problems: slices.Clone(o.Unknown)}
	if !p.Chosen && len(o.Agencies) > 0 {
		p.Subject.Agency = o.Agencies[0].ID
	}
	for i := range o.Agencies {
		if o.Agencies[i].ID == p.Subject.Agency {
			p.Agency = &o.Agencies[i]
		}
	}
	to := v.end(now)
	from := to.Add(-time.Duration(v.Hours) * time.Hour)
	p.Earlier, p.Later = p.Subject, p.Subject
	p.Earlier.Until = from.Truncate(time.Minute)
	if p.Later.Until = to.Add(to.Sub(from)).Truncate(time.Minute); p.Later.Until.After(now) {
		p.Later.Until = time.Time{}
	}
	if p.Agency != nil {
		var err error
		if p.Chart, err = s.chart(ctx, post.Series{Agency: p.Agency.ID, Issue: v.Issue}, from, to, stepFor(to.Sub(from))); err != nil {
			p.Problems = append(p.Problems, readSeries)
		}
		if p.Issues, err = s.issues(ctx, p.Subject, from, to); err != nil {
			p.Problems = append(p.Problems, readSeries)
		}
	}
	q := post.MentionQuery{Agency: v.Agency, Issue: v.Issue, Limit: feedRows}
	if !v.Until.IsZero() {
		q.From, q.To = from, to
	}
	rows, err := s.deps.Store.Mentions(ctx, q)
	if err != nil {
		s.readFailed(ctx, readMentions, err)
		p.Problems = append(p.Problems, readMentions)
	}
	p.Feed = s.names.mentions(rows)
	slices.Sort(p.Problems)
	p.Problems = slices.Compact(p.Problems)
	return p
}

// TopIssues are the issues that are listed, MoreIssues those folded away.
func (p *page) TopIssues() []issueCount  { return p.Issues[:min(len(p.Issues), shownIssues)] }
func (p *page) MoreIssues() []issueCount { return p.Issues[len(p.TopIssues()):] }

func (s *Server) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.templates.ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("the board could not be drawn", "template", name, "error", err)
		http.Error(w, "The board could not be drawn. Its log tells why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that went away misses nothing
}

// asset serves the board's own files, which never change under one address.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	path := r.PathValue("path")
	f, err := fs.Stat(s.pages.static, path)
	if err != nil || f.IsDir() {
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			s.notFound(w, r)
			return
		}
		http.Error(w, "The file could not be read.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeFileFS(w, r, s.pages.static, path)
}
