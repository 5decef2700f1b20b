package analyze

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/post"
)

// Metrics counts what happens to posts. A nil *Metrics counts nothing.
type Metrics struct {
	messages   prometheus.Counter
	mentions   prometheus.Counter
	deletes    prometheus.Counter
	letters    *prometheus.CounterVec
	failures   *prometheus.CounterVec
	batches    prometheus.Counter
	understand prometheus.Histogram
	latency    prometheus.Histogram
}

// What a batch stores: labels of the failure counter, words of the log.
const (
	whatLetters  = "dead_letters"
	whatMentions = "mentions"
	whatDeletes  = "deletes"
)

// NewMetrics registers the metrics of this package.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		messages: prometheus.NewCounter(prometheus.CounterOpts{Name: "outcry_analyze_messages_total",
			Help: "Messages taken from the bus, redelivered ones included. Should equal mentions + deletes + dead letters once a batch is done."}),
		mentions: prometheus.NewCounter(prometheus.CounterOpts{Name: "outcry_analyze_stored_posts_total",
			Help: "Posts and edits understood and acknowledged by the store. Standing still while messages wait: the store is down or slow."}),
		deletes: prometheus.NewCounter(prometheus.CounterOpts{Name: "outcry_analyze_stored_deletes_total",
			Help: "Deletes acknowledged by the store."}),
		letters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcry_analyze_dead_letters_total",
			Help: "Messages that could not be used, kept on the dead-letter topic. A rise means a broken or newer producer; panic means a bug of ours."}, []string{"reason"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcry_analyze_store_failures_total",
			Help: "Failed attempts to store a batch. Each is retried and nothing is lost, but a steady rise means that posts are waiting."}, []string{"what"}),
		batches: prometheus.NewCounter(prometheus.CounterOpts{Name: "outcry_analyze_batches_total",
			Help: "Batches understood. Many small ones mean little traffic, few large ones a backlog."}),
		understand: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "outcry_analyze_batch_seconds",
			Help:    "Time to decode and understand a batch, without storing it. A rise means that processors are short.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "outcry_analyze_arrived_to_stored_seconds",
			Help:    "Time from a post's arrival at ingest to the store's acknowledgement. A rise means that people learn of failures later.",
			Buckets: []float64{0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800}}),
	}
	reg.MustRegister(m.messages, m.mentions, m.deletes, m.letters, m.failures, m.batches, m.understand, m.latency)
	for _, r := range reasons() {
		m.letters.WithLabelValues(r)
	}
	for _, what := range []string{whatLetters, whatMentions, whatDeletes} {
		m.failures.WithLabelValues(what)
	}
	return m
}

func (m *Metrics) understood(messages int, took time.Duration) {
	if m == nil {
		return
	}
	m.messages.Add(float64(messages))
	m.batches.Inc()
	m.understand.Observe(took.Seconds())
}

func (m *Metrics) deadLettered(letters []post.DeadLetter) {
	if m == nil {
		return
	}
	for i := range letters {
		m.letters.WithLabelValues(letters[i].Reason).Inc()
	}
}

func (m *Metrics) storedMentions(mentions []post.Mention, now time.Time) {
	if m == nil {
		return
	}
	m.mentions.Add(float64(len(mentions)))
	for i := range mentions {
		m.latency.Observe(now.Sub(mentions[i].Arrived).Seconds())
	}
}

func (m *Metrics) storedDeletes(n int) {
	if m == nil {
		return
	}
	m.deletes.Add(float64(n))
}

func (m *Metrics) storeFailed(what string) {
	if m == nil {
		return
	}
	m.failures.WithLabelValues(what).Inc()
}
