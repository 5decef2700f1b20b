package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestConfigRefusesForeignAddresses(t *testing.T) {
	for listen, ok := range map[string]bool{
		"127.0.0.1:8080": true, "127.0.0.2:0": true, "localhost:80": true, "[::1]:9": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:1": false, "192.168.1.5:80": false,
		"example.org:80": false, "127.0.0.1": false, "127.0.0.1:http": false, "127.0.0.1:70000": false, "": false,
	} {
		cfg := DefaultConfig()
		cfg.Listen = listen
		faults := cfg.Validate()
		if (len(faults) == 0) != ok {
			t.Errorf("listen %q: faults %v", listen, faults)
		}
		if !ok && (len(faults) != 1 || faults[0].Key != "listen") {
			t.Errorf("listen %q: the fault does not name its key: %v", listen, faults)
		}
		if _, err := New(cfg, Deps{Store: &fakeStore{}, Log: quietLog()}); (err == nil) != ok {
			t.Errorf("listen %q: New says %v", listen, err)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	faults := Config{Listen: "0.0.0.0:1"}.Validate()
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	if got, want := strings.Join(keys, " "), "listen max_viewers poll_interval summary_interval source_stale"; got != want {
		t.Errorf("faults of %q, want %q", got, want)
	}
}

// A listener that turns out not to be of this machine is refused, whatever the
// configured name promised.
func TestServeRefusesForeignListener(t *testing.T) {
	ln := &foreignListener{}
	s := newTestServer(t, &fakeStore{}, nil)
	if err := s.serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "web.listen") {
		t.Errorf("serve on a foreign address says %v", err)
	}
	if !ln.closed {
		t.Error("the foreign listener stays open")
	}
}

type foreignListener struct{ closed bool }

func (l *foreignListener) Accept() (net.Conn, error) { return nil, errors.New("accept was called") }
func (l *foreignListener) Close() error              { l.closed = true; return nil }
func (l *foreignListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}
}

func TestForeignHostsAreRefused(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, nil)
	for host, ok := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:8080": true, "[::1]:8080": true, "localhost": true, "[::1]": true, "127.0.0.1": true,
		"evil.example": false, "evil.example:8080": false, "localhost.evil.example:8080": false, "127.0.0.1.evil.example": false,
		"192.168.1.5:8080": false, "": false, "0.0.0.0:8080": false,
	} {
		for _, path := range []string{"/", "/api/v1/agencies", "/api/v1/stream", "/metrics"} {
			r := httptest.NewRequest(http.MethodHead, path, nil)
			r.Host = host
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if want := map[bool]int{true: http.StatusOK, false: http.StatusMisdirectedRequest}[ok]; w.Code != want {
				t.Errorf("Host %q, %s: %d, want %d", host, path, w.Code, want)
			}
		}
	}
	if metrics := get(t, s, "/metrics").Body.String(); !strings.Contains(metrics, "outcry_web_refused_hosts_total 28") {
		t.Error("refused hosts are not counted")
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, nil)
	for _, path := range []string{"/", "/?agency=nobody", "/nowhere", "/api/v1/alerts", "/api/v1/alerts?x=1", s.pages.assets + "/board.css"} {
		h := get(t, s, path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s lets other origins read", path)
		}
	}
	for _, never := range []string{"unsafe-inline", "unsafe-eval", "*", "data:", "http"} {
		if strings.Contains(contentPolicy, never) {
			t.Errorf("the policy allows %q", never)
		}
	}
}

func TestNothingCanBeChanged(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, nil)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		r := httptest.NewRequest(method, "/api/v1/alerts", nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, nil)
	h := s.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") }))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = "localhost"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "broken") {
		t.Errorf("a panic is answered with %d %q", w.Code, w.Body)
	}
}

func TestHealthAndMetricsAreServed(t *testing.T) {
	s := newTestServer(t, &fakeStore{}, func(_ *Config, d *Deps) {
		d.Live = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
		d.Ready = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200} {
		if got := get(t, s, path).Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	body := get(t, s, "/metrics").Body.String()
	for _, want := range []string{`outcry_web_viewers_cut_total{reason="slow"} 0`, `outcry_web_read_failures_total{read="alerts"} 0`, `outcry_web_requests_total{code="5xx",route="/readyz"} 1`} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// The board starts, is visited, and stops with viewers watching, leaving nothing behind.
func TestRunStopsCleanly(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := newTestServer(t, &fakeStore{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	viewer, err := client.Get(s.URL() + "api/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer viewer.Body.Close()
	if got := viewer.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/event-stream") {
		t.Errorf("the stream is of type %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run ends with %v", err)
	}
	if _, err := s.hub.join(filter{}, cursor{}, noon); !errors.Is(err, errClosed) {
		t.Errorf("a stopped board takes viewers: %v", err)
	}
}
