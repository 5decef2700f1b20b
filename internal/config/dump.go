package config

import (
	"encoding"
	"fmt"
	"io"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Dump writes the effective configuration as YAML: every key, the defaults
// included, secrets as the file they came from or as "[redacted]". Blocks that
// are not there (nil pointers) are left out, so what it writes loads again.
func Dump(w io.Writer, v any) error {
	n, err := dumpNode(reflect.ValueOf(v))
	if err != nil {
		return fmt.Errorf("dump configuration: %w", err)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return fmt.Errorf("dump configuration: %w", err)
	}
	return enc.Close()
}

func dumpNode(v reflect.Value) (*yaml.Node, error) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
		}
		v = v.Elem()
	}
	if n, err := dumpCustom(v); n != nil || err != nil {
		return n, err
	}
	switch v.Kind() {
	case reflect.Struct:
		return dumpStruct(v)
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			item, err := dumpNode(v.Index(i))
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, item)
		}
		return n, nil
	case reflect.Map:
		return dumpMap(v)
	}
	n := &yaml.Node{}
	return n, n.Encode(v.Interface())
}

// dumpCustom uses the value's own form; nil means that it has none. A struct
// with a short form (MarshalText) is written by its keys when that is empty.
func dumpCustom(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{}
	switch m := v.Interface().(type) {
	case yaml.Marshaler:
		return n, n.Encode(m)
	case fmt.Stringer:
		if v.Type() == durationType {
			return text(m.String()), nil
		}
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
		word, err := m.MarshalText()
		if err != nil || len(word) > 0 || v.Kind() != reflect.Struct {
			return text(string(word)), err
		}
	}
	return nil, nil
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func dumpStruct(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range fieldsOf(v.Type()) {
		inner := v.FieldByIndex(f.index)
		if inner.Type() == secretType {
			n.Content = append(n.Content, dumpSecret(f, inner.Interface().(Secret))...)
			continue
		}
		if inner.Kind() == reflect.Pointer && inner.IsNil() {
			continue
		}
		value, err := dumpNode(inner)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, text(f.name), value)
	}
	return n, nil
}

// dumpSecret writes the key that gave the secret, and nothing where none did.
func dumpSecret(f field, s Secret) []*yaml.Node {
	switch {
	case !s.IsSet() || f.file != (s.from != ""):
		return nil
	case f.file:
		return []*yaml.Node{text(f.name), text(s.from)}
	}
	value := text(redacted)
	value.LineComment = "# set by environment"
	return []*yaml.Node{text(f.name), value}
}

func dumpMap(v reflect.Value) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		switch x, y := fmt.Sprint(a), fmt.Sprint(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for _, k := range keys {
		value, err := dumpNode(v.MapIndex(k))
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, text(fmt.Sprint(k)), value)
	}
	return n, nil
}
