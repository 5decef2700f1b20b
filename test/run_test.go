package test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"outcry/ingest/simulate"
	"outcry/internal/testenv"
	"outcry/post"
)

// newRun is a site without servers of its own: outcry run starts them.
func newRun(t *testing.T, extra string) *site {
	t.Helper()
	testenv.RequireEngine(t)
	s := &site{t: t, dir: t.TempDir(), agency: "agency-run"}
	s.config = s.write("outcry.yaml", fmt.Sprintf("data_dir: %s/data\nweb: {listen: \"127.0.0.1:0\"}\n%s", s.dir, extra))
	return s
}

var boardLine = regexp.MustCompile(`(?m)^The board: (http://\S+/)$`)

// board waits for the address that outcry run prints.
func (s *site) board(d *daemon) string {
	s.t.Helper()
	var url string
	within(s.t, time.Minute, "outcry run prints the address of the board", func() bool {
		m := boardLine.FindStringSubmatch(d.out.String())
		if m != nil {
			url = m[1]
		}
		return m != nil
	})
	return url
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestRunStartsAndStops: everything in one command, on an empty directory, twice.
func TestRunStartsAndStops(t *testing.T) {
	s := newRun(t, "")
	for _, life := range []string{"first", "second"} {
		run := s.start("run")
		url := s.board(run)
		within(t, time.Minute, "it is ready", func() bool {
			code, _ := get(t, url+"readyz")
			return code == http.StatusOK
		})
		for path, want := range map[string]string{"": "<html", "healthz": "alive", "metrics": "outcry_bus_", "api/v1/agencies": "agencies"} {
			if code, body := get(t, url+path); code != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%s life: GET /%s: %d, %.200s", life, path, code, body)
			}
		}
		if out, code := s.try(nil, "run"); code != 1 || !strings.Contains(out, "another outcry runs on the data directory") {
			t.Errorf("a second outcry on the same directory: exit code %d, %s", code, out)
		}
		if code := run.signal(syscall.SIGTERM); code != 0 {
			t.Errorf("%s life: SIGTERM gave exit code %d, want 0\n%s", life, code, run.log.tail(2000))
		}
	}
}

// TestAlertReachesTheReceiver: posts go in at one end, an explained and signed
// alert comes out at the other.
func TestAlertReachesTheReceiver(t *testing.T) {
	slow(t)
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("outcry"), 5))
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	alerts := make(chan post.AlertChange, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		if err != nil {
			t.Errorf("the receiver refuses: %v", err)
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		var event struct{ Data post.AlertChange }
		if err := json.Unmarshal(body, &event); err != nil {
			t.Errorf("the receiver cannot read %s: %v", body, err)
		}
		alerts <- event.Data
	}))
	defer receiver.Close()

	s := newRun(t, fmt.Sprintf(`
agencies: agencies.yaml
sources:
  - {name: story, type: simulate, simulate: {history: 96h, launch_after: 20s}}
notify:
  webhooks:
    - {name: pager, url: "%s/hook", secret_file: pager-secret}
`, receiver.URL))
	s.write("pager-secret", secret)
	agencies, err := json.Marshal(simulate.Agencies())
	if err != nil {
		t.Fatal(err)
	}
	s.write("agencies.yaml", `{"agencies": `+strings.NewReplacer(`"ID"`, `"id"`, `"Name"`, `"name"`, `"Country"`, `"country"`, `"Query"`, `"query"`).Replace(string(agencies))+`}`)
	run := s.start("run")
	url := s.board(run)

	var first post.AlertChange
	select {
	case first = <-alerts:
	case <-time.After(4 * time.Minute):
		t.Fatal("no alert within four minutes")
	}
	if first.State != post.Firing || first.Series.Agency != simulate.Agencies()[0].ID {
		t.Errorf("the first alert is %+v", first)
	}
	if first.Observed < 5 || first.Observed < 3*first.Expected || first.Summary == "" || len(first.Exemplars) == 0 || first.RuleVersion == "" {
		t.Errorf("the alert does not explain itself: %+v", first)
	}
	within(t, time.Minute, "the terminal shows the alert", func() bool { return strings.Contains(run.out.String(), "FIRING") })
	if code, body := get(t, url+"api/v1/alerts"); code != http.StatusOK || !strings.Contains(body, first.Series.Agency) {
		t.Errorf("the board's alerts: %d %.500s", code, body)
	}
	t.Log(run.out.String())
}
