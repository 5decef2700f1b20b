package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"outcry/alert/notify"
	"outcry/analyze"
	"outcry/ingest"
	"outcry/post"
)

// hop counts what passes one place of the pipeline, of the load alone.
type hop struct {
	mu          sync.Mutex
	n           int64
	first, last time.Time
	busy        time.Duration // spent in the hop itself, where that is measured
}

func (h *hop) pass(n int, took time.Duration) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == 0 {
		h.first = now.Add(-took)
	}
	h.n += int64(n)
	h.last = now
	h.busy += took
}

func (h *hop) posts() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n
}

// rate is posts a second between the first and the last.
func (h *hop) rate() float64 {
	if s := h.last.Sub(h.first).Seconds(); s > 0 {
		return float64(h.n) / s
	}
	return 0
}

// meter watches the pipeline from its seams.
type meter struct {
	read, published, taken, stored hop
	distinct                       uint64
	memory                         *memoryWatch

	mu       sync.Mutex
	latency  []time.Duration // post to stored
	certains map[string]time.Time
	notified []time.Duration

	began    time.Time
	usage    time.Duration // CPU of this process when the load began
	children time.Duration // CPU of the engine then
}

func newMeter() *meter { return &meter{certains: map[string]time.Time{}, memory: watchMemory()} }

// begin marks the start of the load.
func (m *meter) begin() {
	m.began = time.Now()
	m.usage, m.children = ownCPU(), m.memory.childCPU()
}

// source counts what a source gives.
func (m *meter) source(s ingest.Source) ingest.Source { return &countedSource{s, m} }

type countedSource struct {
	ingest.Source
	m *meter
}

func (s *countedSource) Read(ctx context.Context) (ingest.Batch, error) {
	b, err := s.Source.Read(ctx)
	if n := len(b.Events); n > 0 {
		s.m.read.pass(n, 0)
	}
	return b, err
}

// publish counts what Kafka acknowledged.
func (m *meter) publish(next func(context.Context, []post.Post) error) func(context.Context, []post.Post) error {
	return func(ctx context.Context, posts []post.Post) error {
		began := time.Now()
		err := next(ctx, posts)
		if err == nil && posts[0].Source == benchSource {
			m.published.pass(len(posts), time.Since(began))
		}
		return err
	}
}

// consume counts what analyze was given.
func (m *meter) consume(next func(context.Context, analyze.Handler) error) func(context.Context, analyze.Handler) error {
	return func(ctx context.Context, handle analyze.Handler) error {
		return next(ctx, func(ctx context.Context, batch []analyze.Message) error {
			began := time.Now()
			err := handle(ctx, batch)
			if err == nil && !m.began.IsZero() {
				m.taken.pass(len(batch), time.Since(began))
			}
			return err
		})
	}
}

// sink measures how long after its arrival a post is stored.
func (m *meter) sink(next analyze.Sink) analyze.Sink { return &timedSink{next, m} }

type timedSink struct {
	analyze.Sink
	m *meter
}

func (s *timedSink) InsertMentions(ctx context.Context, mentions []post.Mention) error {
	began := time.Now()
	err := s.Sink.InsertMentions(ctx, mentions)
	if err != nil {
		return err
	}
	now := time.Now()
	n := 0
	s.m.mu.Lock()
	for i := range mentions {
		if mentions[i].Source == benchSource {
			s.m.latency = append(s.m.latency, now.Sub(mentions[i].Arrived))
			n++
		}
	}
	s.m.mu.Unlock()
	if n > 0 {
		s.m.stored.pass(n, now.Sub(began))
	}
	return nil
}

// certain notes when the post came that makes an agency's burst certain.
func (m *meter) certain(agency string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.certains[agency] = at
}

// receivers gives the one receiver of the bench.
func (m *meter) receivers() []notify.Receiver {
	return []notify.Receiver{{Name: "bench", Notifier: benchNotifier{m}}}
}

type benchNotifier struct{ m *meter }

