package sketch

import "sluice/feature"

// kind says how values of a type are profiled.
type kind uint8

const (
	presence kind = iota // json
	floats
	ints
	ages    // timestamps, as age in seconds
	lengths // lists, as number of elements
	texts   // strings and bytes
	bools
	hours // of the week: facet of timestamps
	paths // facet of json
)

func kindOf(t feature.Type) kind {
	switch {
	case t.IsList():
		return lengths
	case t.Float():
		return floats
	}
	switch t {
	case feature.Int32, feature.Int64:
		return ints
	case feature.Timestamp:
		return ages
	case feature.String, feature.Bytes:
		return texts
	case feature.Bool:
		return bools
	}
	return presence
}

// numeric reports whether values go to numeric bins and moments.
func (k kind) numeric() bool { return k >= floats && k <= lengths }

// sampled returns the type of what a sample holds of a value of type t.
func sampled(t feature.Type) feature.Type {
	switch kindOf(t) {
	case ages, lengths:
		return feature.Int64
	case presence:
		return feature.Bool
	}
	return t
}
