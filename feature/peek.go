package feature

// Peek returns the type of *v, 0 for null, and the bits of a number: its two's
// complement, or its IEEE 754 form as float64; of null those of what it stands for, see
// Feature.Admit, or 0. A method of Value copies it whole,
// which costs more than what profiling does with a number.
func Peek(v *Value) (Type, uint64) { return v.typ, v.bits }

// PeekText is v.Text() without the copy.
func PeekText(v *Value) string { return v.text }
