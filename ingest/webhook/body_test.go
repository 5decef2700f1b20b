package webhook

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAcceptsDocuments(t *testing.T) {
	for name, body := range map[string]string{
		"one":    `{"id":"1","text":"a"}`,
		"pretty": "{\n  \"id\": 1,\n  \"text\": \"a\"\n}\n",
		"array":  ` [{"id":"1","text":"a"},{"id":"2","text":"b","kind":"edit"}] `,
		"ndjson": "{\"id\":\"1\",\"text\":\"a\"}\r\n\n{\"id\":\"2\",\"text\":\"b\"}",
		"delete": `{"id":"1","kind":"delete"}`,
		"none":   ``, "empty": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := hook(t, testConfig())
			seen := serve(t.Context(), w, nil)
			rec, r := send(w, request(t, newSecret, body, time.Now()))
			want := map[string]int{"array": 2, "ndjson": 2, "none": 0, "empty": 0}
			n, ok := want[name]
			if !ok {
				n = 1
			}
			if rec.Code != http.StatusOK || r.Accepted != n || len(r.Refused) > 0 {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
			if b := <-seen; len(b.Events) != n || n > 0 && b.Events[0].ID != "1" || n > 0 && b.Events[0].Platform != "webhook" {
				t.Errorf("the batch is %+v", b)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	good := `{"id":"1","text":"a"}`
	for name, c := range map[string]struct {
		body   string
		code   int
		says   string
		change func(*http.Request)
	}{
		"cut off":         {"{\"id\":\"1\",\n\"text\":", 400, "line 2, byte", nil},
		"broken line":     {good + "\n" + good + "\n{\"id\":x}\n", 400, "line 3, byte", nil},
		"broken array":    {"[" + good + ",\n{]", 400, "line 2, byte", nil},
		"open array":      {"[" + good, 400, "line 1, byte", nil},
		"after the array": {"[" + good + "] 7", 400, "something follows", nil},
		"not JSON":        {"text=a", 400, "line 1, byte", nil},
		"deep":            {strings.Repeat("[", 500_000), 400, "exceeded max depth", nil},
		"NUL":             {"\x00", 400, "line 1, byte", nil},
		"too large":       {`{"id":"1","text":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "larger than", nil},
		"too many":        {"[" + strings.Repeat("1,", maxDocuments) + "1]", 413, "more than", nil},
		"all refused":     {`[{"id":"1"},{"text":"no id"},7]`, 400, `"refused":[{"index":0,"reason":"missing"`, nil},
		"GET":             {"", 405, "POST", func(r *http.Request) { r.Method = http.MethodGet }},
		"elsewhere":       {good, 404, "/posts", func(r *http.Request) { r.URL.Path = "/other" }},
		"compressed":      {good, 415, "compressed", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
		"latin":           {good, 415, "UTF-8", func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=ISO-8859-1") }},
	} {
		t.Run(name, func(t *testing.T) {
			w, reg := hook(t, testConfig())
			seen := serve(t.Context(), w, nil)
			req := request(t, newSecret, c.body, time.Now())
			if c.change != nil {
				c.change(req)
			}
			rec, r := send(w, req)
			if rec.Code != c.code || !strings.Contains(rec.Body.String(), c.says) {
				t.Errorf("%d %.300s", rec.Code, rec.Body)
			}
			if n := count(t, reg, strconv.Itoa(c.code)); n != 1 {
				t.Errorf("counted %v", n)
			}
			if name == "all refused" {
				if b := <-seen; len(b.Bad) != 3 || len(b.Events) != 0 || len(r.Refused) != 3 {
					t.Errorf("the batch is %+v", b)
				}
			} else if len(seen) > 0 {
				t.Error("part of it was read")
			}
		})
	}
}

// TestNeighboursSurvive mixes good documents with bad ones.
func TestNeighboursSurvive(t *testing.T) {
	w, _ := hook(t, testConfig())
	seen := serve(t.Context(), w, nil)
	rec, r := send(w, request(t, newSecret, `[{"id":"1","text":"a"},{"text":5,"id":"2"},{"text":"c"},{"id":"4","text":"d","time":"soon"},{"id":"5","text":"e"}]`, time.Now()))
	b := <-seen
	if rec.Code != 200 || r.Accepted != 2 || len(b.Events) != 2 || len(b.Bad) != 3 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if got := fmt.Sprint(r.Refused[0].Index, r.Refused[0].Reason, r.Refused[1].Index, r.Refused[1].Reason, r.Refused[2].Index, r.Refused[2].Reason); got != "1wrong_type2missing3bad_time" && got != "1 wrong_type 2 missing 3 bad_time" {
		t.Errorf("refused %s", got)
	}
}

// FuzzParse wants no panic, and every document to be an event or a dead letter.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`[{"id":"1","text":"a"},7]`, "{\"id\":1,\"text\":\"\xff\"}\n[]", `[`, `]`, "[] []", `[1,]`, "\ufeff{}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parse(body, "webhook")
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		if len(c.bad) < len(c.refused) || len(c.events)+len(c.bad) > maxDocuments {
			t.Fatalf("%d events, %d bad, %d refused", len(c.events), len(c.bad), len(c.refused))
		}
		for _, e := range c.events {
			if e.ID == "" || e.Platform == "" {
				t.Fatalf("event %+v", e)
			}
		}
	})
}
