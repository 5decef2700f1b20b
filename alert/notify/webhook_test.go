package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"outcry/internal/config"
	"outcry/post"
)

var (
	secretText = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	change     = post.AlertChange{
		ID: 18446744073709551615, At: time.Date(2025, 3, 3, 9, 0, 0, 0, time.UTC),
		Rule: "issue-burst", Series: post.Series{Agency: "demo-benefits", Issue: "down"},
		Severity: "critical", From: post.Pending, State: post.Firing, Summary: "FIRING critical demo-benefits · down",
	}
)

func newTestWebhook(t *testing.T, url string) Receiver {
	t.Helper()
	r, err := NewWebhook(WebhookConfig{Name: "hook", URL: url, Secret: config.NewSecret(secretText), Timeout: 5 * time.Second}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The signature is checked by the reference library, and a changed body or
// another secret must not pass.
func TestWebhookIsSigned(t *testing.T) {
	type request struct {
		header http.Header
		body   []byte
	}
	got := make(chan request, 2)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- request{r.Header, body}
	}))
	defer srv.Close()
	hook := newTestWebhook(t, srv.URL)
	for range 2 {
		if err := hook.Notify(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	reference, err := standardwebhooks.NewWebhook(secretText)
	if err != nil {
		t.Fatal(err)
	}
	stranger, _ := standardwebhooks.NewWebhookRaw([]byte("another secret of enough bytes!!"))
	for range 2 {
		r := <-got
		if err := reference.Verify(r.body, r.header); err != nil {
			t.Errorf("the reference library refuses the signature: %v", err)
		}
		if err := stranger.Verify(r.body, r.header); err == nil {
			t.Error("another secret verifies the signature")
		}
		if err := reference.Verify(append(r.body, ' '), r.header); err == nil {
			t.Error("a changed body verifies")
		}
		if id := r.header.Get("webhook-id"); id != "18446744073709551615" {
			t.Errorf("webhook-id %q is not the id of the change", id)
		}
		var body webhookBody
		if err := json.Unmarshal(r.body, &body); err != nil || body.Type != "alert.firing" || body.Data.ID != change.ID || body.Data.Series != change.Series {
			t.Errorf("body %s: %v", r.body, err)
		}
	}
}

func TestWebhookJudgesAnswers(t *testing.T) {
	for _, c := range []struct {
		code      int
		accepted  bool
		permanent bool
	}{
		{200, true, false}, {202, true, false}, {204, true, false},
		{301, false, true}, {307, false, true},
		{400, false, true}, {401, false, true}, {404, false, true}, {410, false, true},
		{408, false, false}, {429, false, false}, {500, false, false}, {503, false, false},
	} {
		asked := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.code)
		}))
		err := newTestWebhook(t, srv.URL).Notify(t.Context(), change)
		srv.Close()
		if (err == nil) != c.accepted || IsPermanent(err) != c.permanent || asked != 1 {
			t.Errorf("answer %d: error %v, permanent %v, %d requests", c.code, err, IsPermanent(err), asked)
		}
	}
}

func TestWebhookErrorsHideTheAddress(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	address := strings.Replace(srv.URL, "http://", "http://user:hunter2@", 1) + "/T0KEN?key=s3cret"
	answered := newTestWebhook(t, address).Notify(t.Context(), change)
	srv.Close()
	refused := newTestWebhook(t, address).Notify(t.Context(), change)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	cancelled := newTestWebhook(t, address).Notify(ended, change)
	for _, err := range []error{answered, refused, cancelled} {
		if err == nil {
			t.Fatal("no error")
		}
		for _, secret := range []string{"hunter2", "T0KEN", "s3cret", secretText} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error shows %q: %v", secret, err)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2025, 3, 3, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header string
		want   time.Duration
		ok     bool
	}{
		{"", 0, false}, {"soon", 0, false}, {"7", 7 * time.Second, true}, {"-3", 0, true}, {"999999", time.Hour, true},
		{"Mon, 03 Mar 2025 09:00:30 GMT", 30 * time.Second, true}, {"Mon, 03 Mar 2025 08:00:00 GMT", 0, true},
	} {
		if got, ok := retryAfter(c.header, now); got != c.want || ok != c.ok {
			t.Errorf("%q: %v %v, want %v %v", c.header, got, ok, c.want, c.ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7")
	f.Add("Mon, 03 Mar 2025 09:00:30 GMT")
	f.Fuzz(func(t *testing.T, header string) {
		if d, _ := retryAfter(header, time.Unix(1741000000, 0)); d < 0 || d > longestPause {
			t.Fatalf("%q: %v", header, d)
		}
	})
}

func TestConfigFaults(t *testing.T) {
	good := WebhookConfig{Name: "ops", URL: "https://example.org/hook", Secret: config.NewSecret(secretText), Timeout: time.Second}
	if f := good.Validate(); len(f) > 0 {
		t.Errorf("a good configuration has faults: %v", f)
	}
	bad := WebhookConfig{Name: "Ops Team", URL: "http://example.org", Secret: config.NewSecret("c2hvcnQ=")}
	keys := map[string]bool{}
	for _, f := range bad.Validate() {
		keys[f.Key] = true
		if strings.Contains(f.Problem, "c2hvcnQ") {
			t.Errorf("a fault shows the secret: %s", f.Problem)
		}
	}
	for _, key := range []string{"name", "url", "secret", "timeout"} {
		if !keys[key] {
			t.Errorf("no fault at %s", key)
		}
	}
	twice := Config{Webhooks: []WebhookConfig{good, good, {Name: Terminal}}, Retry: DefaultRetryConfig()}
	if f := twice.Validate(); len(f) != 2 {
		t.Errorf("two names that are taken: %v", f)
	}
	if f := DefaultConfig().Retry.Validate(); len(f) > 0 {
		t.Errorf("the default has faults: %v", f)
	}
	if f := (RetryConfig{Max: -1, GiveUp: -1}).Validate(); len(f) != 3 {
		t.Errorf("three faults: %v", f)
	}
}
