package obs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"outcry/internal/config"
)

func TestLoggerFormats(t *testing.T) {
	for format, wantJSON := range map[string]bool{"auto": true, "json": true, "text": false} {
		var out bytes.Buffer
		log := Logger(&out, slog.LevelInfo, format)
		log.Debug("hidden")
		log.Info("stored", "rows", 3, "hostile", "a\nlevel=ERROR \x1b[31m")
		if lines := strings.Count(out.String(), "\n"); lines != 1 {
			t.Errorf("%s: %d lines, want 1: %q", format, lines, &out)
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s: an escape sequence passed: %q", format, &out)
		}
		if got := json.Valid(out.Bytes()); got != wantJSON {
			t.Errorf("%s: JSON is %v: %s", format, got, &out)
		}
	}
}

func TestLogConfig(t *testing.T) {
	cfg := DefaultLogConfig()
	if err := config.LoadBytes("x", []byte("level: debug\nformat: text"), &cfg, config.Options{}); err != nil || cfg.Level != slog.LevelDebug {
		t.Errorf("got %v, %v", cfg, err)
	}
	if err := config.LoadBytes("x", []byte("level: loud\nformat: xml"), &cfg, config.Options{}); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got %v, want two faults", err)
	}
}

func TestRegistryNamesTheBuild(t *testing.T) {
	families, err := NewRegistry("v1.2.3").Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, f := range families {
		found[f.GetName()] = f.String()
	}
	if !strings.Contains(found["outcry_build_info"], "v1.2.3") || found["go_goroutines"] == "" {
		t.Errorf("got %v", found)
	}
}

func TestHealth(t *testing.T) {
	var h Health
	var kafka error
	h.Register("kafka", func(context.Context) error { return kafka })
	h.Register("clickhouse", func(context.Context) error { return nil })

	ready := func() (int, string) {
		w := httptest.NewRecorder()
		h.ReadyHandler().ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code, w.Body.String()
	}
	if code, body := ready(); code != 200 || !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("all well: %d %s", code, body)
	}
	kafka = errors.New("no broker" + strings.Repeat("!", 2*maxErrorText))
	code, body := ready()
	if code != 503 || !strings.Contains(body, "no broker") || len(body) > maxErrorText+300 {
		t.Errorf("no broker: %d %s", code, body)
	}
	if strings.Index(body, "clickhouse") > strings.Index(body, "kafka") {
		t.Errorf("checks are not in order: %s", body)
	}
	w := httptest.NewRecorder()
	h.LiveHandler().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	if w.Code != 200 {
		t.Errorf("a dependency that is down must not kill the process: %d", w.Code)
	}
}

// TestCheckThatHangs: the answer comes in time, and polling does not pile up
// runs of a check that never ends.
func TestCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Health
		var runs atomic.Int32
		release := make(chan struct{})
		h.Register("stuck", func(context.Context) error { runs.Add(1); <-release; return nil })
		h.Register("fine", func(context.Context) error { return nil })
		for range 10 {
			got := h.Check(t.Context())
			if !got[0].OK || got[1].OK || got[1].Seconds > 3 {
				t.Errorf("got %+v", got)
			}
		}
		if runs.Load() != 1 {
			t.Errorf("the stuck check was started %d times", runs.Load())
		}
		close(release)
	})
}

// TestCheckIsGivenADeadline: a check that minds its context fails with it.
func TestCheckIsGivenADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h Health
		h.Register("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if got := h.Check(t.Context()); got[0].OK || !strings.Contains(got[0].Error, "deadline") {
			t.Errorf("got %+v", got)
		}
	})
}
