package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"outcry/ingest"
	"outcry/internal/config"
	"outcry/post"
)

var (
	oldSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("the old secret of the test"))
	newSecret = base64.StdEncoding.EncodeToString([]byte("the new secret of the test"))
)

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.Secret = config.NewSecret(newSecret + "\n" + oldSecret + "\n")
	return cfg
}

// hook is a webhook whose batches a test sees and acknowledges itself.
func hook(t *testing.T, cfg Config) (*Webhook, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	w, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(reg), Name: "hook"})
	if err != nil {
		t.Fatal(err)
	}
	return w, reg
}

// request makes a request signed with secret at a time.
func request(t *testing.T, secret, body string, at time.Time) *http.Request {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/posts", strings.NewReader(body))
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign("msg_1", at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("webhook-id", "msg_1")
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	return req
}

// send gives the answer to a request.
func send(w *Webhook, req *http.Request) (*httptest.ResponseRecorder, reply) {
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, req)
	var r reply
	_ = json.Unmarshal(rec.Body.Bytes(), &r)
	return rec, r
}

// serve acknowledges every batch with err and gives what it has seen.
func serve(ctx context.Context, w *Webhook, err error) <-chan ingest.Batch {
	seen := make(chan ingest.Batch, 100)
	go func() {
		for {
			b, readErr := w.Read(ctx)
			if readErr != nil {
				return
			}
			seen <- b
			b.Ack(err)
		}
	}()
	return seen
}

// TestAnswersAfterAcknowledgement keeps Kafka silent: no answer comes before it
// spoke.
func TestAnswersAfterAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := hook(t, testConfig())
		answered := make(chan int, 1)
		go func() {
			rec, _ := send(w, request(t, newSecret, `{"id":"1","text":"a"}`, time.Now()))
			answered <- rec.Code
		}()
		b, err := w.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if len(answered) > 0 {
			t.Fatal("answered before Kafka acknowledged")
		}
		b.Ack(nil)
		if code := <-answered; code != http.StatusOK {
			t.Fatalf("answered %d", code)
		}
	})
}

// TestUnavailable wants 503 with Retry-After when Kafka refuses, when it does not
// answer in time, and when nobody reads.
func TestUnavailable(t *testing.T) {
	for _, name := range []string{"refused", "no answer", "not read"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w, reg := hook(t, testConfig())
				switch name {
				case "refused":
					serve(ctx, w, errors.New("broker down"))
				case "no answer":
					go func() { _, _ = w.Read(ctx) }()
				}
				begun := time.Now()
				rec, r := send(w, request(t, newSecret, `{"id":"1","text":"a"}`, time.Now()))
				if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || r.Accepted != 0 {
					t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
				}
				if strings.Contains(rec.Body.String(), "broker") {
					t.Errorf("the answer tells of our inside: %s", rec.Body)
				}
				if took := time.Since(begun); took > testConfig().Timeout {
					t.Errorf("the answer took %v", took)
				}
				if n := count(t, reg, "503"); n != 1 {
					t.Errorf("counted %v", n)
				}
			})
		})
	}
}

