package feature

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Key is the encoded entity key of a row: the join keys' values in the order of
// the view's entities, each as a length-prefixed serialized value. Two keys are
// the same entity if and only if their bytes are equal. It may hold any byte.
type Key string

// NewKey encodes values, one per entity of view and none of them null.
func NewKey(view *View, values []Value) (Key, error) {
	if len(values) != len(view.Entities) {
		return "", fmt.Errorf("key of %s: %d values for %d join keys", view.Name, len(values), len(view.Entities))
	}
	var b []byte
	for i, v := range values {
		if v.Type() != view.Entities[i].Type {
			return "", fmt.Errorf("key of %s: join key %s: want %s", view.Name, view.Entities[i].Name, view.Entities[i].Type)
		}
		value := AppendValue(nil, v)
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	return Key(b), nil
}

// Values decodes the key; ErrCorrupt if it is none.
func (k Key) Values() ([]Value, error) {
	var values []Value
	for rest := []byte(k); len(rest) > 0; {
		var part []byte
		var err error
		if part, rest, err = cutBytes(rest); err != nil {
			return nil, fmt.Errorf("decode key: %w", err)
		}
		v, err := DecodeValue(part)
		if err != nil {
			return nil, fmt.Errorf("decode key: %w", err)
		}
		values = append(values, v)
	}
	return values, nil
}

// Text shows the key to people as name=value pairs, escaped and cut to 256 bytes.
func (k Key) Text(view *View) string {
	values, err := k.Values()
	if err != nil || len(values) != len(view.Entities) {
		return fmt.Sprintf("%.256q", string(k))
	}
	var parts []string
	for i, v := range values {
		text := v.Text()
		if v.Type() != String {
			text = fmt.Sprint(v.Int())
		}
		parts = append(parts, fmt.Sprintf("%s=%.100s", view.Entities[i].Name, fmt.Sprintf("%q", text)))
	}
	return fmt.Sprintf("%.256s", strings.Join(parts, ","))
}
