package app

import (
	"reflect"
	"strings"
)

// Key is one key of the configuration.
type Key struct {
	Name string // dotted, as its flag is called
	Type string // text | list | number | bool | map
	Help string
	// Value is where a Config keeps it; it can be set if the Config was given by
	// pointer.
	Value reflect.Value
}

// Keys returns every key of c in the order of the file.
func (c *Config) Keys() []Key {
	return keysOf(reflect.ValueOf(c).Elem(), "")
}

func keysOf(v reflect.Value, prefix string) (keys []Key) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := prefix + field.Tag.Get("yaml")
		if v.Field(i).Kind() == reflect.Struct {
			keys = append(keys, keysOf(v.Field(i), name+".")...)
			continue
		}
		kinds := map[reflect.Kind]string{reflect.String: "text", reflect.Slice: "list", reflect.Int: "number", reflect.Float64: "number", reflect.Bool: "bool", reflect.Map: "map"}
		keys = append(keys, Key{Name: name, Type: kinds[v.Field(i).Kind()], Help: field.Tag.Get("help"), Value: v.Field(i)})
	}
	return keys
}

// keyNames returns every part of every key's name, for suggestions.
func keyNames() (names []string) {
	var c Config
	for _, k := range c.Keys() {
		names = append(names, strings.Split(k.Name, ".")...)
	}
	return names
}
