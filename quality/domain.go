package quality

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
)

// domain is a set of allowed values. Of its maps one is in use, by type.
type domain struct {
	texts   map[string]struct{}
	numbers map[float64]struct{}
	ints    map[int64]struct{} // integers, timestamps, bools
	text    string             // the list, cut
}

// newDomain returns nil if f has no list of values.
func newDomain(f *feature.Feature) (*domain, error) {
	if len(f.Expect.In) == 0 {
		return nil, nil
	}
	d := &domain{
		texts: map[string]struct{}{}, numbers: map[float64]struct{}{}, ints: map[int64]struct{}{},
		text: "[" + strings.Trim(quote(strings.Join(f.Expect.In, " ")), `"`) + "]",
	}
	for _, text := range f.Expect.In {
		if err := d.allow(text, f.Type.Elem()); err != nil {
			return nil, fmt.Errorf("in: %s is no %s: %w", quote(text), f.Type.Elem(), ErrExpect)
		}
	}
	return d, nil
}

// allow adds the value of type t that has that text form.
func (d *domain) allow(text string, t feature.Type) error {
	switch t {
	case feature.String, feature.Bytes:
		d.texts[text] = struct{}{}
		return nil
	case feature.Float32, feature.Float64:
		size := 64
		if t == feature.Float32 {
			size = 32
		}
		v, err := strconv.ParseFloat(text, size)
		if err != nil || math.IsNaN(v) {
			return ErrExpect
		}
		d.numbers[v] = struct{}{}
		return nil
	}
	v, err := parseInt(text, t)
	if err == nil {
		d.ints[v] = struct{}{}
	}
	return err
}

func parseInt(text string, t feature.Type) (int64, error) {
	switch t {
	case feature.Int32:
		return strconv.ParseInt(text, 10, 32)
	case feature.Int64:
		return strconv.ParseInt(text, 10, 64)
	case feature.Bool:
		if text != "true" && text != "false" {
			return 0, ErrExpect
		}
		return feature.BoolValue(text == "true").Int(), nil
	case feature.Timestamp:
		at, err := time.Parse(time.RFC3339, text)
		return at.Unix(), err
	}
	return 0, ErrExpect
}

func (d *domain) has(v *feature.Value) bool {
	var ok bool
	switch v.Type() {
	case feature.String, feature.Bytes:
		_, ok = d.texts[v.Text()]
	case feature.Float32, feature.Float64:
		_, ok = d.numbers[v.Float()]
	default:
		_, ok = d.ints[v.Int()]
	}
	return ok
}
