package alert

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"outcry/alert/notify"
	"outcry/post"
)

// Metrics of the evaluator. A nil *Metrics counts nothing.
type Metrics struct {
	owner         prometheus.Gauge
	evaluations   *prometheus.CounterVec
	seconds       prometheus.Histogram
	last          prometheus.Gauge
	loadSeconds   prometheus.Gauge
	rebuilds      prometheus.Counter
	series        prometheus.Gauge
	refused       prometheus.Counter
	alerts        *prometheus.GaugeVec
	transitions   *prometheus.CounterVec
	blind         prometheus.Gauge
	unpublished   prometheus.Gauge
	notifications *prometheus.CounterVec
	waiting       *prometheus.GaugeVec
}

// The statuses of a notification.
const (
	statusSent       = "sent"
	statusFailed     = "failed"
	statusSuppressed = "suppressed"
)

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// NewMetrics makes the metrics and registers them. Receivers are the names that
// notifications are counted for.
func NewMetrics(reg prometheus.Registerer, receivers []notify.Receiver) *Metrics {
	m := &Metrics{
		owner: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outcry_alert_owner",
			Help: "1 while this process evaluates the alerts. The sum over all processes is 1; 0 for longer than a minute means that nobody watches.",
		}),
		evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_alert_evaluations_total",
			Help: "Evaluations of all rules by result. failed changes no alert, but while it rises nobody would be told: the log says why.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "outcry_alert_evaluation_seconds",
			Help:    "Duration of one evaluation, mostly of its queries. Close to the interval means that alerts come late.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outcry_alert_last_evaluation_timestamp_seconds",
			Help: "When the last successful evaluation began. On the owner this stays within a few intervals of now.",
		}),
		loadSeconds: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outcry_alert_history_load_seconds",
			Help: "How long the last reading of the history took. For that long after a takeover nobody watches.",
		}),
		rebuilds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outcry_alert_rebuilds_total",
			Help: "How often the detectors were rebuilt because much of the past had changed. Rises with each back-fill; steadily rising means that posts arrive hours late.",
		}),
		series: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outcry_alert_series",
			Help: "Series watched.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "outcry_alert_series_refused_total",
			Help: "Points of series that are not watched because a breakdown reached max_series. Any rise means that some series raise no alert.",
		}),
		alerts: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "outcry_alert_alerts",
			Help: "Alerts by state.",
		}, []string{"state"}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_alert_changes_total",
			Help: "Changes written to the alert log, by the state entered. Many without an incident mean that a rule is too sensitive.",
		}, []string{"state"}),
		blind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outcry_alert_blind_sources",
			Help: "Sources that are silent, failing or behind. While it is above 0 no alert is resolved and nothing is learned.",
		}),
		unpublished: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "outcry_alert_unpublished_changes",
			Help: "Changes that were logged and could not be published to Kafka yet. People are told regardless.",
		}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "outcry_alert_notifications_total",
			Help: "Attempts to tell a receiver, by status. failed is tried again unless the receiver refused; suppressed counts decisions not to tell anybody, under the receiver *.",
		}, []string{"receiver", "status"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "outcry_alert_notifications_waiting",
			Help: "Changes that a receiver has not been told of yet. Above 0 for long means that it is down.",
		}, []string{"receiver"}),
	}
	for _, r := range []string{resultOK, resultFailed} {
		m.evaluations.WithLabelValues(r)
	}
	for _, s := range []post.AlertState{post.Pending, post.Firing} {
		m.alerts.WithLabelValues(string(s))
	}
	for _, s := range []post.AlertState{post.Inactive, post.Pending, post.Firing, post.Resolved} {
		m.transitions.WithLabelValues(string(s))
	}
	for _, r := range receivers {
		m.notifications.WithLabelValues(r.Name, statusSent)
		m.notifications.WithLabelValues(r.Name, statusFailed)
		m.waiting.WithLabelValues(r.Name)
	}
	m.notifications.WithLabelValues(everyReceiver, statusSuppressed)
	reg.MustRegister(m.owner, m.evaluations, m.seconds, m.last, m.loadSeconds, m.rebuilds, m.series, m.refused,
		m.alerts, m.transitions, m.blind, m.unpublished, m.notifications, m.waiting)
	return m
}

func (m *Metrics) own(yes bool) {
	if m == nil {
		return
	}
	m.owner.Set(0)
	if yes {
		m.owner.Set(1)
	}
}

// evaluated notes the end of an evaluation that began at start.
func (m *Metrics) evaluated(start, end time.Time, err error) {
	if m == nil {
		return
	}
	m.seconds.Observe(end.Sub(start).Seconds())
	if err != nil {
		m.evaluations.WithLabelValues(resultFailed).Inc()
		return
	}
	m.evaluations.WithLabelValues(resultOK).Inc()
	m.last.Set(float64(start.UnixMilli()) / 1000)
}

// loaded notes a reading of the history.
func (m *Metrics) loaded(d time.Duration, again bool) {
	if m == nil {
		return
	}
	m.loadSeconds.Set(d.Seconds())
	if again {
		m.rebuilds.Inc()
	}
}

// standing notes what is watched and how it stands.
func (m *Metrics) standing(series, refused, pending, firing, blind int) {
	if m == nil {
		return
	}
	m.series.Set(float64(series))
	m.refused.Add(float64(refused))
	m.alerts.WithLabelValues(string(post.Pending)).Set(float64(pending))
	m.alerts.WithLabelValues(string(post.Firing)).Set(float64(firing))
	m.blind.Set(float64(blind))
}

func (m *Metrics) changed(to post.AlertState) {
	if m != nil {
		m.transitions.WithLabelValues(string(to)).Inc()
	}
}

func (m *Metrics) left(unpublished int) {
	if m != nil {
		m.unpublished.Set(float64(unpublished))
	}
}

func (m *Metrics) notified(receiver, status string) {
	if m != nil {
		m.notifications.WithLabelValues(receiver, status).Inc()
	}
}

func (m *Metrics) queued(receiver string, n int) {
	if m != nil {
		m.waiting.WithLabelValues(receiver).Set(float64(n))
	}
}
