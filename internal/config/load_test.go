package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected files of testdata")

// house is a configuration with one of everything the loader promises.
type house struct {
	Name   string            `yaml:"name"`
	Log    logging           `yaml:"log"`
	Kafka  kafka             `yaml:"kafka"`
	Store  store             `yaml:"store"`
	Rooms  []room            `yaml:"rooms"`
	Labels map[string]string `yaml:"labels"`
	Doors  map[string]*room  `yaml:"doors"`
	Cellar *room             `yaml:"cellar"`
	Extra  any               `yaml:"extra"`
	Hidden string            `yaml:"-"`
}

type logging struct {
	Level string `yaml:"level"`
}

// kafka is "embedded" or a block.
type kafka struct {
	Embedded bool `yaml:"-"`
	broker   `yaml:",inline"`
}

func (k *kafka) UnmarshalText(text []byte) error {
	if string(text) != "embedded" {
		return fmt.Errorf("must be the word embedded or a block")
	}
	k.Embedded = true
	return nil
}

func (k kafka) MarshalText() ([]byte, error) {
	if k.Embedded {
		return []byte("embedded"), nil
	}
	return nil, nil
}

type broker struct {
	Brokers  []string `yaml:"brokers"`
	User     string   `yaml:"user"`
	Password Secret   `yaml:"password"`
	TLS      tlsBlock `yaml:"tls"`
}

func (b broker) Validate() (f Faults) {
	for i, addr := range b.Brokers {
		if !strings.Contains(addr, ":") {
			f.Add(fmt.Sprintf("brokers[%d]", i), `must be HOST:PORT, not %q`, addr)
		}
	}
	if b.User != "" && !b.Password.IsSet() {
		f.Add("password", "must be set where user is")
	}
	return f
}

type tlsBlock struct {
	Enabled bool   `yaml:"enabled"`
	CA      string `yaml:"ca_file"`
}

func (t tlsBlock) Validate() (f Faults) {
	if t.Enabled && t.CA == "" {
		f.Add("ca_file", "must name a file")
	}
	return f
}

type store struct {
	Timeout time.Duration `yaml:"timeout"`
	Memory  ByteSize      `yaml:"memory"`
	Ratio   float64       `yaml:"ratio"`
	Workers int           `yaml:"workers"`
	Small   int8          `yaml:"small"`
	Big     uint          `yaml:"big"`
	On      bool          `yaml:"on"`
	Since   time.Time     `yaml:"since"`
}

func (s store) Validate() (f Faults) {
	if s.Workers < 1 {
		f.Add("workers", "must be at least 1")
	}
	if s.Timeout > time.Hour {
		f.Add("timeout", "must be at most 1h")
	}
	return f
}

type room struct {
	Kind   string        `yaml:"kind"`
	Size   int           `yaml:"size"`
	Heat   time.Duration `yaml:"heat"`
	Key    Secret        `yaml:"key"`
	Nested []room        `yaml:"nested"`
}

func (r *room) SetDefaults() { r.Heat = time.Minute }

func (r room) Validate() (f Faults) {
	if r.Kind == "" {
		f.Add("kind", "must be named")
	}
	return f
}

func defaults() house {
	return house{
		Name:  "default",
		Kafka: kafka{broker: broker{Brokers: []string{"localhost:9092"}}},
		Store: store{Timeout: 10 * time.Second, Memory: 64 * MiB, Workers: 2},
	}
}

