package jsonform

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/feature"
)

// noon is the instant about which times are written.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// samples are values of every type that a feature may have.
var samples = []feature.Value{
	feature.Float64Value(5), feature.Float32Value(0.9486494), feature.Int64Value(-1 << 62), feature.Int32Value(-3),
	feature.StringValue("a<\"ü"), feature.BytesValue([]byte{0, 255}), feature.BoolValue(true),
	feature.TimestampValue(noon), feature.JSONValue(`{"a":[1,2]}`),
	feature.ListValue(feature.String, []feature.Value{feature.StringValue("x"), feature.StringValue("")}),
	feature.ListValue(feature.Float64, []feature.Value{feature.Float64Value(1), feature.Float64Value(-0.5)}),
}

func TestAppendFloat(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 5: "5.0", -0.5: "-0.5", 1e15: "1000000000000000.0", 1e16: "1e+16", 123456789.25: "123456789.25",
		1e-6: "0.000001", 9.5e-7: "9.5e-07", 5e-324: "5e-324", math.MaxFloat64: "1.7976931348623157e+308",
		math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`, float64(float32(0.1)): "0.10000000149011612",
	} {
		if got := string(appendFloat(nil, f)); got != want {
			t.Errorf("appendFloat(%g) = %s, want %s", f, got, want)
		}
	}
	if got := string(appendFloat(nil, math.Copysign(0, -1))); got != "-0.0" {
		t.Errorf("appendFloat(-0) = %s, want -0.0", got)
	}
	if got := string(appendFloat(nil, math.NaN())); got != `"NaN"` {
		t.Errorf("appendFloat(NaN) = %s", got)
	}
}

func TestAppendTime(t *testing.T) {
	for nanos, want := range map[time.Duration]string{
		0: `"2026-11-23T12:00:00Z"`, 500 * time.Millisecond: `"2026-11-23T12:00:00.500Z"`,
		1500: `"2026-11-23T12:00:00.000001500Z"`, time.Microsecond: `"2026-11-23T12:00:00.000001Z"`, 1: `"2026-11-23T12:00:00.000000001Z"`,
		-1: `"2026-11-23T11:59:59.999999999Z"`,
	} {
		if got := string(AppendTime(nil, noon.UnixNano()+int64(nanos))); got != want {
			t.Errorf("AppendTime(%v) = %s, want %s", nanos, got, want)
		}
	}
	if got := string(AppendTime(nil, -1e9)); got != `"1969-12-31T23:59:59Z"` {
		t.Errorf("AppendTime before 1970 = %s", got)
	}
}

// TestValueRoundTrip reads back what Append writes in the platform's style.
func TestValueRoundTrip(t *testing.T) {
	more := map[feature.Type][]feature.Value{
		feature.Float64: {feature.Float64Value(math.NaN()), feature.Float64Value(math.Inf(-1)), feature.Float64Value(1e300), feature.Float64Value(1 << 60)},
		feature.Float32: {feature.Float32Value(math.MaxFloat32), feature.Float32Value(float32(math.Inf(1)))},
		feature.String:  {feature.StringValue(""), feature.StringValue("\x00\x7f\u2028\\/\"\n\t\r</script>")},
		feature.Int64:   {feature.Int64Value(math.MaxInt64), feature.Int64Value(0)},
		feature.ListOf(feature.Timestamp): {
			feature.ListValue(feature.Timestamp, []feature.Value{feature.UnixSecondsValue(MinSecond), feature.UnixSecondsValue(MaxSecond)}),
		},
		feature.ListOf(feature.Bool): {feature.ListValue(feature.Bool, []feature.Value{}), feature.ListValue(feature.Bool, []feature.Value{feature.BoolValue(false)})},
	}
	for _, v := range samples {
		more[v.Type()] = append(more[v.Type()], v)
	}
	for typ, list := range more {
		for _, v := range append(list, feature.Null) {
			text := Append(nil, feature.AppendValue(nil, v), typ, Own)
			got, err := ValueOf(typ, text)
			if !json.Valid(text) || err != nil || !got.Equal(v) {
				t.Errorf("%s: %s read as %v, %v, want %v", typ, text, got, err, v)
			}
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "a\"\\\n\x00\x7f", "\xff\xfe", "\u2028ü😀", "<&>", "\xed\xa0\x80", "\ufffd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		out := AppendString(nil, text)
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q gave %s: %v", text, out, err)
		}
		if utf8.ValidString(text) && got != text {
			t.Fatalf("%q read back as %q", text, got)
		}
		if again := AppendString(nil, []byte(text)); string(again) != string(out) {
			t.Fatalf("bytes gave %s, text %s", again, out)
		}
	})
}

// FuzzScan takes JSON apart and compares with encoding/json.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"\"]"}],"c" : null }`, ` [ ] `, `{"\u0061":"\\","":{}}`, `"x"`, `-1e5`, "[\n\t1 ,true\r]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !WellFormed(b) {
			return
		}
		var want any
		if err := json.Unmarshal(b, &want); err != nil {
			return // a number beyond float64
		}
		if got := taken(t, Trimmed(b)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s taken apart is %v, want %v", b, got, want)
		}
	})
}

func taken(t *testing.T, raw []byte) any {
	switch raw[0] {
	case '{':
		out := map[string]any{}
		for key, value := range Members(raw) {
			out[Text(key)] = taken(t, value)
		}
		return out
	case '[':
		out := []any{}
		for i, value := range Elements(raw) {
			if i != len(out) {
				t.Fatalf("element %d is given as %d", len(out), i)
			}
			out = append(out, taken(t, value))
		}
		return out
	case '"':
		return Text(raw)
	}
	var scalar any
	if err := json.Unmarshal(raw, &scalar); err != nil {
		t.Fatalf("scalar %q: %v", raw, err)
	}
	return scalar
}

// FuzzValueOf reads any JSON as any type: it refuses or reads a value that is
// written and read back as the same.
func FuzzValueOf(f *testing.F) {
	for i, seed := range []string{`5`, `-1.5e300`, `"NaN"`, `"2026-11-23T12:00:00.5Z"`, `[1,2,[3]]`, `{"a": 1}`, `true`, `"AP8="`, `null`} {
		f.Add([]byte(seed), uint8(i))
	}
	all := []feature.Type{}
	for _, v := range samples {
		all = append(all, v.Type())
	}
	f.Fuzz(func(t *testing.T, raw []byte, which uint8) {
		if !WellFormed(raw) {
			return
		}
		typ := all[int(which)%len(all)]
		v, err := ValueOf(typ, Trimmed(raw))
		if err != nil {
			return
		}
		text := Append(nil, feature.AppendValue(nil, v), typ, Own)
		again, err := ValueOf(typ, text)
		if err != nil || !again.Equal(v) {
			t.Fatalf("%s as %s is %v, written %s, read back %v, %v", raw, typ, v, text, again, err)
		}
		if !json.Valid(Append(nil, feature.AppendValue(nil, v), typ, Feast)) {
			t.Fatalf("%s as %s is no JSON in Feast's style", raw, typ)
		}
	})
}
