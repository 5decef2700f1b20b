package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"outcry/ingest"
	"outcry/post"
)

// result is all that a file gave.
type result struct {
	events  []ingest.Event
	bad     []post.DeadLetter
	cursors []string
	after   []int // events given up to each cursor
	err     error // nil for ingest.ErrEnd
}

func (r *result) texts() []string {
	var texts []string
	for _, e := range r.events {
		texts = append(texts, e.Text)
	}
	return texts
}

func (r *result) reasons() []string {
	var reasons []string
	for _, l := range r.bad {
		reasons = append(reasons, l.Reason)
	}
	return reasons
}

// read reads a file to its end.
func read(t testing.TB, cfg Config, deps Deps, cursor string) result {
	t.Helper()
	deps.Log = slog.New(slog.DiscardHandler)
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var r result
	if r.err = s.Open(t.Context(), cursor); r.err != nil {
		return r
	}
	for {
		b, err := s.Read(t.Context())
		if errors.Is(err, ingest.ErrEnd) {
			return r
		}
		if err != nil {
			r.err = err
			return r
		}
		r.events = append(r.events, b.Events...)
		r.bad = append(r.bad, b.Bad...)
		r.cursors = append(r.cursors, b.Cursor)
		r.after = append(r.after, len(r.events))
	}
}

func file(t testing.TB, content string) Config {
	t.Helper()
	cfg := DefaultConfig()
	cfg.File = filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(cfg.File, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func csvFile(t testing.TB, content string) Config {
	cfg := file(t, content)
	cfg.Format = FormatCSV
	return cfg
}

func gzipped(content string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(content))
	w.Close()
	return b.String()
}

func zstandard(t testing.TB, content string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(content), nil))
}

func documentLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":"%d","time":"2020-01-01T00:00:00Z","text":"text %d"}`+"\n", i, i)
	}
	return b.String()
}

// shared finds the folder of shared data.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("OUTCRY_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: %s is not there; OUTCRY_SHARED names the folder of shared data", path)
	}
	return path
}

