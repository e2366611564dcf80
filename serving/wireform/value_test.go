package wireform

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	feasttypes "sluice/api/feast/types"
	"sluice/feature"
)

// samples are values of every type that a feature may have.
var samples = []feature.Value{
	feature.Float64Value(5), feature.Float32Value(0.9486494), feature.Int64Value(-1 << 62), feature.Int32Value(-3),
	feature.StringValue("a<\"ü"), feature.BytesValue([]byte{0, 255}), feature.BoolValue(true),
	feature.UnixSecondsValue(1_764_000_000), feature.JSONValue(`{"a":[1,2]}`),
	feature.ListValue(feature.String, []feature.Value{feature.StringValue("x"), feature.StringValue("")}),
	feature.ListValue(feature.Float64, []feature.Value{feature.Float64Value(1), feature.Float64Value(-0.5)}),
}

// FuzzValueOf reads any bytes as a context value of any type: what is taken is null
// or of that type, is what the protobuf runtime reads, and what is left to it is read the
// second time or refused.
func FuzzValueOf(f *testing.F) {
	all := []feature.Type{feature.Int32, feature.Int64, feature.Float32, feature.Float64, feature.String, feature.Bytes, feature.Bool, feature.Timestamp,
		feature.ListOf(feature.Float64), feature.ListOf(feature.String), feature.ListOf(feature.Int32), feature.ListOf(feature.Timestamp)}
	for i, v := range samples {
		f.Add(feature.AppendValue(nil, v), uint8(i))
		f.Add(feature.AppendValue(nil, v), uint8(3))
	}
	f.Add([]byte{19 << 3 & 0x7f, 0}, uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		typ := all[int(which)%len(all)]
		v, err := ValueOf(typ, b)
		var read feasttypes.Value
		known := proto.Unmarshal(b, &read) == nil
		if errors.Is(err, ErrUnusual) && known {
			read.ProtoReflect().SetUnknown(nil)
			usual, marshalErr := proto.MarshalOptions{Deterministic: true}.Marshal(&read)
			if marshalErr != nil {
				t.Fatal(marshalErr)
			}
			v, err = ValueOf(typ, usual)
		}
		if err != nil {
			return
		}
		if !v.IsNull() && v.Type() != typ {
			t.Fatalf("%x as %s is %s", b, typ, v.Type())
		}
		if again, err := ValueOf(typ, feature.AppendValue(nil, v)); err != nil || !again.Equal(v) {
			t.Fatalf("%x is %v, written and read again %v (%v)", b, v, again, err)
		}
	})
}
