package serving

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/feature"
)

func TestAppendJSONFloat(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 5: "5.0", -0.5: "-0.5", 1e15: "1000000000000000.0", 1e16: "1e+16", 123456789.25: "123456789.25",
		1e-6: "0.000001", 9.5e-7: "9.5e-07", 5e-324: "5e-324", math.MaxFloat64: "1.7976931348623157e+308",
		math.Inf(1): `"Infinity"`, math.Inf(-1): `"-Infinity"`, float64(float32(0.1)): "0.10000000149011612",
	} {
		if got := string(appendJSONFloat(nil, f)); got != want {
			t.Errorf("appendJSONFloat(%g) = %s, want %s", f, got, want)
		}
	}
	if got := string(appendJSONFloat(nil, math.Copysign(0, -1))); got != "-0.0" {
		t.Errorf("appendJSONFloat(-0) = %s, want -0.0", got)
	}
	if got := string(appendJSONFloat(nil, math.NaN())); got != `"NaN"` {
		t.Errorf("appendJSONFloat(NaN) = %s", got)
	}
}

func TestAppendJSONTime(t *testing.T) {
	for nanos, want := range map[time.Duration]string{
		0: `"2026-11-23T12:00:00Z"`, 500 * time.Millisecond: `"2026-11-23T12:00:00.500Z"`,
		1500: `"2026-11-23T12:00:00.000001500Z"`, time.Microsecond: `"2026-11-23T12:00:00.000001Z"`, 1: `"2026-11-23T12:00:00.000000001Z"`,
		-1: `"2026-11-23T11:59:59.999999999Z"`,
	} {
		if got := string(appendJSONTime(nil, start.UnixNano()+int64(nanos))); got != want {
			t.Errorf("appendJSONTime(%v) = %s, want %s", nanos, got, want)
		}
	}
	if got := string(appendJSONTime(nil, -1e9)); got != `"1969-12-31T23:59:59Z"` {
		t.Errorf("appendJSONTime before 1970 = %s", got)
	}
}

// TestValueRoundTrip reads back what appendJSON writes in the platform's style.
func TestValueRoundTrip(t *testing.T) {
	more := map[feature.Type][]feature.Value{
		feature.Float64: {float(math.NaN()), float(math.Inf(-1)), float(1e300), float(1 << 60)},
		feature.Float32: {feature.Float32Value(math.MaxFloat32), feature.Float32Value(float32(math.Inf(1)))},
		feature.String:  {feature.StringValue(""), feature.StringValue("\x00\x7f\u2028\\/\"\n\t\r</script>")},
		feature.Int64:   {feature.Int64Value(math.MaxInt64), feature.Int64Value(0)},
		feature.ListOf(feature.Timestamp): {
			feature.ListValue(feature.Timestamp, []feature.Value{feature.UnixSecondsValue(minSecond), feature.UnixSecondsValue(maxSecond)}),
		},
		feature.ListOf(feature.Bool): {feature.ListValue(feature.Bool, []feature.Value{}), feature.ListValue(feature.Bool, []feature.Value{feature.BoolValue(false)})},
	}
	for i, f := range types {
		more[f.Type] = append(more[f.Type], values[i])
	}
	for typ, list := range more {
		for _, v := range append(list, feature.Null) {
			text := appendJSON(nil, feature.AppendValue(nil, v), typ, ownStyle)
			got, err := valueOf(typ, text)
			if !json.Valid(text) || err != nil || !got.Equal(v) {
				t.Errorf("%s: %s read as %v, %v, want %v", typ, text, got, err, v)
			}
		}
	}
}

func FuzzAppendJSONString(f *testing.F) {
	for _, seed := range []string{"", "a\"\\\n\x00\x7f", "\xff\xfe", "\u2028ü😀", "<&>", "\xed\xa0\x80", "\ufffd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		out := appendJSONString(nil, text)
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q gave %s: %v", text, out, err)
		}
		if utf8.ValidString(text) && got != text {
			t.Fatalf("%q read back as %q", text, got)
		}
		if again := appendJSONString(nil, []byte(text)); string(again) != string(out) {
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
		if !wellFormed(b) {
			return
		}
		var want any
		if err := json.Unmarshal(b, &want); err != nil {
			return // a number beyond float64
		}
		if got := taken(t, trimmed(b)); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s taken apart is %v, want %v", b, got, want)
		}
	})
}

func taken(t *testing.T, raw []byte) any {
	switch raw[0] {
	case '{':
		out := map[string]any{}
		for key, value := range members(raw) {
			out[jsonText(key)] = taken(t, value)
		}
		return out
	case '[':
		out := []any{}
		for i, value := range elements(raw) {
			if i != len(out) {
				t.Fatalf("element %d is given as %d", len(out), i)
			}
			out = append(out, taken(t, value))
		}
		return out
	case '"':
		return jsonText(raw)
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
	for _, x := range types {
		all = append(all, x.Type)
	}
	f.Fuzz(func(t *testing.T, raw []byte, which uint8) {
		if !wellFormed(raw) {
			return
		}
		typ := all[int(which)%len(all)]
		v, err := valueOf(typ, trimmed(raw))
		if err != nil {
			return
		}
		text := appendJSON(nil, feature.AppendValue(nil, v), typ, ownStyle)
		again, err := valueOf(typ, text)
		if err != nil || !again.Equal(v) {
			t.Fatalf("%s as %s is %v, written %s, read back %v, %v", raw, typ, v, text, again, err)
		}
		if !json.Valid(appendJSON(nil, feature.AppendValue(nil, v), typ, feastStyle)) {
			t.Fatalf("%s as %s is no JSON in Feast's style", raw, typ)
		}
	})
}