func TestFormatsAndCompressions(t *testing.T) {
	lines := documentLines(2500)
	var table strings.Builder
	table.WriteString("\uFEFFid, TIMESTAMP ,text,author,language,platform,more\r\n")
	for i := range 2500 {
		fmt.Fprintf(&table, "%d,2020-01-01 00:00:00,\"text %d\",alice,en,forum,\r\n", i, i)
	}
	for name, content := range map[string]string{FormatOutcry: lines, FormatCSV: table.String()} {
		for compression, stored := range map[string]string{
			"plain": content, "gzip": gzipped(content), "zstd": zstandard(t, content),
			"two gzip members": gzipped(content[:1000]) + gzipped(content[1000:]),
		} {
			t.Run(name+" "+compression, func(t *testing.T) {
				cfg := file(t, stored)
				cfg.Format = name
				r := read(t, cfg, Deps{}, "")
				if r.err != nil || len(r.bad) > 0 || len(r.events) != 2500 {
					t.Fatalf("%d events, %d bad, %v", len(r.events), len(r.bad), r.err)
				}
				e := r.events[2499]
				want := ingest.Event{Platform: "import", ID: "2499", Text: "text 2499", Time: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
				if name == FormatCSV {
					want.Platform, want.Author, want.Language = "forum", "alice", "en"
				}
				if !reflect.DeepEqual(e, want) {
					t.Errorf("the last event is %+v", e)
				}
			})
		}
	}
}

// TestBrokenRecords puts everything that can be wrong between good records: each
// is named with its line, and no neighbour is lost.
func TestBrokenRecords(t *testing.T) {
	good := func(i int) string { return fmt.Sprintf(`{"id":%d,"text":"good %d"}`, i, i) }
	huge := strings.Repeat("x", 10<<20)
	lines := []string{
		good(1), `{"id":`, good(2), `{"id":2,"text":5}`, "", good(3), `[1,2]`, `{"id":1,"text":"` + huge + `"}`, good(4),
		"\x00\x01\x02", `{"text":"a","time":"soon"}`, huge, good(5) + "\r", "{\"id\":6,\"text\":\"good \xff\"}", `{"id":7}`, good(7),
	}
	r := read(t, file(t, strings.Join(lines, "\n")), Deps{}, "")
	if r.err != nil {
		t.Fatal(r.err)
	}
	if want := []string{"good 1", "good 2", "good 3", "good 4", "good 5", "good \uFFFD", "good 7"}; !slices.Equal(r.texts(), want) {
		t.Errorf("events %q", r.texts())
	}
	want := []string{ingest.ReasonBadJSON, ingest.ReasonWrongType, ingest.ReasonWrongType, ingest.ReasonTooLarge,
		ingest.ReasonBadJSON, ingest.ReasonBadTime, ingest.ReasonTooLarge, ingest.ReasonMissing}
	if !slices.Equal(r.reasons(), want) {
		t.Errorf("reasons %q", r.reasons())
	}
	for i, line := range []string{"line 2: ", "line 4: ", "line 7: ", "line 8: ", "line 10: ", "line 11: ", "line 12: ", "line 15: "} {
		if l := r.bad[i]; !strings.HasPrefix(l.Detail, line) || len(l.Raw) == 0 || len(l.Raw) > 4096 {
			t.Errorf("dead letter %d: %q with %d bytes", i, l.Detail, len(l.Raw))
		}
	}
}

// TestTruncated cuts compressed files off: what came before is given, then an
// error that names the file and the line and that no restart can mend.
func TestTruncated(t *testing.T) {
	for name, stored := range map[string]string{"gzip": gzipped(documentLines(50_000)), "zstd": zstandard(t, documentLines(50_000))} {
		t.Run(name, func(t *testing.T) {
			cfg := file(t, stored[:len(stored)*2/3])
			r := read(t, cfg, Deps{}, "")
			if len(r.events) < 10_000 || len(r.events) >= 50_000 || len(r.bad) > 0 {
				t.Fatalf("%d events, %d bad", len(r.events), len(r.bad))
			}
			for i, e := range r.events {
				if e.ID != strconv.Itoa(i) {
					t.Fatalf("event %d is %+v", i, e)
				}
			}
			if r.err == nil || !strings.Contains(r.err.Error(), fmt.Sprintf("%s:%d: ", cfg.File, len(r.events)+1)) || !strings.Contains(r.err.Error(), "cut off") {
				t.Errorf("the error is %v", r.err)
			}
			if !isPermanent(r.err) {
				t.Error("the error can be restarted")
			}
		})
	}
	if r := read(t, file(t, gzipped("x")[:5]), Deps{}, ""); r.err == nil || !isPermanent(r.err) {
		t.Errorf("a cut gzip header gives %v", r.err)
	}
}

// isPermanent tells whether the Supervisor would give the source up.
func isPermanent(err error) bool {
	return reflect.TypeOf(err) == reflect.TypeOf(ingest.Permanent(io.EOF))
}

func TestCannotBeRead(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no such file": {File: filepath.Join(t.TempDir(), "none"), Format: FormatCSV, Speed: "max"},
		"a folder":     {File: t.TempDir(), Format: FormatOutcry, Speed: "max"},
		"no column":    csvFile(t, "when,what\n1,2\n"),
		"bad header":   csvFile(t, "a\"b,text\n1,2\n"),
	} {
		if r := read(t, cfg, Deps{}, ""); r.err == nil || !isPermanent(r.err) || !strings.Contains(r.err.Error(), cfg.File) {
			t.Errorf("%s gives %v", name, r.err)
		}
	}
	if r := read(t, csvFile(t, "when,what\n"), Deps{}, ""); !strings.Contains(fmt.Sprint(r.err), `no column "timestamp"; the header has ["when" "what"]`) {
		t.Errorf("got %v", r.err)
	}
	for name, cfg := range map[string]Config{"empty": file(t, ""), "empty csv": csvFile(t, ""), "header only": csvFile(t, "timestamp,text")} {
		if r := read(t, cfg, Deps{}, ""); r.err != nil || len(r.events)+len(r.bad) > 0 {
			t.Errorf("%s gives %+v", name, r)
		}
	}
}

