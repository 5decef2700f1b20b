package webhook

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// codes are the answers that a request can get.
var codes = []int{200, 400, 401, 404, 405, 413, 415, 503}

// Metrics count requests; posts are counted by package ingest.
type Metrics struct{ requests *prometheus.CounterVec }

// NewMetrics registers the metrics of webhooks.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "outcry_ingest_webhook_requests_total",
		Help: "Requests to a webhook, by the status they were answered with. 401 rising: a wrong secret or a stranger; 400: a sender changed its format; 503: Kafka is slow or down.",
	}, []string{"source", "code"})}
	reg.MustRegister(m.requests)
	return m
}

// source creates the counters of a source at zero. The function it returns
// counts one answer.
func (m *Metrics) source(name string) func(code int) {
	if m == nil {
		return func(int) {}
	}
	counters := map[int]prometheus.Counter{}
	for _, code := range codes {
		counters[code] = m.requests.WithLabelValues(name, strconv.Itoa(code))
	}
	return func(code int) { counters[code].Inc() }
}
