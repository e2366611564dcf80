package jsonform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// The targets of this file hold what is written by hand against encoding/json: it reads
// back there as what it was.

// FuzzValueText writes any stored value as JSON by hand and with encoding/json, in both
// styles: they read as the same.
func FuzzValueText(f *testing.F) {
	for i, v := range samples {
		f.Add(feature.AppendValue(nil, v), i%2 == 0)
	}
	for _, v := range []feature.Value{feature.Float64Value(math.NaN()), feature.Float64Value(math.Inf(-1)), feature.Float64Value(math.Copysign(0, -1)), feature.Float32Value(math.MaxFloat32), feature.StringValue("\u2028<\x00\"\\/"), feature.UnixSecondsValue(MaxSecond + 1)} {
		f.Add(feature.AppendValue(nil, v), true)
	}
	f.Fuzz(func(t *testing.T, cell []byte, own bool) {
		v, err := feature.DecodeValue(cell)
		if err != nil || v.IsNull() || strings.Contains(fmt.Sprint(v.Type()), "json") {
			return // json is checked where it is stored
		}
		style := Feast
		if own {
			style = Own
		}
		// The stored form of a value is the one that feature writes.
		got := Append(nil, feature.AppendValue(nil, v), v.Type(), style)
		want, err := json.Marshal(goValue(v, style))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(readExactly(t, got), readExactly(t, want)) {
			t.Fatalf("%v of type %s in style %d is %s, encoding/json writes %s", v, v.Type(), style, got, want)
		}
	})
}

// goValue is v as encoding/json is to write it.
func goValue(v feature.Value, style Style) any {
	t := v.Type()
	switch {
	case t.IsList():
		list := []any{}
		for _, item := range v.List() {
			list = append(list, goValue(item, style))
		}
		return list
	case t.Float():
		switch x := v.Float(); {
		case math.IsNaN(x):
			return "NaN"
		case math.IsInf(x, 1):
			return "Infinity"
		case math.IsInf(x, -1):
			return "-Infinity"
		default:
			return x
		}
	case t == feature.String:
		return v.Text()
	case t == feature.Bytes:
		return base64.StdEncoding.EncodeToString([]byte(v.Text()))
	case t == feature.Bool:
		return v.Bool()
	case t == feature.Timestamp:
		if n := v.Int(); style == Feast || n < MinSecond || n > MaxSecond {
			return n
		}
		return time.Unix(v.Int(), 0).UTC().Format(time.RFC3339)
	}
	return v.Int()
}

// readExactly reads JSON with encoding/json; numbers with a point or an exponent are
// float64, others are text.
func readExactly(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return exact(out)
}

func exact(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil && (strings.ContainsAny(v.String(), ".eE") || math.Abs(f) < 1<<53) {
			return fmt.Sprintf("%b", f)
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	}
	return v
}

// FuzzTimeText writes any instant of Unix nanoseconds.
func FuzzTimeText(f *testing.F) {
	for _, seed := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1_764_000_000_123_000_000} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		var got time.Time
		text := AppendTime(nil, n)
		if err := json.Unmarshal(text, &got); err != nil || !got.Equal(time.Unix(0, n)) || len(text)%4 == 0 && strings.Contains(string(text), ".") != (n%1e9 != 0) {
			t.Fatalf("%d is written as %s, read back as %s, %v", n, text, got, err)
		}
	})
}