func (n benchNotifier) Notify(_ context.Context, c post.AlertChange) error {
	n.m.mu.Lock()
	defer n.m.mu.Unlock()
	if at, ok := n.m.certains[c.Series.Agency]; ok && c.State == post.Firing {
		n.m.notified = append(n.m.notified, time.Since(at))
		delete(n.m.certains, c.Series.Agency)
	}
	return nil
}

// benchReport is what the bench prints.
type benchReport struct {
	Counts struct {
		Read      int64  `json:"read"`
		Published int64  `json:"published"`
		Stored    int64  `json:"stored"`   // acknowledged by ClickHouse, repeats included
		Distinct  uint64 `json:"distinct"` // in ClickHouse afterwards
	} `json:"counts"`
	PostsPerSecond struct {
		Read      float64 `json:"read"`
		Published float64 `json:"published"`
		Stored    float64 `json:"stored"`
	} `json:"posts_per_second"`
	PostToStored   percentiles `json:"post_to_stored_seconds"`
	PostToNotified percentiles `json:"post_to_notified_seconds"`
	Missed         int         `json:"bursts_not_notified"`
	Seconds        float64     `json:"seconds"`
	CPU            struct {
		Outcry float64 `json:"outcry"` // cores, Kafka included
		Engine float64 `json:"clickhouse"`
		Cores  int     `json:"cores"`
	} `json:"cpu"`
	PeakMemoryMB struct {
		Outcry int64 `json:"outcry"`
		Engine int64 `json:"clickhouse"`
		Sum    int64 `json:"sum"`
	} `json:"peak_memory_mb"`
	Limit string `json:"limit"`
}

type percentiles struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func percentilesOf(d []time.Duration) percentiles {
	if len(d) == 0 {
		return percentiles{}
	}
	slices.Sort(d)
	at := func(q float64) float64 { return d[min(len(d)-1, int(q*float64(len(d))))].Seconds() }
	return percentiles{N: len(d), P50: at(0.5), P95: at(0.95), P99: at(0.99), Max: d[len(d)-1].Seconds()}
}

// report sums up. It is called when everything has stopped.
func (m *meter) report(cfg benchConfig, mem memoryPeak) benchReport {
	var r benchReport
	r.Counts.Read, r.Counts.Published, r.Counts.Stored, r.Counts.Distinct = m.read.n, m.published.n, m.stored.n, m.distinct
	r.PostsPerSecond.Read, r.PostsPerSecond.Published, r.PostsPerSecond.Stored = m.read.rate(), m.published.rate(), m.stored.rate()
	r.PostToStored, r.PostToNotified = percentilesOf(m.latency), percentilesOf(m.notified)
	r.Missed = len(m.certains)
	wall := m.stored.last.Sub(m.began)
	r.Seconds = wall.Seconds()
	r.CPU.Cores = runtime.NumCPU()
	r.CPU.Outcry = float64(mem.ownCPU-m.usage) / float64(wall)
	r.CPU.Engine = float64(mem.childCPU-m.children) / float64(wall)
	r.PeakMemoryMB.Outcry, r.PeakMemoryMB.Engine = mem.own>>20, mem.child>>20
	r.PeakMemoryMB.Sum = mem.sum >> 20
	r.Limit = m.limit(cfg, r)
	return r
}

// limit says what holds the pipeline back.
func (m *meter) limit(cfg benchConfig, r benchReport) string {
	used := r.CPU.Outcry + r.CPU.Engine
	wall := r.Seconds
	storing := m.stored.busy.Seconds() / wall
	switch {
	case cfg.Rate > 0 && r.PostsPerSecond.Stored > 0.97*cfg.Rate:
		return fmt.Sprintf("the rate that was asked for; %.1f of %d cores are busy", used, r.CPU.Cores)
	case used > 0.85*float64(r.CPU.Cores):
		return fmt.Sprintf("the processors: %.1f of %d cores are busy, %.1f of them in ClickHouse", used, r.CPU.Cores, r.CPU.Engine)
	case storing > 0.8:
		return fmt.Sprintf("ClickHouse: analyze waits for it %.0f %% of the time, while %.1f of %d cores are busy", 100*storing, used, r.CPU.Cores)
	default:
		return fmt.Sprintf("waiting between the hops: %.1f of %d cores are busy, ClickHouse is waited for %.0f %% of the time", used, r.CPU.Cores, 100*storing)
	}
}

