package config

import (
	"encoding"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// override applies the environment. A variable that has the prefix, is not
// reserved and fits no key is a fault: a mistyped override must not be ignored.
func (l *loader) override(root reflect.Value, opts Options) {
	environ := opts.Environ
	if environ == nil {
		environ = os.Environ()
	}
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		rest, ok := strings.CutPrefix(name, opts.EnvPrefix)
		if !ok || rest == "" || reserved(rest, opts.Reserved) {
			continue
		}
		o := &overriding{loader: l, variable: name, value: value}
		if !o.apply(root, "", rest) {
			known := variables(root, strings.TrimSuffix(opts.EnvPrefix, "_"), 0)
			l.record(LocatedFault{Env: name, Problem: unknown("key", name, known)})
		}
	}
}

func reserved(name string, list []string) bool {
	return slices.ContainsFunc(list, func(r string) bool {
		if prefix, ok := strings.CutSuffix(r, "*"); ok {
			return strings.HasPrefix(name, prefix)
		}
		return name == r
	})
}

// envName gives the part of a variable's name that stands for a key.
func envName(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, key)
}

// overriding is one variable on its way to its key.
type overriding struct {
	*loader
	variable string
	value    string
}

// apply finds the key that rest names below v and sets it. Elements of lists
// and maps that the file made are reached by index and name; new ones are not made.
func (o *overriding) apply(v reflect.Value, path, rest string) bool {
	if rest == "" {
		return o.set(v, path)
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := v
		if v.IsNil() {
			p = fresh(v.Type().Elem())
		}
		if !o.apply(p.Elem(), path, rest) {
			return false
		}
		v.Set(p)
		return true
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			below, ok := descend(rest, f.name)
			if !ok || (f.file && below != "") {
				continue
			}
			at, inner := join(path, f.name), v.FieldByIndex(f.index)
			if f.file {
				return o.setSecret(inner, at, true)
			}
			if o.apply(inner, at, below) {
				return true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if below, ok := descend(rest, strconv.Itoa(i)); ok {
				return o.apply(v.Index(i), fmt.Sprintf("%s[%d]", path, i), below)
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			below, ok := descend(rest, k.String())
			if !ok {
				continue
			}
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(k))
			if o.apply(element, join(path, k.String()), below) {
				v.SetMapIndex(k, element)
				return true
			}
		}
	}
	return false
}

// descend takes a key off the front of what is left of a variable's name.
func descend(rest, key string) (string, bool) {
	below, ok := strings.CutPrefix(rest, envName(key))
	if !ok {
		return "", false
	}
	if below == "" {
		return "", true
	}
	below, ok = strings.CutPrefix(below, "_")
	return below, ok && below != ""
}

// set gives v the variable's value, and tells false where v is a block, which
// has no single value. Lists of single values are separated by commas.
func (o *overriding) set(v reflect.Value, path string) bool {
	if v.Type() == secretType {
		return o.setSecret(v, path, false)
	}
	if v.Kind() == reflect.Pointer {
		p := fresh(v.Type().Elem())
		ok := o.set(p.Elem(), path)
		if ok {
			v.Set(p)
		}
		return ok
	}
	var n *yaml.Node
	switch {
	case single(v.Type()):
		n = word(o.value, v.Type())
	case v.Kind() == reflect.Slice && single(v.Type().Elem()):
		n = &yaml.Node{Kind: yaml.SequenceNode}
		for item := range strings.SplitSeq(o.value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				n.Content = append(n.Content, word(item, v.Type().Elem()))
			}
		}
	default:
		return false
	}
	before := len(o.faults)
	o.decode(n, v, path)
	o.blame(before, path)
	return true
}

// word makes the node of one value; where text is wanted, null and 12 are text.
func word(value string, t reflect.Type) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	if t.Kind() == reflect.String {
		n.Tag = "!!str"
	}
	return n
}

func (o *overriding) setSecret(v reflect.Value, path string, file bool) bool {
	before := len(o.faults)
	secret := NewSecret(o.value)
	if file {
		var err error
		if secret, err = readSecret("", o.value); err != nil {
			o.fault(path, 0, "%s", err)
		}
	}
	v.Set(reflect.ValueOf(secret))
	o.blame(before, path)
	return true
}

// blame makes the variable the place of the faults it caused, and remembers
// that the value is its own.
func (o *overriding) blame(before int, path string) {
	for i := range o.faults[before:] {
		o.faults[before+i].Env, o.faults[before+i].Line = o.variable, 0
	}
	o.env[path] = o.variable
}

// single tells whether one word is enough for a value of the type.
func single(t reflect.Type) bool {
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface, reflect.Func, reflect.Chan, reflect.Array:
		return false
	}
	return true
}

// variables lists the names that would be known, to suggest the nearest.
func variables(v reflect.Value, prefix string, depth int) []string {
	if depth > 8 {
		return nil
	}
	var out []string
	t := v.Type()
	if single(t) || t == secretType || (t.Kind() == reflect.Slice && single(t.Elem())) {
		out = append(out, prefix)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v = reflect.New(t.Elem())
		}
		out = append(out, variables(v.Elem(), prefix, depth+1)...)
	case reflect.Struct:
		for _, f := range fieldsOf(t) {
			out = append(out, variables(v.FieldByIndex(f.index), prefix+"_"+envName(f.name), depth+1)...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, variables(v.Index(i), fmt.Sprintf("%s_%d", prefix, i), depth+1)...)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			out = append(out, variables(v.MapIndex(k), prefix+"_"+envName(k.String()), depth+1)...)
		}
	}
	return out
}
