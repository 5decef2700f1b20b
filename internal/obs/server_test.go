package obs

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"outcry/internal/config"
)

func TestServer(t *testing.T) {
	defer goleak.VerifyNone(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	s := NewServer(ServerConfig{}, ServerDeps{Log: slog.New(slog.DiscardHandler), Metrics: NewRegistry("v9"), Health: &Health{}})
	go func() { done <- s.serve(ctx, listener) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for path, want := range map[string]string{
		"/metrics": `version="v9"`,
		"/healthz": "alive",
		"/readyz":  "ready",
		"/":        "404",
		"/debug":   "404",
	} {
		resp, err := client.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s, %v; want %q", path, resp.StatusCode, body, err, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestServerWithoutAddress(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := NewServer(ServerConfig{}, ServerDeps{Log: slog.New(slog.DiscardHandler), Health: &Health{}})
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestServerConfig(t *testing.T) {
	for listen, ok := range map[string]bool{"": true, "127.0.0.1:9464": true, ":9464": true, "9464": false, "localhost": false} {
		if faults := (ServerConfig{Listen: listen}).Validate(); (len(faults) == 0) != ok {
			t.Errorf("%q: %v", listen, faults)
		}
	}
	var c ServerConfig
	if err := config.LoadBytes("x", []byte("listen: nowhere"), &c, config.Options{}); err == nil {
		t.Error("an address without a port was accepted")
	}
}