func (r benchReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "hop\tposts\tposts/s\n")
	fmt.Fprintf(w, "read\t%d\t%.0f\n", r.Counts.Read, r.PostsPerSecond.Read)
	fmt.Fprintf(w, "published to Kafka\t%d\t%.0f\n", r.Counts.Published, r.PostsPerSecond.Published)
	fmt.Fprintf(w, "stored in ClickHouse\t%d\t%.0f\n", r.Counts.Stored, r.PostsPerSecond.Stored)
	fmt.Fprintf(w, "distinct in ClickHouse\t%d\t\n", r.Counts.Distinct)
	fmt.Fprintf(w, "lost\t%d\t\n\n", r.Counts.Read-int64(r.Counts.Distinct))
	fmt.Fprintf(w, "latency, seconds\tp50\tp95\tp99\tmax\tn\n")
	for _, l := range []struct {
		name string
		p    percentiles
	}{{"post to stored", r.PostToStored}, {"post to notified", r.PostToNotified}} {
		if l.p.N == 0 {
			fmt.Fprintf(w, "%s\tnone: no minute began during the load\n", l.name)
			continue
		}
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%.2f\t%d\n", l.name, l.p.P50, l.p.P95, l.p.P99, l.p.Max, l.p.N)
	}
	if r.Missed > 0 {
		fmt.Fprintf(w, "bursts not notified before the end\t%d\n", r.Missed)
	}
	fmt.Fprintf(w, "\nCPU, cores\toutcry and Kafka %.2f\tClickHouse %.2f\tof %d\n", r.CPU.Outcry, r.CPU.Engine, r.CPU.Cores)
	fmt.Fprintf(w, "peak memory, MB\toutcry and Kafka %d\tClickHouse %d\ttogether %d\n", r.PeakMemoryMB.Outcry, r.PeakMemoryMB.Engine, r.PeakMemoryMB.Sum)
	fmt.Fprintf(w, "limited by\t%s\n", r.Limit)
	return w.Flush()
}

// memoryPeak is what the processes used.
type memoryPeak struct {
	own, child, sum  int64 // bytes; sum is the peak of both together
	ownCPU, childCPU time.Duration
}

// memoryWatch samples the memory of this process and of its children.
type memoryWatch struct {
	quit chan struct{}
	done chan struct{}
	mu   sync.Mutex
	peak memoryPeak
}

func watchMemory() *memoryWatch {
	w := &memoryWatch{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		t := time.NewTicker(100 * time.Millisecond)
		defer t.Stop()
		for {
			w.sample()
			select {
			case <-w.quit:
				return
			case <-t.C:
			}
		}
	}()
	return w
}

func (w *memoryWatch) sample() {
	own, _ := procUsage(os.Getpid())
	var child int64
	var cpu time.Duration
	for _, pid := range childPIDs() {
		rss, used := procUsage(pid)
		child += rss
		cpu += used
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peak.own, w.peak.child, w.peak.sum = max(w.peak.own, own), max(w.peak.child, child), max(w.peak.sum, own+child)
	w.peak.childCPU, w.peak.ownCPU = max(w.peak.childCPU, cpu), ownCPU()
}

func (w *memoryWatch) childCPU() time.Duration {
	w.sample()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peak.childCPU
}

func (w *memoryWatch) stop() memoryPeak {
	w.sample()
	close(w.quit)
	<-w.done
	return w.peak
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// childPIDs lists the direct children of this process; none where /proc is not
// to be had.
func childPIDs() []int {
	var pids []int
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range tasks {
		b, _ := os.ReadFile(name)
		for field := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// procUsage gives the resident memory and the CPU time of a process from /proc.
func procUsage(pid int) (rss int64, cpu time.Duration) {
	const ticksPerSecond = 100 // of every Linux
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 22 {
		return 0, 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	return pages * int64(os.Getpagesize()), time.Duration(user+system) * time.Second / ticksPerSecond
}
