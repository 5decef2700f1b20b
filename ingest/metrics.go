package ingest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/post"
)

// Metrics are the counters of this hop. For every source, received = unmatched +
// matched + refused, and published catches up with matched.
type Metrics struct {
	received, unmatched, matched, published *prometheus.CounterVec
	refused, changed                        *prometheus.CounterVec
	mentions                                *prometheus.CounterVec
	restarts, stalls, gaps                  *prometheus.CounterVec
	lostLetters, cursorFailures             *prometheus.CounterVec
	lastEvent, cursorSaved, inFlight, state *prometheus.GaugeVec
	publishing                              *prometheus.HistogramVec
	healthLost                              prometheus.Counter
}

// NewMetrics registers the metrics of ingest.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcry_ingest_" + name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "outcry_ingest_" + name, Help: help}, labels)
		reg.MustRegister(g)
		return g
	}
	m := &Metrics{
		received:       counter("received_total", "What a source gave: events, and input it could not decode. A line that goes flat means the source is silent: compare last_event_timestamp_seconds.", "source"),
		unmatched:      counter("unmatched_total", "Posts that concern no agency and were dropped. A share near 100 % of received means queries match nothing.", "source"),
		matched:        counter("matched_total", "Events handed to Kafka: posts that concern an agency, and every delete.", "source"),
		published:      counter("published_total", "Events that Kafka acknowledged. Falling behind matched_total means Kafka is slow or down.", "source"),
		refused:        counter("refused_total", "Input sent to the dead letter, by reason. A rise means the platform changed its format or someone sends rubbish.", "source", "reason"),
		changed:        counter("changed_total", "Posts that had to be altered to be safe, by what was altered. A rise of time_* means clocks or formats are off.", "source", "change"),
		mentions:       counter("mentions_total", "Posts handed to Kafka, by the agency they concern. A line that goes flat while others live means its query has gone wrong.", "agency"),
		restarts:       counter("restarts_total", "Times a source failed and was opened again. A rise means the platform or the network is unwell.", "source"),
		stalls:         counter("stalls_total", "Times a source stayed silent for longer than its stall time. Silence is not calm: check the platform.", "source"),
		gaps:           counter("gaps_total", "Times a source reported that posts may be missing, for example because a cursor had expired.", "source"),
		lostLetters:    counter("deadletters_lost_total", "Dead letters that Kafka did not take in time. The posts beside them are safe; the refused input is not kept.", "source"),
		cursorFailures: counter("cursor_failures_total", "Failed attempts to save a cursor. A rise means that a restart would re-read more than a second's worth.", "source"),
		lastEvent:      gauge("last_event_timestamp_seconds", "When the source last gave an event, Unix time. Its age tells how long Outcry has been deaf.", "source"),
		cursorSaved:    gauge("cursor_saved_timestamp_seconds", "When the cursor was last saved, Unix time. What came later is read again after a crash.", "source"),
		inFlight:       gauge("in_flight_events", "Events handed to Kafka and not yet acknowledged. Pinned at its height, Kafka is what limits ingest.", "source"),
		state:          gauge("source_state", "1 for the state the source is in, 0 for the others.", "source", "state"),
		publishing: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "outcry_ingest_publish_seconds",
			Help:    "Time from handing a batch to Kafka to its acknowledgement. A rise means Kafka is slow.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 15),
		}, []string{"source"}),
		healthLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outcry_ingest_health_rows_lost_total",
			Help: "Source health rows dropped because the store did not take them for long. A rise means the store is down.",
		}),
	}
	reg.MustRegister(m.publishing, m.healthLost)
	return m
}

// sourceMetrics are the metrics of one source, looked up once.
type sourceMetrics struct {
	received, unmatched, matched, published prometheus.Counter
	restarts, stalls, gaps                  prometheus.Counter
	lostLetters, cursorFailures             prometheus.Counter
	lastEvent, cursorSaved, inFlight        prometheus.Gauge
	publishing                              prometheus.Observer
	changed                                 [changes]prometheus.Counter
	refused                                 map[string]prometheus.Counter
	states                                  map[post.SourceState]prometheus.Gauge
}

// source creates every label value of a source at zero.
func (m *Metrics) source(name string) *sourceMetrics {
	s := &sourceMetrics{
		received: m.received.WithLabelValues(name), unmatched: m.unmatched.WithLabelValues(name),
		matched: m.matched.WithLabelValues(name), published: m.published.WithLabelValues(name),
		restarts: m.restarts.WithLabelValues(name), stalls: m.stalls.WithLabelValues(name),
		gaps: m.gaps.WithLabelValues(name), lostLetters: m.lostLetters.WithLabelValues(name),
		cursorFailures: m.cursorFailures.WithLabelValues(name), lastEvent: m.lastEvent.WithLabelValues(name),
		cursorSaved: m.cursorSaved.WithLabelValues(name), inFlight: m.inFlight.WithLabelValues(name),
		publishing: m.publishing.WithLabelValues(name),
		refused:    map[string]prometheus.Counter{}, states: map[post.SourceState]prometheus.Gauge{},
	}
	for i, label := range changeNames {
		s.changed[i] = m.changed.WithLabelValues(name, label)
	}
	for _, reason := range append(reasons, reasonOther) {
		s.refused[reason] = m.refused.WithLabelValues(name, reason)
	}
	for _, state := range []post.SourceState{
		post.SourceRunning, post.SourceBackoff, post.SourceStalled, post.SourceGap, post.SourceFinished, post.SourceFailed,
	} {
		s.states[state] = m.state.WithLabelValues(name, string(state))
	}
	return s
}

// refuse counts a dead letter; a reason that is not among ours, which a source
// might take from outside, must not make new labels.
func (s *sourceMetrics) refuse(reason string) {
	c, ok := s.refused[reason]
	if !ok {
		c = s.refused[reasonOther]
	}
	c.Inc()
}

// setState marks the state the source is in.
func (s *sourceMetrics) setState(state post.SourceState) {
	for name, g := range s.states {
		if name == state {
			g.Set(1)
		} else {
			g.Set(0)
		}
	}
}

// sawEvents notes that a source gave events.
func (s *sourceMetrics) sawEvents(n int, at time.Time) {
	s.received.Add(float64(n))
	s.lastEvent.Set(float64(at.UnixMilli()) / 1e3)
}
