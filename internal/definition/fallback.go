package definition

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// maxDefault is the longest default of a feature, in bytes of JSON: every server keeps it.
const maxDefault = 4 << 10

// value reads a value of any type as JSON; of which type it is to be is checked once that
// is known.
func (d *decoder) value(to *json.RawMessage) setter {
	return func(n *yaml.Node, key string) {
		v, ok := d.any(n, key)
		if !ok {
			return
		}
		text, err := json.Marshal(v)
		if err != nil {
			d.problem(n, key, "it cannot be written as JSON: %v", err)
			return
		}
		*to = text
	}
}

// any reads what encoding/json writes: texts as they stand, whole numbers with all their
// digits, lists and objects.
func (d *decoder) any(n *yaml.Node, key string) (any, bool) {
	n, ok := d.enter(n, key)
	if !ok {
		return nil, false
	}
	switch n.Kind {
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			v, ok := d.any(item, key)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case yaml.MappingNode:
		object := map[string]any{}
		d.pairs(n, key, func(k, v *yaml.Node, at string) {
			var one bool
			object[k.Value], one = d.any(v, at)
			ok = ok && one
		})
		return object, ok
	}
	return d.anyScalar(n, key)
}

func (d *decoder) anyScalar(n *yaml.Node, key string) (any, bool) {
	n, ok := d.scalar(n, key, "a value: without one, null is given already")
	if !ok {
		return nil, false
	}
	var v any
	switch n.Tag {
	case "!!int", "!!float", "!!bool":
		if err := n.Decode(&v); err != nil {
			d.problem(n, key, "%s: %v", show(n.Value), err)
			return nil, false
		}
		return v, true
	}
	return n.Value, true
}

// validateDefault wants a value of the feature's type.
func validateDefault(f *feature.Feature, key string, found *Problems) {
	if f.Default == nil || !f.Type.Valid() {
		return
	}
	if len(f.Default) > maxDefault {
		found.add("", 0, key, "%d bytes of JSON, and at most %d are kept", len(f.Default), maxDefault)
		return
	}
	if err := checkJSON(f.Type, f.Default); err != nil {
		found.add("", 0, key, "%v", err)
	}
}

// checkJSON returns why a JSON value is none of type t, as the doors of serving read it.
func checkJSON(t feature.Type, text json.RawMessage) error {
	if t == feature.JSON {
		return nil
	}
	if t.IsList() {
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil || list == nil {
			return fmt.Errorf("%s is no %s", show(string(text)), t)
		}
		for i, item := range list {
			if err := checkJSON(t.Elem(), item); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		return nil
	}
	var v any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil || !isOf(t, v) {
		return errors.Join(err, fmt.Errorf("%s is no %s", show(string(text)), t))
	}
	return nil
}

// isOf reports whether a scalar of JSON is one of type t.
func isOf(t feature.Type, v any) bool {
	switch v := v.(type) {
	case bool:
		return t == feature.Bool
	case json.Number:
		return t.Numeric() && t != feature.Timestamp && readable(t, v.String())
	case string:
		return t == feature.String || t == feature.Bytes && isBase64(v) || t == feature.Timestamp && readable(t, v)
	}
	return false
}

func isBase64(text string) bool {
	_, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil
}
