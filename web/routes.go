package web

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// routes is the list of everything the board answers to.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", s.board)
	mux.HandleFunc(s.pages.assets+"/{path...}", s.asset)
	mux.HandleFunc("/api/v1/agencies", s.apiAgencies)
	mux.HandleFunc("/api/v1/series", s.apiSeries)
	mux.HandleFunc("/api/v1/mentions", s.apiMentions)
	mux.HandleFunc("/api/v1/alerts", s.apiAlerts)
	mux.HandleFunc("/api/v1/sources", s.apiSources)
	mux.HandleFunc(streamPattern, s.stream)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, &apiError{http.StatusNotFound, "not_found", "there is no such endpoint; known: /api/v1/agencies, series, mentions, alerts, sources, stream"})
	})
	if s.deps.Live != nil {
		mux.Handle("/healthz", s.deps.Live)
	}
	if s.deps.Ready != nil {
		mux.Handle("/readyz", s.deps.Ready)
	}
	if s.deps.Registry != nil {
		mux.Handle("/metrics", promhttp.HandlerFor(s.deps.Registry, promhttp.HandlerOpts{}))
	}
	mux.HandleFunc("/", s.notFound)
	return s.guard(mux)
}
