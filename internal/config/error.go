package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is everything wrong with one configuration. Its text has one line for
// each fault, in the order of the file.
type Error struct {
	Faults []LocatedFault
}

// LocatedFault is a fault and the place to mend it.
type LocatedFault struct {
	File    string // name of the file, as it was given to the loader
	Line    int    // line in File, or 0 where no line is to blame
	Env     string // the environment variable that set the value, or empty
	Key     string // full path, for example "kafka.brokers[0]", or empty for the file as a whole
	Problem string
}

// String gives the fault as "file:line: key: problem", or with the name of the
// environment variable in place of file and line where that is what to change.
func (f LocatedFault) String() string {
	place := f.File
	switch {
	case f.Env != "":
		place = f.Env
	case f.Line > 0:
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Key == "" {
		return place + ": " + f.Problem
	}
	return place + ": " + f.Key + ": " + f.Problem
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts faults of the environment last, the others in the order of the
// file, and drops repetitions: an inlined struct and the one around it may
// report the same thing.
func sorted(faults []LocatedFault) []LocatedFault {
	slices.SortStableFunc(faults, func(a, b LocatedFault) int {
		return cmp.Or(cmp.Compare(a.Env, b.Env), cmp.Compare(a.Line, b.Line))
	})
	seen := map[LocatedFault]bool{}
	return slices.DeleteFunc(faults, func(f LocatedFault) bool {
		again := seen[f]
		seen[f] = true
		return again
	})
}
