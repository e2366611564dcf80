package refusal

import (
	"errors"

	"sluice/feature"
)

// Reasons why a value is no join key.
var (
	ErrNullKey = errors.New("null; a join key has a value")
	ErrNaNKey  = errors.New("NaN; a join key must equal itself")
)

// Key says what is wrong with the value of a join key in a row.
func Key(name string, row int, err error) error {
	return Of(feature.CodeType, "send join keys in the type that the view declares; nothing is converted from text",
		"join key %s, row %d: %v", name, row, err)
}
