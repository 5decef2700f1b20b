package embedded

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the embedded engine. A nil *Metrics measures nothing.
type Metrics struct {
	pid      atomic.Int64 // of the child, 0 while there is none
	restarts prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{restarts: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "outcry_engine_restarts_total",
		Help: "Times the embedded ClickHouse engine's process died and was started again. A rise means crashes or too little memory: see the log for its last words.",
	})}
	reg.MustRegister(m.restarts,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "outcry_engine_up",
			Help: "1 while the embedded ClickHouse engine answers, else 0. While it is 0 nothing is stored, and nothing is lost.",
		}, func() float64 {
			if m.pid.Load() == 0 {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "outcry_engine_resident_memory_bytes",
			Help: "Memory of the embedded ClickHouse engine's process. Near the configured limit queries and inserts begin to fail.",
		}, func() float64 { return residentBytes(m.pid.Load()) }),
	)
	return m
}

func (m *Metrics) restarted() {
	if m != nil {
		m.restarts.Inc()
	}
}

func (m *Metrics) up(pid int) {
	if m != nil {
		m.pid.Store(int64(pid))
	}
}

func (m *Metrics) down() {
	if m != nil {
		m.pid.Store(0)
	}
}

// residentBytes is the memory of a process, 0 where it cannot be told.
func residentBytes(pid int64) float64 {
	if pid == 0 {
		return 0
	}
	b, err := os.ReadFile("/proc/" + strconv.FormatInt(pid, 10) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0
	}
	return pages * float64(os.Getpagesize())
}
