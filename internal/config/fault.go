// Package config reads YAML configuration strictly: unknown keys are refused,
// every fault is reported at once with its key and line, environment variables
// override with one prefix, and secrets come from files or the environment.
package config

import "fmt"

// Fault is one thing wrong with a configuration.
type Fault struct {
	Key     string // path relative to the value that reports it, for example "sources[2].listen"
	Problem string // what is wrong and what to do, for example `must be a duration such as "30s"`
}

// Faults is a list of faults; the zero value is ready to use.
type Faults []Fault

// Add records a fault of key.
func (f *Faults) Add(key, format string, args ...any) {
	*f = append(*f, Fault{Key: key, Problem: fmt.Sprintf(format, args...)})
}

// Validator is implemented by the Config of each component (value receiver).
// The loader calls it on every struct it meets, so a component reports only the
// faults of its own keys, relative to itself.
type Validator interface{ Validate() Faults }
