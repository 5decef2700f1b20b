package embedded

import "github.com/prometheus/client_golang/prometheus"

// Metrics tells how the embedded broker fares.
type Metrics struct {
	refusedFrames prometheus.Counter
	warnings      prometheus.Counter
	repaired      prometheus.Counter
	ghosts        prometheus.Counter
	logBytes      prometheus.Gauge
	capBytes      prometheus.Gauge
	freeBytes     prometheus.Gauge
	refusing      prometheus.Gauge
	backlogged    prometheus.Gauge
}

// NewMetrics registers the metrics of the embedded broker.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "outcry_broker_" + name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "outcry_broker_" + name, Help: help})
		reg.MustRegister(g)
		return g
	}
	return &Metrics{
		refusedFrames: counter("refused_frames_total",
			"Requests that were no Kafka requests or too large. A rise means that something else talks to the broker's socket."),
		warnings: counter("warnings_total",
			"Warnings and errors of the broker, which are in the log. A rise means a failing disk or damaged data."),
		repaired: counter("repaired_offsets_total",
			"Committed offsets that lay beyond the end of their log at start and were set back. A rise means that the log was cut: damage, or all of it expired."),
		ghosts: counter("dropped_members_total",
			"Members of consumer groups that died while they joined and were dropped. Each had held up its partitions until then."),
		logBytes: gauge("log_bytes",
			"Bytes that the broker's files hold. Near outcry_broker_log_bytes_max the oldest messages go before their time."),
		capBytes: gauge("log_bytes_max",
			"The cap on the bytes that the broker's files may hold."),
		freeBytes: gauge("disk_free_bytes",
			"Bytes free on the disk of the data directory."),
		backlogged: gauge("backlogged_topics",
			"Topics to which publishing waits because their readers are far behind. Lasting means that the readers are down or too slow."),
		refusing: gauge("refusing_writes",
			"1 while publishing is refused because the disk is nearly full, else 0. Sources wait meanwhile."),
	}
}

func discardMetrics() *Metrics { return NewMetrics(prometheus.NewRegistry()) }
