package web

import (
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// contentPolicy lets a page load nothing but the board's own files, run no
// inline script or style, be framed by nobody, and turn no string into HTML.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard stands before every handler: it refuses foreign hosts and methods that
// change things, sets the security headers, counts, and survives a panic.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")

		if !s.ownHost(r.Host) {
			s.deps.Metrics.refusedHost()
			http.Error(w, "This address is not known to the board. Visit it as http://localhost or http://127.0.0.1.", http.StatusMisdirectedRequest)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "The board can only be read.", http.StatusMethodNotAllowed)
			return
		}
		rec := &recorder{ResponseWriter: w}
		start := s.now()
		defer func() {
			if cause := recover(); cause != nil {
				if cause == http.ErrAbortHandler { //nolint:errorlint // the documented identity
					panic(cause)
				}
				s.log.Error("request failed in an unexpected way", "route", r.Pattern, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
				if rec.status == 0 {
					http.Error(rec, "The board failed to answer. Its log tells why.", http.StatusInternalServerError)
				}
			}
			s.deps.Metrics.request(route(r.Pattern), statusClass(rec.status), s.now().Sub(start).Seconds(), r.Pattern == streamPattern)
		}()
		next.ServeHTTP(rec, r)
	})
}

// ownHost tells whether a request was meant for this board. A web page that
// points its own name at this machine (DNS rebinding) sends that name.
func (s *Server) ownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// route is the label of a pattern: a name that no version of the board changes.
func route(pattern string) string {
	switch {
	case pattern == "/{$}":
		return "board"
	case pattern == "/" || pattern == "/api/" || pattern == "":
		return "other"
	case strings.HasPrefix(pattern, "/static/"):
		return "/static/"
	}
	return pattern
}

func statusClass(status int) string {
	if status == 0 {
		status = http.StatusOK
	}
	return strconv.Itoa(status/100) + "xx"
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// queryTimeout bounds how long a request may wait for the store.
const queryTimeout = 10 * time.Second