// TestResume goes on from every cursor and wants exactly the rest.
func TestResume(t *testing.T) {
	var table strings.Builder
	table.WriteString("timestamp,text\n")
	for i := range 3500 {
		fmt.Fprintf(&table, "2020-01-01,\"row\n%d\"\n", i)
		if i%100 == 0 {
			table.WriteString("broken\n\n")
		}
	}
	for name, cfg := range map[string]Config{"csv": csvFile(t, table.String()), "outcry": file(t, gzipped("\n"+documentLines(3500)))} {
		whole := read(t, cfg, Deps{}, "")
		if len(whole.events) != 3500 || len(whole.cursors) < 3 {
			t.Fatalf("%s: %d events, %d batches", name, len(whole.events), len(whole.cursors))
		}
		for i, cursor := range whole.cursors {
			rest := read(t, cfg, Deps{}, cursor)
			if !slices.EqualFunc(rest.events, whole.events[whole.after[i]:], func(a, b ingest.Event) bool { return a.ID == b.ID }) {
				t.Errorf("%s: after cursor %q come %d events, wanted %d", name, cursor, len(rest.events), 3500-whole.after[i])
			}
		}
	}
}

func TestCursorIsOfItsFile(t *testing.T) {
	first := file(t, documentLines(1500))
	cursor := read(t, first, Deps{}, "").cursors[0]
	// The file grew: go on.
	if err := os.WriteFile(first.File, []byte(documentLines(2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := read(t, first, Deps{}, cursor); len(r.events) != 1000 {
		t.Errorf("a file that grew gives %d events", len(r.events))
	}
	// Another file, or no cursor at all: from the beginning.
	other := strings.ReplaceAll(documentLines(10), "text ", "none ")
	for _, c := range []struct {
		cfg    Config
		cursor string
		want   int
	}{{file(t, strings.Replace(documentLines(1500), "text 0", "word 0", 1)), cursor, 1500}, {first, "garbage", 2000}, {first, "-1:0:5", 2000}, {file(t, other), cursor, 10}} {
		if r := read(t, c.cfg, Deps{}, c.cursor); r.err != nil || len(r.events) != c.want {
			t.Errorf("cursor %q gives %d events of %d, %v", c.cursor, len(r.events), c.want, r.err)
		}
	}
	// The file is shorter than the cursor says: there is nothing more.
	if r := read(t, first, Deps{}, cursor[:strings.LastIndexByte(cursor, ':')]+":99999999"); r.err != nil || len(r.events) != 0 {
		t.Errorf("beyond the end come %d events, %v", len(r.events), r.err)
	}
}

// TestSpeed releases posts in the rhythm of their times, sixty times as fast.
func TestSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := file(t, `{"id":1,"time":"2020-01-01T00:00:00Z","text":"a"}
{"id":2,"time":"2020-01-01T00:00:30Z","text":"b"}
{"id":3,"time":"2020-01-01T00:00:20Z","text":"earlier than the one before"}
{"id":4,"text":"no time"}
{"id":5,"time":"2020-01-01T01:00:00Z","text":"c"}
`)
		cfg.Speed = "60x"
		s, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Open(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		var got []string
		var last ingest.Batch
		for {
			b, err := s.Read(t.Context())
			if errors.Is(err, ingest.ErrEnd) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range b.Events {
				got = append(got, fmt.Sprintf("%s %v", e.ID, time.Since(begun)))
			}
			if len(got) == 4 {
				last = b
			}
		}
		if want := []string{"1 0s", "2 500ms", "3 500ms", "4 500ms", "5 1m0s"}; !slices.Equal(got, want) {
			t.Errorf("released %q", got)
		}
		// The fifth had been read ahead when the fourth was given.
		if r := read(t, Config{File: cfg.File, Format: FormatOutcry, Speed: "max", Platform: "p"}, Deps{}, last.Cursor); len(r.events) != 1 || r.events[0].ID != "5" {
			t.Errorf("after the fourth comes %+v", r.events)
		}
	})
}

func TestSpeedCanBeInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := file(t, "{\"text\":\"a\",\"time\":\"2020-01-01\"}\n{\"text\":\"b\",\"time\":\"2024-01-01\"}\n")
		cfg.Speed = "1x"
		s, _ := New(cfg, Deps{Log: slog.New(slog.DiscardHandler)})
		defer s.Close()
		if err := s.Open(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if b, err := s.Read(ctx); err != nil || len(b.Events) != 1 {
			t.Fatal(b, err)
		}
		if _, err := s.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	})
}

