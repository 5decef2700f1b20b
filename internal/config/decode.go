package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	maxDepth  = 100    // of nesting: more is a mistake or an attack
	maxCopies = 10_000 // nodes decoded through aliases
)

// defaulter is implemented by configurations that stand in lists, maps or
// behind pointers: there is no earlier value to hold their defaults.
type defaulter interface{ SetDefaults() }

// target gives the value behind the pointer that the caller passed.
func target(into any) (reflect.Value, error) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return v, fmt.Errorf("config: cannot load into %T: a pointer is needed", into)
	}
	return v.Elem(), nil
}

// decode sets v from a node. Faults are recorded, never returned: the walk goes
// on so that the operator sees them all. It tells whether v was set.
func (l *loader) decode(n *yaml.Node, v reflect.Value, path string) bool {
	l.depth++
	defer func() { l.depth-- }()
	if l.depth > maxDepth {
		l.fault(path, n.Line, "nested deeper than %d levels", maxDepth)
		return false
	}
	if n.Kind == yaml.AliasNode {
		l.alias++
		defer func() { l.alias-- }()
		return l.decode(n.Alias, v, path)
	}
	if l.alias > 0 {
		if l.copies++; l.copies > maxCopies {
			if l.copies == maxCopies+1 {
				l.fault(path, n.Line, "the aliases of this file expand to more than %d values", maxCopies)
			}
			return false
		}
	}
	if v.Type() == secretType {
		l.fault(path, n.Line, "a secret is not written here: name a file with %s, or set it by environment", lastKey(path)+fileSuffix)
		return false
	}
	if v.Kind() == reflect.Pointer {
		return l.decodePointer(n, v, path)
	}
	if done, ok := l.decodeCustom(n, v, path); done {
		return ok
	}
	switch v.Kind() {
	case reflect.Struct:
		return l.decodeStruct(n, v, path)
	case reflect.Map:
		return l.decodeMap(n, v, path)
	case reflect.Slice:
		return l.decodeSlice(n, v, path)
	}
	return l.decodeScalar(n, v, path)
}

// fresh makes a value that starts from its defaults.
func fresh(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if d, ok := reflect.TypeAssert[defaulter](p); ok {
		d.SetDefaults()
	}
	return p
}

// decodePointer fills what a pointer points to, which is made where it is not
// there yet. An empty block is a block of defaults.
func (l *loader) decodePointer(n *yaml.Node, v reflect.Value, path string) bool {
	p := v
	if v.IsNil() {
		p = fresh(v.Type().Elem())
	}
	if !l.decode(n, p.Elem(), path) {
		return false
	}
	v.Set(p)
	return true
}

// decodeCustom leaves the value to its own methods, if it has any.
func (l *loader) decodeCustom(n *yaml.Node, v reflect.Value, path string) (done, ok bool) {
	if !v.CanAddr() {
		return false, false
	}
	var err error
	switch u := v.Addr().Interface().(type) {
	case yaml.Unmarshaler:
		err = u.UnmarshalYAML(n)
	case encoding.TextUnmarshaler:
		if n.Kind != yaml.ScalarNode || isNull(n) {
			// A struct may have a short form beside its keys; nothing is no word.
			return false, false
		}
		err = u.UnmarshalText([]byte(n.Value))
	default:
		return false, false
	}
	if err != nil {
		line, text := yamlError(err)
		if line == 0 {
			line = n.Line
		}
		l.fault(path, line, "%s", text)
	}
	return true, err == nil
}

func (l *loader) decodeStruct(n *yaml.Node, v reflect.Value, path string) bool {
	if isNull(n) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		l.fault(path, n.Line, "must be a block of keys, not %s", describe(n))
		return false
	}
	fields := fieldsOf(v.Type())
	var names []string
	for _, f := range fields {
		if f.typ != secretType || f.file {
			names = append(names, f.name)
		}
	}
	l.eachKey(n, path, func(key string, line int, value *yaml.Node) {
		at := join(path, key)
		for _, f := range fields {
			if f.name != key {
				continue
			}
			if f.file {
				l.decodeSecretFile(value, v.FieldByIndex(f.index), at)
			} else {
				l.decode(value, v.FieldByIndex(f.index), at)
			}
			return
		}
		l.fault(at, line, "%s", unknown("key", key, names))
	})
	return true
}

func (l *loader) decodeSecretFile(n *yaml.Node, v reflect.Value, path string) {
	var name string
	if !l.decodeScalar(n, reflect.ValueOf(&name).Elem(), path) {
		return
	}
	secret, err := readSecret(l.dir, name)
	if err != nil {
		l.fault(path, n.Line, "%s", err)
		return
	}
	v.Set(reflect.ValueOf(secret))
}

func (l *loader) decodeMap(n *yaml.Node, v reflect.Value, path string) bool {
	if isNull(n) {
		return true
	}
	if n.Kind != yaml.MappingNode {
		l.fault(path, n.Line, "must be a block of names and values, not %s", describe(n))
		return false
	}
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		l.fault(path, n.Line, "cannot be set from a file: %s", t)
		return false
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(t))
	}
	l.eachKey(n, path, func(key string, _ int, value *yaml.Node) {
		element := fresh(t.Elem()).Elem()
		name := reflect.ValueOf(key).Convert(t.Key())
		if old := v.MapIndex(name); old.IsValid() {
			element.Set(old)
		}
		if l.decode(value, element, join(path, key)) {
			v.SetMapIndex(name, element)
		}
	})
	return true
}