// TestPairs loads each testdata/*.yaml, with the environment of the *.env
// beside it, and compares the effective configuration or the faults with
// *.expected.
func TestPairs(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no pairs of files: %v", err)
	}
	for _, in := range inputs {
		base := strings.TrimSuffix(in, ".yaml")
		t.Run(filepath.Base(base), func(t *testing.T) {
			opts := DefaultOptions()
			opts.Environ = []string{"PATH=/bin"}
			if env, err := os.ReadFile(base + ".env"); err == nil {
				opts.Environ = append(opts.Environ, strings.Split(strings.TrimSpace(string(env)), "\n")...)
			}
			got := outcome(t, in, opts)
			expected := base + ".expected"
			if *update {
				if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// outcome is the dump of what was loaded, or the faults.
func outcome(t *testing.T, path string, opts Options) string {
	t.Helper()
	h := defaults()
	err := Load(path, &h, opts)
	var faults *Error
	switch {
	case errors.As(err, &faults):
		return strings.ReplaceAll(err.Error(), "testdata/", "") + "\n"
	case err != nil:
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Dump(&out, &h); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestDumpLoadsAgain holds Dump to its promise: what it writes, loaded over
// nothing, gives the same configuration.
func TestDumpLoadsAgain(t *testing.T) {
	first := outcome(t, "testdata/full.yaml", Options{})
	var h house
	if err := LoadBytes("dump", []byte(first), &h, Options{}); err != nil {
		t.Fatal(err)
	}
	var second bytes.Buffer
	if err := Dump(&second, h); err != nil {
		t.Fatal(err)
	}
	if first != second.String() {
		t.Errorf("first:\n%s\nsecond:\n%s", first, &second)
	}
}

func TestNoFile(t *testing.T) {
	h := defaults()
	opts := DefaultOptions()
	opts.Environ = []string{"OUTCRY_NAME=by environment"}
	if err := Load("", &h, opts); err != nil {
		t.Fatal(err)
	}
	if h.Name != "by environment" || h.Store.Workers != 2 {
		t.Errorf("got %+v", h)
	}
	if err := Load("testdata/absent.yaml", &h, opts); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
	if err := Load("", h, opts); err == nil {
		t.Error("a value that is no pointer was accepted")
	}
}

// TestEveryFaultHasItsPlace checks the fields behind the printed line.
func TestEveryFaultHasItsPlace(t *testing.T) {
	h := defaults()
	err := LoadBytes("x.yaml", []byte("store:\n  workers: 0\n"), &h, Options{})
	var e *Error
	if !errors.As(err, &e) || len(e.Faults) != 1 {
		t.Fatalf("got %v", err)
	}
	want := LocatedFault{File: "x.yaml", Line: 2, Key: "store.workers", Problem: "must be at least 1"}
	if e.Faults[0] != want {
		t.Errorf("got %+v, want %+v", e.Faults[0], want)
	}
}

// TestAliasesAreBounded feeds documents that expand far beyond their size.
func TestAliasesAreBounded(t *testing.T) {
	type nest struct {
		Nested []any            `yaml:"nested"`
		Rooms  []room           `yaml:"rooms"`
		Map    map[string][]any `yaml:"map"`
	}
	var bomb, self strings.Builder
	bomb.WriteString("rooms:\n- &a0 {kind: x}\n")
	for i := range 9 {
		ref := fmt.Sprintf("*a%d", i)
		fmt.Fprintf(&bomb, "- &a%d {kind: x, nested: [%s]}\n", i+1, strings.Repeat(ref+",", 9)+ref)
	}
	self.WriteString("rooms:\n- &a {kind: x, nested: [*a]}\n")
	for name, doc := range map[string]string{
		"typed":  bomb.String(),
		"any":    strings.NewReplacer("rooms:", "nested:").Replace(bomb.String()),
		"cycle":  self.String(),
		"itself": "nested: &a [*a]\n",
	} {
		var n nest
		err := LoadBytes(name, []byte(doc), &n, Options{})
		if e, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: got %v", name, err)
		} else if len(e.Faults) > maxFaults+1 {
			t.Errorf("%s: %d faults", name, len(e.Faults))
		}
	}
}

// TestManyFaults: a wrong file is refused in good time and with few words.
func TestManyFaults(t *testing.T) {
	var doc strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&doc, "key%d: x\n", i)
	}
	var h house
	err := LoadBytes("wrong.yaml", []byte(doc.String()), &h, Options{})
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxFaults+1 || lines[maxFaults] != "wrong.yaml: there may be more faults; mend these first" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

func TestTooLarge(t *testing.T) {
	var h house
	if err := LoadBytes("big.yaml", make([]byte, maxFileSize+1), &h, Options{}); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("got %v", err)
	}
}

func FuzzLoadBytes(f *testing.F) {
	inputs, _ := filepath.Glob("testdata/*.yaml")
	for _, in := range inputs {
		data, err := os.ReadFile(in)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "1")
	}
	f.Add([]byte("rooms: [{nested: &a [*a]}]"), "x")
	f.Add([]byte("<<: {a: b}\n? [1]\n: 2"), "")
	f.Fuzz(func(t *testing.T, data []byte, env string) {
		h := defaults()
		opts := DefaultOptions()
		opts.Environ = []string{"OUTCRY_STORE_MEMORY=" + env, "OUTCRY_ROOMS_0_HEAT=" + env, "OUTCRY_" + env}
		err := LoadBytes("fuzz", data, &h, opts)
		var e *Error
		if err != nil && (!errors.As(err, &e) || len(e.Faults) == 0) {
			t.Fatalf("an error without faults: %v", err)
		}
		if err == nil {
			if err := Dump(&bytes.Buffer{}, &h); err != nil {
				t.Fatalf("loaded but not dumped: %v", err)
			}
		}
	})
}
