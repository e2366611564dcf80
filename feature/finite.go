package feature

// What becomes of a value that is not-a-number or infinite: Feature.NotFinite.
const (
	NotFinitePass   = "pass"   // the row has it
	NotFiniteNull   = "null"   // the row has null; the profile counts what it was
	NotFiniteReject = "reject" // the write is quarantined
)

// NotFinitePolicies are the words that Feature.NotFinite may have beside none, which is pass.
var NotFinitePolicies = []string{NotFinitePass, NotFiniteNull, NotFiniteReject}

// Finite reports whether v, or each element of a list, is neither not-a-number nor
// infinite. Null is finite, and so is whatever is no float.
func (v *Value) Finite() bool {
	if v.typ.IsList() && v.typ.Elem().Float() {
		for i := range v.list {
			if !v.list[i].Finite() {
				return false
			}
		}
		return true
	}
	return !v.typ.Float() || !special(v.bits)
}

func special(bits uint64) bool { return bits>>52&0x7ff == 0x7ff }

// Admit puts in place of a value of the feature that is not finite what the feature's
// policy says. A null that stands for one is null to everybody but Peek, which still
// gives the bits of what it was, so that profiles count it as that. A list is null as a
// whole, and is counted as its first element that is not finite.
func (f *Feature) Admit(v *Value) {
	if f.NotFinite == NotFiniteNull && !v.Finite() {
		*v = Value{bits: v.odd()}
	}
}

// odd returns the bits of a float, or of the first element of a list that is not finite.
func (v *Value) odd() uint64 {
	for i := range v.list {
		if !v.list[i].Finite() {
			return v.list[i].bits
		}
	}
	return v.bits
}

// Unsigned returns v, and 0 for the float -0.
func Unsigned(v Value) Value {
	if v.typ.Float() && v.bits == 1<<63 {
		v.bits = 0
	}
	return v
}
