package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFileSize bounds a configuration file: the largest (a list of some ten
	// thousand agencies) stays well below.
	maxFileSize = 8 << 20
	// maxFaults bounds what is reported: who has more has given the wrong file.
	maxFaults = 200
)

// Options says how to load.
type Options struct {
	// EnvPrefix begins the names of environment variables that override keys:
	// with "OUTCRY_" the key kafka.brokers is overridden by
	// OUTCRY_KAFKA_BROKERS. Empty: the environment is not read.
	EnvPrefix string
	// Environ is the environment as os.Environ gives it; nil means the process's own.
	Environ []string
	// Reserved are names without their prefix that are not keys and are left
	// alone; one that ends in * stands for all that begin so.
	Reserved []string
}

// DefaultOptions is how Outcry's own configuration file is loaded. Files of
// data (agencies, issues, rules) are loaded with the zero Options.
func DefaultOptions() Options {
	return Options{EnvPrefix: "OUTCRY_", Reserved: []string{"LIBCHDB", "SHARED", "TEST_*"}}
}

// Load reads the YAML file path over what into already holds, which is how
// defaults are given; into is a pointer. An empty path reads no file: defaults
// and environment alone.
//
// Every value whose type implements Validator is validated afterwards. The
// error is an *Error that names all faults at once, or tells that the file
// could not be read. After an error the content of into is not to be used.
//
// A value made while loading (an element of a list or map, or what a pointer
// points to) starts from its SetDefaults method if it has one. A struct that
// implements encoding.TextUnmarshaler may be given as one word as well as by
// its keys.
func Load(path string, into any, opts Options) error {
	if path == "" {
		return LoadBytes("configuration", nil, into, opts)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return load(path, filepath.Dir(path), data, into, opts)
}

// LoadBytes is Load for a document in memory; name stands for the file in
// faults. Relative names of secret files count from the working directory.
func LoadBytes(name string, data []byte, into any, opts Options) error {
	return load(name, "", data, into, opts)
}

func load(name, dir string, data []byte, into any, opts Options) error {
	root, err := target(into)
	if err != nil {
		return err
	}
	l := &loader{file: name, dir: dir, lines: map[string]int{}, env: map[string]string{}, broken: map[string]bool{}}
	if len(data) > maxFileSize {
		l.fault("", 0, "larger than %d MiB: not a configuration", maxFileSize>>20)
		return l.err()
	}
	if node, ok := l.parse(data); ok && node != nil {
		l.decode(node, root, "")
	}
	if opts.EnvPrefix != "" {
		l.override(root, opts)
	}
	l.validate(root, "", false)
	return l.err()
}

// loader is one run of Load: the faults so far and where each key was set.
type loader struct {
	file   string
	dir    string
	faults []LocatedFault
	lines  map[string]int    // path → line that sets it
	env    map[string]string // path → variable that set it
	broken map[string]bool   // paths that have a fault already: their value is not the operator's
	depth  int
	alias  int // how many aliases stand around the node being decoded
	copies int // nodes decoded inside aliases so far
}

func (l *loader) err() error {
	if len(l.faults) == 0 {
		return nil
	}
	faults := sorted(l.faults)
	if l.full() {
		faults = append(faults, LocatedFault{File: l.file, Problem: "there may be more faults; mend these first"})
	}
	return &Error{Faults: faults}
}

// fault records a fault of the file.
func (l *loader) fault(path string, line int, format string, args ...any) {
	l.broken[path] = true
	l.record(LocatedFault{File: l.file, Line: line, Key: path, Problem: fmt.Sprintf(format, args...)})
}

// record keeps a fault, up to the bound.
func (l *loader) record(f LocatedFault) {
	if l.full() {
		return
	}
	l.faults = append(l.faults, f)
}

// full tells whether enough faults were found to stop looking.
func (l *loader) full() bool { return len(l.faults) >= maxFaults }

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\n\s*)?line (\d+): `)

// parse reads exactly one document; nil is an empty one.
func (l *loader) parse(data []byte) (*yaml.Node, bool) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, true
	}
	if err == nil {
		switch err = dec.Decode(&more); {
		case errors.Is(err, io.EOF):
			err = nil
		case err == nil:
			l.fault("", more.Line, "a second document begins here; a configuration is one document")
			return nil, false
		}
	}
	if err != nil {
		line, text := yamlError(err)
		l.fault("", line, "not valid YAML: %s", text)
		return nil, false
	}
	if len(doc.Content) == 0 {
		return nil, true
	}
	return doc.Content[0], true
}

// yamlError takes the line out of an error of the yaml package.
func yamlError(err error) (int, string) {
	text := err.Error()
	line := 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	text = strings.TrimPrefix(text, "yaml: ")
	return line, strings.Join(strings.Fields(text), " ")
}
