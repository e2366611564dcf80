package feature

import (
	"math"
	"testing"
)

func TestAdmit(t *testing.T) {
	nan, inf := Float64Value(math.NaN()), Float32Value(float32(math.Inf(-1)))
	list := ListValue(Float64, []Value{Float64Value(1), Float64Value(math.Inf(1)), nan})
	for name, tc := range map[string]struct {
		v      Value
		finite bool
		null   uint64 // bits of what the null stands for; 0: the value stays
	}{
		"NaN":          {nan, false, math.Float64bits(math.NaN())},
		"-Infinity":    {inf, false, math.Float64bits(math.Inf(-1))},
		"list":         {list, false, math.Float64bits(math.Inf(1))},
		"finite list":  {ListValue(Float32, []Value{Float32Value(1)}), true, 0},
		"largest":      {Float64Value(math.MaxFloat64), true, 0},
		"subnormal":    {Float64Value(5e-324), true, 0},
		"-0":           {Float64Value(math.Copysign(0, -1)), true, 0},
		"null":         {Null, true, 0},
		"large int":    {Int64Value(-1), true, 0},
		"text":         {StringValue("NaN"), true, 0},
		"list of text": {ListValue(String, []Value{StringValue("NaN")}), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.v.Finite(); got != tc.finite {
				t.Errorf("Finite() = %t, want %t", got, tc.finite)
			}
			for _, policy := range []string{"", NotFinitePass, NotFiniteReject} {
				kept := tc.v
				if (&Feature{NotFinite: policy}).Admit(&kept); !kept.Equal(tc.v) {
					t.Errorf("policy %q changed the value", policy)
				}
			}
			got := tc.v
			(&Feature{NotFinite: NotFiniteNull}).Admit(&got)
			_, bits := Peek(&got)
			if tc.null == 0 && !got.Equal(tc.v) || tc.null != 0 && (!got.IsNull() || bits != tc.null || !got.Equal(Null)) {
				t.Errorf("admitted as %v (null %t, bits %x), want null for %x", got.Float(), got.IsNull(), bits, tc.null)
			}
			if b := AppendValue(nil, got); tc.null != 0 && len(b) != 0 {
				t.Errorf("a null is stored as %x", b)
			}
		})
	}
}
