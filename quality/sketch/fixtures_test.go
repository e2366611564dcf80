package sketch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

var testKey = HashKey{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

var testTypes = []feature.Type{
	feature.Float64, feature.Float32, feature.Int32, feature.Int64, feature.String, feature.Bytes, feature.Bool,
	feature.Timestamp, feature.JSON, feature.ListOf(feature.Float64),
	feature.ListOf(feature.String), feature.ListOf(feature.Bool), feature.ListOf(feature.Timestamp),
}

// testView returns a view with a feature of each type, named after it, and ids
// from 1.
func testView(types ...feature.Type) *feature.View {
	v := &feature.View{ID: 1, Name: "test", Window: feature.WindowSpec{Size: 5 * time.Minute}}
	for i, t := range types {
		v.Features = append(v.Features, feature.Feature{ID: uint32(i + 1), Name: fmt.Sprintf("f%d", i+1), Type: t})
	}
	return v
}

// watchedView is testView with something to remember of every feature that can be.
func watchedView(types ...feature.Type) *feature.View {
	v := testView(types...)
	v.Expect = []feature.Expectation{{Name: "time", Monotonic: feature.EventTimeName}, {Name: "row", Expr: "f1 > 0"}, {Name: "key", Unique: []string{"user"}}}
	for i := range v.Features {
		f := &v.Features[i]
		f.Expect.Unique, f.Expect.Monotonic = Watchable(f.Type), f.Type.Numeric()
	}
	if len(types) > 1 {
		v.Expect = append(v.Expect, feature.Expectation{Name: "pair", Unique: []string{"f2", "f1", "user"}})
	}
	return v
}

// randomValue returns a value of type t, at times null or one of the odd ones.
func randomValue(rng *rand.Rand, t feature.Type) feature.Value {
	if rng.IntN(20) == 0 {
		return feature.Null
	}
	if t.IsList() {
		list := make([]feature.Value, rng.IntN(5))
		for i := range list {
			list[i] = randomValue(rng, t.Elem())
		}
		return feature.ListValue(t.Elem(), list)
	}
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 5e-324, math.MaxFloat64, -math.MaxFloat64, 0}
	x := rng.NormFloat64()
	if rng.IntN(30) == 0 {
		x = odd[rng.IntN(len(odd))]
	}
	switch t {
	case feature.Float64:
		return feature.Float64Value(x)
	case feature.Float32:
		return feature.Float32Value(float32(x))
	case feature.Int32:
		return feature.Int32Value(int32(rng.IntN(9)))
	case feature.Int64:
		return feature.Int64Value(rng.Int64N(1e6))
	case feature.String:
		return feature.StringValue(fmt.Sprintf("value %d", int(math.Abs(rng.NormFloat64()*40))))
	case feature.Bytes:
		return feature.BytesValue([]byte{byte(rng.IntN(256)), 0xff})
	case feature.Bool:
		return feature.BoolValue(rng.IntN(3) == 0)
	case feature.Timestamp:
		return feature.UnixSecondsValue(1_000_000 + rng.Int64N(3600))
	}
	return feature.JSONValue(randomJSON(rng, 3))
}

// randomJSON returns a json value of at most that depth; at times it is none.
func randomJSON(rng *rand.Rand, depth int) string {
	leaves := []string{"1", `"x \" y"`, "true", "null", "-2.5e3", "{}", "[]", `{"a":1}`}
	if rng.IntN(60) == 0 {
		return `{"broken`
	}
	if depth == 0 || rng.IntN(4) == 0 {
		return leaves[rng.IntN(len(leaves))]
	}
	var parts []string
	list := rng.IntN(3) == 0
	for range rng.IntN(5) {
		part := randomJSON(rng, depth-1)
		if !list {
			part = fmt.Sprintf(`"k%d":%s`, rng.IntN(6), part)
		}
		parts = append(parts, part)
	}
	if list {
		return "[" + strings.Join(parts, ",") + "]"
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// randomWrites returns n writes of one window of view, three partitions wide.
func randomWrites(rng *rand.Rand, view *feature.View, n int) []*feature.Write {
	writes := make([]*feature.Write, n)
	for i := range writes {
		w := &feature.Write{View: view, Topic: "topic", Partition: int32(i % 3), Offset: int64(i / 3)}
		w.Key = feature.Key(fmt.Sprint("k", rng.IntN(200)))
		w.EventTime = time.Unix(1_000_200+rng.Int64N(300), 0).UTC()
		w.Delete = rng.IntN(25) == 0
		for _, f := range view.Features {
			w.Values = append(w.Values, randomValue(rng, f.Type))
		}
		writes[i] = w
	}
	return writes
}

// numbers returns writes of a view of one float64 feature.
func numbers(view *feature.View, values ...float64) []*feature.Write {
	writes := make([]*feature.Write, len(values))
	for i, v := range values {
		writes[i] = &feature.Write{View: view, Topic: "t", Offset: int64(i), Values: []feature.Value{feature.Float64Value(v)}}
	}
	return writes
}

func profileOf(view *feature.View, layout *Layout, writes []*feature.Write) *Profile {
	p := NewProfile(view, layout, testKey)
	for _, w := range writes {
		p.Add(w)
	}
	return p
}

// layoutOf builds a layout from the sample of writes.
func layoutOf(t testing.TB, view *feature.View, writes []*feature.Write) *Layout {
	t.Helper()
	l, err := BuildLayout(view, profileOf(view, Unbinned(view), writes))
	if err != nil {
		t.Fatal(err)
	}
	return l
}
