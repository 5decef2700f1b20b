package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// field is one key of a struct, reached through inlined structs where needed.
type field struct {
	name  string // the key
	index []int  // for reflect.Value.FieldByIndex
	typ   reflect.Type
	file  bool // the key is the "_file" twin of a Secret
}

var secretType = reflect.TypeFor[Secret]()

// fieldsOf lists the keys of a struct type in the order of its fields. The
// rules are those of the yaml package: the name in the tag, or the lower-cased
// field name; "-" is no key; "inline" lifts the keys of a nested struct.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for f := range t.Fields() {
		name, flags, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || (!f.IsExported() && !f.Anonymous) {
			continue
		}
		if slices.Contains(strings.Split(flags, ","), "inline") && f.Type.Kind() == reflect.Struct {
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append(slices.Clone(f.Index), inner.index...)
				out = append(out, inner)
			}
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		out = append(out, field{name: name, index: f.Index, typ: f.Type})
		if f.Type == secretType {
			out = append(out, field{name: name + fileSuffix, index: f.Index, typ: f.Type, file: true})
		}
	}
	return out
}

// join makes the path of a key below a path. Keys that are not plain words are
// quoted in brackets, so that a path reads back in one way only.
func join(path, key string) string {
	switch {
	case key == "":
		return path
	case strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "":
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

// joinPath puts a path that a component reported below the component's own.
func joinPath(path, relative string) string {
	if path == "" || relative == "" || strings.HasPrefix(relative, "[") {
		return path + relative
	}
	return path + "." + relative
}

// parent gives the path that holds path, and false at the top.
func parent(path string) (string, bool) {
	if path == "" {
		return "", false
	}
	return path[:max(0, strings.LastIndexAny(path, ".["))], true
}

// unknown says that a name is not among the known ones, with the nearest one
// or, where none is near, all of them if they are few.
func unknown(what, name string, known []string) string {
	best, distance := "", 1+max(2, len(name)/3)
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("unknown %s; did you mean %q?", what, best)
	case len(known) > 0 && len(known) <= 16:
		return fmt.Sprintf("unknown %s; known here: %s", what, strings.Join(known, ", "))
	}
	return "unknown " + what
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b. Long names are never near: the bound keeps
// hostile input cheap.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range current {
		current[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, previous, current = previous, current, before
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
	}
	return current[len(b)]
}