func count(t *testing.T, reg *prometheus.Registry, code string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "code" && l.GetValue() == code {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no counter of %s", code)
	return 0
}

// TestSignatures tries what must pass and what must not; nothing unsigned
// reaches the reader.
func TestSignatures(t *testing.T) {
	const body = `{"id":"1","text":"a"}`
	// The vector of the Standard Webhooks specification's reference libraries.
	vector := httptest.NewRequest(http.MethodPost, "/posts", strings.NewReader(`{"test": 2432232314}`))
	vector.Header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	vector.Header.Set("webhook-timestamp", "1614265330")
	vector.Header.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	signer, err := standardwebhooks.NewWebhook("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.VerifyIgnoringTimestamp([]byte(`{"test": 2432232314}`), vector.Header); err != nil {
		t.Errorf("the vector does not verify: %v", err)
	}

	now := time.Now()
	cases := map[string]struct {
		req  *http.Request
		code int
	}{
		"new secret":   {request(t, newSecret, body, now), 200},
		"old secret":   {request(t, oldSecret, body, now), 200},
		"clock behind": {request(t, newSecret, body, now.Add(-4*time.Minute)), 200},
		"clock ahead":  {request(t, newSecret, body, now.Add(4*time.Minute)), 200},
		"too old":      {request(t, newSecret, body, now.Add(-6*time.Minute)), 401},
		"too new":      {request(t, newSecret, body, now.Add(6*time.Minute)), 401},
		"stranger":     {request(t, base64.StdEncoding.EncodeToString([]byte("someone else's secret 24")), body, now), 401},
		"old vector":   {vector, 401},
		"unsigned":     {httptest.NewRequest(http.MethodPost, "/posts", strings.NewReader(body)), 401},
	}
	for name, change := range map[string]func(*http.Request){
		"other body":    func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"id":"2","text":"a"}`)) },
		"other id":      func(r *http.Request) { r.Header.Set("webhook-id", "msg_2") },
		"other time":    func(r *http.Request) { r.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix()+1, 10)) },
		"no number":     func(r *http.Request) { r.Header.Set("webhook-timestamp", "now") },
		"other version": func(r *http.Request) { r.Header.Set("webhook-signature", "v2"+r.Header.Get("webhook-signature")[2:]) },
		"garbage":       func(r *http.Request) { r.Header.Set("webhook-signature", "v1,, ,, v1") },
	} {
		req := request(t, newSecret, body, now)
		change(req)
		cases[name] = struct {
			req  *http.Request
			code int
		}{req, 401}
	}
	several := request(t, newSecret, body, now)
	several.Header.Set("webhook-signature", "v1a,xyz v1,AAAA "+several.Header.Get("webhook-signature"))
	cases["several signatures"] = struct {
		req  *http.Request
		code int
	}{several, 200}

	for name, c := range cases {
		w, _ := hook(t, testConfig())
		seen := serve(t.Context(), w, nil)
		rec, _ := send(w, c.req)
		if rec.Code != c.code {
			t.Errorf("%s: answered %d %s", name, rec.Code, rec.Body)
		}
		if c.code != 200 && len(seen) > 0 {
			t.Errorf("%s: was read", name)
		}
	}
}

// TestTooManyAtOnce fills every slot and wants 503 for the next.
func TestTooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.MaxRequests = 2
		w, _ := hook(t, cfg)
		codes := make(chan int, 2)
		for range 2 {
			go func() {
				rec, _ := send(w, request(t, newSecret, `{"id":"1","text":"a"}`, time.Now()))
				codes <- rec.Code
			}()
		}
		synctest.Wait()
		if rec, _ := send(w, request(t, newSecret, `{"id":"2","text":"a"}`, time.Now())); rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
			t.Errorf("the third got %d", rec.Code)
		}
		for range 2 {
			b, err := w.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.Ack(nil)
		}
		if a, b := <-codes, <-codes; a != 200 || b != 200 {
			t.Errorf("the first two got %d and %d", a, b)
		}
	})
}

// TestThroughSupervisor sends over a real connection through the Supervisor:
// 200 once Kafka has the post, 503 while it is down, 200 again after.
func TestThroughSupervisor(t *testing.T) {
	cfg := testConfig()
	cfg.Timeout = 200 * time.Millisecond
	w, _ := hook(t, cfg)
	agencies, err := ingest.CompileAgencies([]post.Agency{{ID: "n", Query: "northmark"}})
	if err != nil {
		t.Fatal(err)
	}
	down := make(chan bool, 1)
	down <- false
	published := make(chan post.Post, 10)
	deps := ingest.Deps{
		Log: slog.New(slog.DiscardHandler), Agencies: agencies, Secret: []byte("0123456789abcdef"),
		Sources: []ingest.Named{{Name: "hook", Source: opened{w, make(chan struct{})}}},
		Publish: func(ctx context.Context, posts []post.Post) error {
			isDown := <-down
			down <- isDown
			if isDown {
				return errors.New("broker down")
			}
			for _, p := range posts {
				published <- p
			}
			return nil
		},
		DeadLetters: func(context.Context, []post.DeadLetter) error { return nil },
	}
	icfg := ingest.DefaultConfig()
	icfg.RestartMin = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ingest.New(icfg, deps).Run(ctx) }()
	<-deps.Sources[0].Source.(opened).ready
	addr := w.Addr().String()

	post := func(body string) int {
		req := request(t, newSecret, body, time.Now())
		out, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/posts", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		out.Header = req.Header
		resp, err := http.DefaultClient.Do(out)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if code := post(`{"id":"1","text":"northmark is down"}`); code != 200 {
		t.Fatalf("answered %d", code)
	}
	if p := <-published; p.Key != ingest.Key("webhook", "1") || p.Agencies[0] != "n" {
		t.Errorf("published %+v", p)
	}
	if code := post(`{"id":"2","text":"of no concern"}`); code != 200 {
		t.Errorf("a post that concerns nobody got %d", code)
	}
	<-down
	down <- true
	if code := post(`{"id":"3","text":"northmark is down"}`); code != 503 {
		t.Errorf("while Kafka is down the answer is %d", code)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if resp, err := http.Get("http://" + addr + "/posts"); err == nil {
		resp.Body.Close()
		t.Error("it still listens")
	}
}

// opened tells when the source was first opened.
type opened struct {
	*Webhook
	ready chan struct{}
}

func (o opened) Open(ctx context.Context, cursor string) error {
	err := o.Webhook.Open(ctx, cursor)
	select {
	case <-o.ready:
	default:
		close(o.ready)
	}
	return err
}

func TestValidate(t *testing.T) {
	if f := testConfig().Validate(); len(f) > 0 {
		t.Errorf("faults %v", f)
	}
	for key, change := range map[string]func(*Config){
		"listen":       func(c *Config) { c.Listen = "8090" },
		"path":         func(c *Config) { c.Path = "posts" },
		"secret":       func(c *Config) { c.Secret = config.Secret{} },
		"max_body":     func(c *Config) { c.MaxBody = 1 },
		"max_requests": func(c *Config) { c.MaxRequests = 0 },
		"timeout":      func(c *Config) { c.Timeout = 0 },
	} {
		cfg := testConfig()
		change(&cfg)
		if f := cfg.Validate(); len(f) != 1 || f[0].Key != key {
			t.Errorf("%s: faults %v", key, f)
		}
	}
	for _, secret := range []string{"not base64 at all!", "c2hvcnQ=", " \n "} {
		cfg := testConfig()
		cfg.Secret = config.NewSecret(secret)
		f := cfg.Validate()
		if len(f) != 1 || strings.Contains(f[0].Problem, "c2hvcnQ") {
			t.Errorf("secret %q: faults %v", secret, f)
		}
		if _, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("secret %q is accepted", secret)
		}
	}
}
