package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// validate calls Validate on every value that has it, from the outside in. A
// struct with a Validate method speaks for the structs inlined into it too.
func (l *loader) validate(v reflect.Value, path string, spoken bool) {
	if v.Kind() == reflect.Pointer {
		if !v.IsNil() {
			l.validate(v.Elem(), path, spoken)
		}
		return
	}
	has := false
	if validator, ok := validatorOf(v); ok {
		has = true
		if !spoken {
			for _, f := range validator.Validate() {
				l.locate(joinPath(path, f.Key), f.Problem)
			}
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		for f, inner := range v.Fields() {
			name, flags, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			switch {
			case name == "-":
			case slices.Contains(strings.Split(flags, ","), "inline"):
				l.validate(inner, path, has || spoken)
			case f.IsExported():
				if name == "" {
					name = strings.ToLower(f.Name)
				}
				l.validate(inner, join(path, name), false)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			l.validate(v.Index(i), fmt.Sprintf("%s[%d]", path, i), false)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if k.Kind() == reflect.String {
				l.validate(v.MapIndex(k), join(path, k.String()), false)
			}
		}
	}
}

func validatorOf(v reflect.Value) (Validator, bool) {
	if !v.CanInterface() {
		return nil, false
	}
	if v.CanAddr() {
		v = v.Addr()
	}
	return reflect.TypeAssert[Validator](v)
}

// locate records a fault that a component found in a value and finds out who
// set that value: the file, the environment, or nobody.
func (l *loader) locate(path, problem string) {
	f := LocatedFault{File: l.file, Key: path, Problem: problem}
	given := l.settles(path+fileSuffix, &f) // the other way to set a secret
	for at, ok := path, true; ok && !given; at, ok = parent(at) {
		if l.settles(at, &f) {
			given = at == path || f.Env != ""
			break
		}
	}
	if l.refused(path) {
		// The value is not what the operator meant: what follows from it is noise.
		return
	}
	if !given {
		f.Problem += " (not set)"
	}
	l.record(f)
}

// settles puts the place that set path into f, if it was set.
func (l *loader) settles(path string, f *LocatedFault) bool {
	f.Env, f.Line = l.env[path], l.lines[path]
	return f.Env != "" || f.Line > 0
}

// refused tells whether the value at path, or one around it, was refused.
func (l *loader) refused(path string) bool {
	if l.broken[path+fileSuffix] {
		return true
	}
	for at, ok := path, true; ok; at, ok = parent(at) {
		if l.broken[at] {
			return true
		}
	}
	return false
}

// lastKey is the last word of a path.
func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
