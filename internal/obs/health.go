package obs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// checkTimeout bounds one check; probes commonly give up after some seconds.
const checkTimeout = 2 * time.Second

// maxErrorText bounds what a failing check may put into the answer, in bytes.
const maxErrorText = 500

// Health answers two questions. Alive: the process serves requests; an
// orchestrator restarts it otherwise. Ready: every registered check passes; a
// load balancer or a waiting script goes on. A dependency that is down makes
// the process unready, never dead: a restart would not mend it.
//
// The zero value is ready to use and safe for concurrent use.
type Health struct {
	mu     sync.Mutex
	checks map[string]func(context.Context) error
	flight singleflight.Group
}

// Register adds a check, or replaces the one of the same name. A check returns
// nil when what it looks at is usable; its context ends after two seconds.
func (h *Health) Register(name string, check func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]func(context.Context) error{}
	}
	h.checks[name] = check
}

// CheckResult is what one check said.
type CheckResult struct {
	Name    string  `json:"name"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}

// Check runs all checks at once and gives their results by name, within about
// two seconds even if a check ignores its context: such a check is not started
// again while it runs.
func (h *Health) Check(ctx context.Context) []CheckResult {
	h.mu.Lock()
	results := make([]CheckResult, 0, len(h.checks))
	channels := make([]<-chan singleflight.Result, 0, len(h.checks))
	for name, check := range h.checks {
		results = append(results, CheckResult{Name: name})
		channels = append(channels, h.flight.DoChan(name, func() (any, error) { return nil, run(check) }))
	}
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, checkTimeout+checkTimeout/4)
	defer cancel()
	start := time.Now()
	for i := range results {
		err := await(ctx, channels[i])
		results[i].OK = err == nil
		results[i].Seconds = time.Since(start).Seconds()
		if err != nil {
			text := err.Error()
			results[i].Error = text[:min(len(text), maxErrorText)]
		}
	}
	slices.SortFunc(results, func(a, b CheckResult) int { return cmp.Compare(a.Name, b.Name) })
	return results
}

// await prefers an answer that is there to the end of ctx: a check must not
// fail because another one took all the time.
func await(ctx context.Context, answer <-chan singleflight.Result) error {
	select {
	case r := <-answer:
		return r.Err
	case <-ctx.Done():
	}
	select {
	case r := <-answer:
		return r.Err
	default:
		return fmt.Errorf("no answer: %w", ctx.Err())
	}
}

// run gives a check its own time: the caller who came first may leave early
// while others wait for the same answer.
func run(check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	return check(ctx)
}

// LiveHandler answers 200 as long as the process answers at all.
func (h *Health) LiveHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, report{Status: "alive"})
	})
}

// ReadyHandler answers 200 when every check passes and 503 otherwise, with the
// result of each check as JSON.
func (h *Health) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := report{Status: "ready", Checks: h.Check(r.Context())}
		status := http.StatusOK
		if slices.ContainsFunc(out.Checks, func(c CheckResult) bool { return !c.OK }) {
			out.Status, status = "not ready", http.StatusServiceUnavailable
		}
		answer(w, status, out)
	})
}

type report struct {
	Status string        `json:"status"`
	Checks []CheckResult `json:"checks,omitempty"`
}

func answer(w http.ResponseWriter, status int, body report) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A client that is gone is no concern of a health check.
	_ = json.NewEncoder(w).Encode(body)
}