// TestPipe reads from a writer that pauses and never ends: what it wrote is
// given at once, and a stop does not wait for it.
func TestPipe(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		pr, pw := io.Pipe()
		var w io.Writer = pw
		flush := func() error { return nil }
		if compressed {
			z := gzip.NewWriter(pw)
			w, flush = z, z.Flush
		}
		cfg := DefaultConfig()
		cfg.File = "-"
		s, err := New(cfg, Deps{Log: slog.New(slog.DiscardHandler), Stdin: pr})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Open(t.Context(), "4096:0:7"); err != nil {
			t.Fatal(err)
		}
		go func() {
			io.WriteString(w, documentLines(3))
			flush()
		}()
		seen := 0
		for seen < 3 {
			b, err := s.Read(t.Context())
			if err != nil || b.Cursor != "" {
				t.Fatalf("cursor %q, %v", b.Cursor, err)
			}
			seen += len(b.Events)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := s.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("a read of a silent pipe gives %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		pw.Close()
	}
}

func TestValidate(t *testing.T) {
	good := DefaultConfig()
	good.File = "x"
	if f := good.Validate(); len(f) > 0 {
		t.Errorf("the defaults have faults: %v", f)
	}
	for key, change := range map[string]func(*Config){
		"file": func(c *Config) { c.File = "" }, "format": func(c *Config) { c.Format = "xml" },
		"speed":       func(c *Config) { c.Speed = "fast" },
		"time_column": func(c *Config) { c.Format, c.TimeColumn = FormatCSV, "" },
		"text_column": func(c *Config) { c.Format, c.TextColumn = FormatCSV, "" },
	} {
		c := good
		change(&c)
		if f := c.Validate(); len(f) != 1 || f[0].Key != key {
			t.Errorf("%s: faults %v", key, f)
		}
	}
	for _, s := range []string{"0x", "-1x", "NaN", "Infx", "", "1e99"} {
		if _, err := parseSpeed(s); err == nil {
			t.Errorf("speed %q is accepted", s)
		}
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte(documentLines(3)))
	f.Add([]byte("{}\n\r\n\xff\n{\"text\":1}\n"))
	f.Add([]byte(gzipped(documentLines(3))[:40]))
	f.Fuzz(func(t *testing.T, content []byte) {
		r := read(t, file(t, string(content)), Deps{}, "")
		if r.err != nil && !isPermanent(r.err) {
			t.Fatalf("ended with %v", r.err)
		}
		for _, l := range r.bad {
			if l.Reason == "" || !strings.HasPrefix(l.Detail, "line ") || len(l.Raw) > 4096 {
				t.Fatalf("dead letter %+v", l)
			}
		}
	})
}

func BenchmarkDocuments(b *testing.B) {
	const n = 20_000
	cfg := file(b, documentLines(n))
	for b.Loop() {
		if r := read(b, cfg, Deps{}, ""); len(r.events) != n {
			b.Fatal(r.err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "posts/s")
}