// eachKey calls fn for every key of a mapping, after refusing what a key must
// not be.
func (l *loader) eachKey(n *yaml.Node, path string, fn func(key string, line int, value *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content) && !l.full(); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			l.fault(path, k.Line, "a key must be a word, not %s", describe(k))
			continue
		case k.ShortTag() == "!!merge":
			l.fault(path, k.Line, "merge keys (<<) are not supported: write the values out")
			continue
		}
		at := join(path, k.Value)
		if first, twice := seen[k.Value]; twice {
			l.fault(at, k.Line, "given twice, first in line %d", first)
			continue
		}
		seen[k.Value] = k.Line
		l.lines[at] = k.Line
		fn(k.Value, k.Line, value)
	}
}

// decodeSlice replaces the list: a default list and a given one are not mixed.
func (l *loader) decodeSlice(n *yaml.Node, v reflect.Value, path string) bool {
	if isNull(n) {
		l.fault(path, n.Line, "has no value; write [] for an empty list")
		return false
	}
	if n.Kind != yaml.SequenceNode {
		l.fault(path, n.Line, "must be a list, not %s", describe(n))
		return false
	}
	list := reflect.MakeSlice(v.Type(), 0, len(n.Content))
	for i, item := range n.Content {
		if l.full() {
			return false
		}
		at := fmt.Sprintf("%s[%d]", path, i)
		l.lines[at] = item.Line
		element := fresh(v.Type().Elem()).Elem()
		l.decode(item, element, at)
		// A faulty element keeps its place, so that later ones keep their index.
		list = reflect.Append(list, element)
	}
	v.Set(list)
	return true
}

// decodeScalar sets a single value.
func (l *loader) decodeScalar(n *yaml.Node, v reflect.Value, path string) bool {
	if v.Kind() == reflect.Interface && v.NumMethod() == 0 {
		var x any
		if err := n.Decode(&x); err != nil {
			_, text := yamlError(err)
			l.fault(path, n.Line, "%s", text)
			return false
		}
		if x != nil {
			v.Set(reflect.ValueOf(x))
		}
		return true
	}
	if isNull(n) {
		l.fault(path, n.Line, "has no value")
		return false
	}
	if n.Kind != yaml.ScalarNode {
		l.fault(path, n.Line, "must be %s, not %s", wanted(v.Type()), describe(n))
		return false
	}
	if err := setScalar(n, v); err != nil {
		l.fault(path, n.Line, "%s", err)
		return false
	}
	return true
}

var durationType = reflect.TypeFor[time.Duration]()

func setScalar(n *yaml.Node, v reflect.Value) error {
	wrong := fmt.Errorf("must be %s, not %s", wanted(v.Type()), describe(n))
	if v.Type() == durationType {
		d, err := time.ParseDuration(n.Value)
		if err != nil {
			if _, e := strconv.ParseFloat(n.Value, 64); e == nil {
				return fmt.Errorf("%q has no unit: write a duration such as %q", bounded(n.Value), bounded(n.Value)+"s")
			}
			return wrong
		}
		v.SetInt(int64(d))
		return nil
	}
	switch k := v.Kind(); k {
	case reflect.String:
		switch n.ShortTag() {
		case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
			// Unquoted 2026 or yes is text where text is wanted.
			v.SetString(n.Value)
			return nil
		}
		return wrong
	case reflect.Bool:
		var x bool
		if n.Decode(&x) != nil {
			return wrong
		}
		v.SetBool(x)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var x int64
		if n.ShortTag() != "!!int" || n.Decode(&x) != nil {
			return wrong
		}
		if v.OverflowInt(x) {
			return errors.New(bounded(n.Value) + " is out of range")
		}
		v.SetInt(x)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var x uint64
		if n.ShortTag() != "!!int" || n.Decode(&x) != nil {
			return wrong
		}
		if v.OverflowUint(x) {
			return errors.New(bounded(n.Value) + " is out of range")
		}
		v.SetUint(x)
	case reflect.Float32, reflect.Float64:
		var x float64
		if n.Decode(&x) != nil {
			return wrong
		}
		if math.IsNaN(x) || math.IsInf(x, 0) || v.OverflowFloat(x) {
			return errors.New(bounded(n.Value) + " is out of range")
		}
		v.SetFloat(x)
	default:
		return fmt.Errorf("cannot be set from a file: %s", v.Type())
	}
	return nil
}

// wanted names a type in the operator's words.
func wanted(t reflect.Type) string {
	if t == durationType {
		return `a duration such as "30s" or "5m"`
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return t.String()
}

// describe names what stands in a node.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return "nothing"
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return strconv.Quote(bounded(n.Value))
	default:
		return "a value tagged " + bounded(tag)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// bounded keeps the quotation of a value short.
func bounded(s string) string {
	const limit = 60
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
