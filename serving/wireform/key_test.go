package wireform

import (
	"bytes"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	feasttypes "sluice/api/feast/types"
	"sluice/feature"
)

// FuzzWireKey reads any bytes as the value of a join key of any type: what is taken is
// what the runtime reads, and what the runtime would write is taken or refused by its
// type alone.
func FuzzWireKey(f *testing.F) {
	for i, m := range []*feasttypes.Value{
		{Val: &feasttypes.Value_StringVal{StringVal: "a"}}, {Val: &feasttypes.Value_Int64Val{Int64Val: -1}}, {Val: &feasttypes.Value_Int32Val{Int32Val: -1}},
		{Val: &feasttypes.Value_DoubleVal{DoubleVal: .5}}, {Val: &feasttypes.Value_FloatVal{FloatVal: .1}}, {Val: &feasttypes.Value_BoolVal{BoolVal: true}},
		{Val: &feasttypes.Value_UnixTimestampVal{UnixTimestampVal: 7}}, {Val: &feasttypes.Value_BytesVal{BytesVal: []byte{0}}}, {Val: &feasttypes.Value_NullVal{}}, {},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(i))
	}
	scalars := []feature.Type{feature.String, feature.Int64, feature.Int32, feature.Float64, feature.Float32, feature.Bool, feature.Timestamp, feature.Bytes}
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		typ := scalars[int(which)%len(scalars)]
		var m feasttypes.Value
		runtime := proto.Unmarshal(b, &m)
		scalar, err := CutScalar(b)
		if err != nil {
			if again, fails := proto.Marshal(&m); runtime == nil && fails == nil && bytes.Equal(again, b) && scalarOf(&m) != nil && len(m.ProtoReflect().GetUnknown()) == 0 {
				t.Fatalf("%x, which the runtime writes, is refused: %v", b, err)
			}
			return
		}
		if runtime != nil {
			t.Fatalf("%x is read as %+v, the runtime says %v", b, scalar, runtime)
		}
		key, err := scalar.AppendKey(nil, typ)
		if err != nil {
			return
		}
		var back feasttypes.Value
		if err := proto.Unmarshal(key, &back); err != nil {
			t.Fatalf("%x as a key of type %s is %x: %v", b, typ, key, err)
		}
		if got, want := scalarOf(&back), scalarOf(&m); !sameScalar(got, want) {
			t.Fatalf("%x as a key of type %s is %v, the runtime reads %v", b, typ, got, want)
		}
		if v, err := feature.DecodeValue(key); err != nil || v.Type() != typ {
			t.Fatalf("%x as a key is of type %s, %v, want %s", b, v.Type(), err, typ)
		}
	})
}

// scalarOf returns the value of a message as Go's own; nil for none, and for lists.
func scalarOf(m *feasttypes.Value) any {
	switch v := m.GetVal().(type) {
	case *feasttypes.Value_BytesVal:
		return string(v.BytesVal)
	case *feasttypes.Value_StringVal:
		return v.StringVal
	case *feasttypes.Value_Int32Val:
		return int64(v.Int32Val)
	case *feasttypes.Value_Int64Val:
		return v.Int64Val
	case *feasttypes.Value_DoubleVal:
		return v.DoubleVal
	case *feasttypes.Value_FloatVal:
		return float64(v.FloatVal)
	case *feasttypes.Value_BoolVal:
		return v.BoolVal
	case *feasttypes.Value_UnixTimestampVal:
		return v.UnixTimestampVal
	}
	return nil
}

func sameScalar(a, b any) bool {
	if x, ok := a.(float64); ok {
		y, ok := b.(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	}
	return a == b
}
