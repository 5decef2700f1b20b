package web

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counters of the board. A nil *Metrics counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  prometheus.Counter
	viewers  prometheus.Gauge
	cut      *prometheus.CounterVec
	events   *prometheus.CounterVec
	skipped  prometheus.Counter
	failures *prometheus.CounterVec
}

// Reasons why a viewer is sent away, and what is asked of the store.
const (
	cutSlow = "slow"
	cutFull = "full"

	readSummaries = "summaries"
	readSeries    = "series"
	readMentions  = "mentions"
	readAlerts    = "alerts"
	readSources   = "sources"
	readExpected  = "expected"
)

// NewMetrics registers the counters of the board.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_web_requests_total",
			Help: "Requests answered, by route and class of status. A rise of 5xx means the store does not answer.",
		}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "outcry_web_request_seconds",
			Help:    "Time to answer a request, by route, live streams left out. A rise means the store answers slowly.",
			Buckets: []float64{.005, .02, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outcry_web_refused_hosts_total",
			Help: "Requests refused for a foreign Host header. A rise means a proxy sends the wrong name, or a web page tries to reach the board by DNS rebinding.",
		}),
		viewers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outcry_web_viewers",
			Help: "Live streams being served.",
		}),
		cut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_web_viewers_cut_total",
			Help: "Viewers sent away: slow, because they did not read in time; full, because max_viewers was reached. They reconnect and resume.",
		}, []string{"reason"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_web_stream_events_total",
			Help: "Events offered to live streams, by name.",
		}, []string{"event"}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outcry_web_feed_skips_total",
			Help: "Times the live feed left out stored posts because more arrived than people can read. The numbers and alerts are not affected.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_web_read_failures_total",
			Help: "Questions to the store or the detector that failed, by what was asked. A rise means parts of the board are old, and the board says so.",
		}, []string{"read"}),
	}
	for _, reason := range []string{cutSlow, cutFull} {
		m.cut.WithLabelValues(reason)
	}
	for _, name := range []string{eventMention, eventAlert, eventSummary, eventGap} {
		m.events.WithLabelValues(name)
	}
	for _, read := range []string{readSummaries, readSeries, readMentions, readAlerts, readSources, readExpected} {
		m.failures.WithLabelValues(read)
	}
	reg.MustRegister(m.requests, m.seconds, m.refused, m.viewers, m.cut, m.events, m.skipped, m.failures)
	return m
}

func (m *Metrics) request(route, code string, seconds float64, stream bool) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(route, code).Inc()
	if !stream {
		m.seconds.WithLabelValues(route).Observe(seconds)
	}
}

func (m *Metrics) refusedHost() {
	if m != nil {
		m.refused.Inc()
	}
}

func (m *Metrics) viewerCount(n int) {
	if m != nil {
		m.viewers.Set(float64(n))
	}
}

func (m *Metrics) viewerCut(reason string) {
	if m != nil {
		m.cut.WithLabelValues(reason).Inc()
	}
}

func (m *Metrics) event(name string) {
	if m != nil {
		m.events.WithLabelValues(name).Inc()
	}
}

func (m *Metrics) feedSkipped() {
	if m != nil {
		m.skipped.Inc()
	}
}

func (m *Metrics) readFailed(read string) {
	if m != nil {
		m.failures.WithLabelValues(read).Inc()
	}
}
