package bus

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what passes through the bus. A nil *Metrics counts nothing.
type Metrics struct {
	published      *prometheus.CounterVec
	publishErrors  *prometheus.CounterVec
	resent         *prometheus.CounterVec
	produceSeconds *prometheus.HistogramVec

	consumed     *prometheus.CounterVec
	handleErrors *prometheus.CounterVec
	commitErrors *prometheus.CounterVec
	fetchErrors  *prometheus.CounterVec
	generations  *prometheus.CounterVec
	lost         *prometheus.CounterVec
	gaps         *prometheus.CounterVec
	gapMessages  *prometheus.CounterVec
	assigned     *prometheus.GaugeVec
	lag          *prometheus.GaugeVec
	owner        *prometheus.GaugeVec
}

// NewMetrics registers the metrics of the bus.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcry_bus_" + name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "outcry_bus_" + name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	m := &Metrics{
		published: counter("published_total",
			"Messages that all replicas acknowledged. Compare with what the publisher counted as sent.", "topic"),
		publishErrors: counter("publish_errors_total",
			"Attempts to publish that failed, in whole or in part, and were repeated. A rise means that Kafka is down, full or slow.", "topic"),
		resent: counter("resent_total",
			"Messages sent again after a failed attempt. Some may arrive twice; counting is by distinct key.", "topic"),
		produceSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "outcry_bus_produce_seconds",
			Help:    "Duration of one produce request until all replicas acknowledged. A rise means that Kafka is slow.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"topic"}),
		consumed: counter("consumed_total",
			"Messages handled and committed. Compare with outcry_bus_published_total: a lasting difference is the lag.", "group", "topic"),
		handleErrors: counter("handle_errors_total",
			"Batches whose handling failed and was repeated in place. A rise means that what the group writes to is down; nothing is skipped.", "group", "topic"),
		commitErrors: counter("commit_errors_total",
			"Commits that failed after a batch was handled. A rise means rebalances or a slow coordinator; the batch is delivered again.", "group", "topic"),
		fetchErrors: counter("fetch_errors_total",
			"Failed fetches, repeated. A rise means that a broker is down or out of reach.", "group", "topic"),
		generations: counter("generations_total",
			"Times this member was given partitions. A steady rise means that members come and go or fail to keep their session.", "group", "topic"),
		lost: counter("ownership_lost_total",
			"Batches that were handled but whose partition had gone to another member by then; they are delivered again there. A rise means handling slower than the session time-out.", "group", "topic"),
		gaps: counter("offset_gaps_total",
			"Gaps in what could be read. expired: retention dropped messages before they were read, messages are lost, consume faster or keep longer. truncated: the log ends before the committed offset (restored volume, power loss); it is read again from its start. skipped: offsets jumped while reading.", "group", "topic", "reason"),
		gapMessages: counter("offset_gap_messages_total",
			"Offsets inside those gaps.", "group", "topic", "reason"),
		assigned: gauge("assigned_partitions",
			"Partitions that this member reads now. 0 on every member means that nobody reads the topic.", "group", "topic"),
		lag: gauge("lag_messages",
			"Messages published but not yet committed by the group, all partitions, as last asked for. A rise means that the group is too slow.", "group", "topic"),
		owner: gauge("owner",
			"1 while this process owns the group's one task, else 0. The sum over processes must be 1.", "group", "topic"),
	}
	reg.MustRegister(m.produceSeconds)
	return m
}

// topicMetrics are those of one producer; the zero value of each is made at once.
type topicMetrics struct {
	published, errors, resent prometheus.Counter
	produceSeconds            prometheus.Observer
}

func (m *Metrics) topic(topic string) topicMetrics {
	if m == nil {
		m = NewMetrics(prometheus.NewRegistry())
	}
	return topicMetrics{
		published:      m.published.WithLabelValues(topic),
		errors:         m.publishErrors.WithLabelValues(topic),
		resent:         m.resent.WithLabelValues(topic),
		produceSeconds: m.produceSeconds.WithLabelValues(topic),
	}
}

// The reasons of a gap.
const (
	gapExpired   = "expired"
	gapTruncated = "truncated"
	gapSkipped   = "skipped"
)

// groupMetrics are those of one group on one topic.
type groupMetrics struct {
	consumed, handleErrors, commitErrors, fetchErrors, generations, lost prometheus.Counter
	gaps, gapMessages                                                    map[string]prometheus.Counter
	assigned, lag, owner                                                 prometheus.Gauge
}

func (m *Metrics) group(group, topic string) groupMetrics {
	if m == nil {
		m = NewMetrics(prometheus.NewRegistry())
	}
	g := groupMetrics{
		consumed:     m.consumed.WithLabelValues(group, topic),
		handleErrors: m.handleErrors.WithLabelValues(group, topic),
		commitErrors: m.commitErrors.WithLabelValues(group, topic),
		fetchErrors:  m.fetchErrors.WithLabelValues(group, topic),
		generations:  m.generations.WithLabelValues(group, topic),
		lost:         m.lost.WithLabelValues(group, topic),
		gaps:         map[string]prometheus.Counter{},
		gapMessages:  map[string]prometheus.Counter{},
		assigned:     m.assigned.WithLabelValues(group, topic),
		lag:          m.lag.WithLabelValues(group, topic),
		owner:        m.owner.WithLabelValues(group, topic),
	}
	for _, reason := range []string{gapExpired, gapTruncated, gapSkipped} {
		g.gaps[reason] = m.gaps.WithLabelValues(group, topic, reason)
		g.gapMessages[reason] = m.gapMessages.WithLabelValues(group, topic, reason)
	}
	return g
}
