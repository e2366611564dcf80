package sketch

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// sliced returns testView with two slices: its strings, and a join key.
func sliced(types ...feature.Type) *feature.View {
	v := testView(types...)
	v.Entities = []feature.Entity{{Name: "site", Type: feature.Int64}}
	v.Slices = []string{"site"}
	for _, f := range v.Features {
		if f.Type == feature.String {
			v.Slices = append(v.Slices, f.Name)
		}
	}
	return v
}

// tag gives writes producers, schemas and keys; some have none.
func tag(t testing.TB, rng *rand.Rand, writes []*feature.Write) []*feature.Write {
	t.Helper()
	for _, w := range writes {
		if rng.IntN(10) > 0 {
			w.Producer = fmt.Sprintf("producer-%d", int(math.Abs(rng.NormFloat64()*6)))
		}
		if rng.IntN(3) > 0 {
			w.Schema = []string{"v1", "v2", "\xff\xfe", strings.Repeat("long", 40)}[rng.IntN(4)]
		}
		key, err := feature.NewKey(w.View, []feature.Value{feature.Int64Value(rng.Int64N(30))})
		if err != nil {
			t.Fatal(err)
		}
		w.Key = key
	}
	return writes
}

// refuseSome is addAll with refusals that know their write.
func refuseSome(p *Profile, writes []*feature.Write) *Profile {
	for _, w := range writes {
		switch n := w.Offset*3 + int64(w.Partition); {
		case n%17 == 0:
			p.AddLate(w)
		case n%23 == 0:
			p.RefuseWrite(w, int(n/23)%(len(w.Values)+1)-1)
		default:
			p.Add(w)
		}
	}
	return p
}

// The merge law holds for breakdowns, and for samples that carry tags.
func TestMergeLawOfBreakdowns(t *testing.T) {
	view := sliced(testTypes...)
	rng := rand.New(rand.NewPCG(31, 32))
	writes := tag(t, rng, randomWrites(rng, view, 2500))
	binned := layoutOf(t, view, writes[:800])
	if got := len(binned.Dimensions()); got != 4 {
		t.Fatalf("%d dimensions, want producer, schema and two slices: %+v", got, binned.Dimensions())
	}
	for name, layout := range map[string]*Layout{"binned": binned, "unbinned": Unbinned(view)} {
		t.Run(name, func(t *testing.T) {
			want := encode(t, refuseSome(NewProfile(view, layout, testKey), writes))
			for trial := range 12 {
				rng.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
				var parts []*Profile
				for n, left := 1+rng.IntN(6), writes; len(left) > 0; n-- {
					cut := len(left)
					if n > 1 {
						cut = rng.IntN(len(left) + 1)
					}
					parts, left = append(parts, restart(t, view, layout, left[:cut])), left[cut:]
				}
				if got := encode(t, mergeTree(t, rng, parts)); !bytes.Equal(got, want) {
					t.Fatalf("trial %d: parts merge to other bytes", trial)
				}
			}
		})
	}
}

// restart profiles writes with an end and a start halfway.
func restart(t *testing.T, view *feature.View, layout *Layout, writes []*feature.Write) *Profile {
	t.Helper()
	half := refuseSome(NewProfile(view, layout, testKey), writes[:len(writes)/2])
	again, err := UnmarshalProfile(encode(t, half), layout)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Resume(testKey); err != nil {
		t.Fatal(err)
	}
	return refuseSome(again, writes[len(writes)/2:])
}

// A breakdown is what profiles of the slots alone would count.
func TestBreakdownIsPlain(t *testing.T) {
	view := sliced(testTypes...)
	rng := rand.New(rand.NewPCG(33, 34))
	writes := tag(t, rng, randomWrites(rng, view, 3000))
	layout := layoutOf(t, view, writes[:800])
	whole := refuseSome(NewProfile(view, layout, testKey), writes)
	said := func(w *feature.Write, d Dimension) (string, bool) {
		switch {
		case d == ProducerDimension:
			return w.Producer, w.Producer != ""
		case d == SchemaDimension:
			return w.Schema, w.Schema != ""
		case d.Name == "site":
			values, _ := w.Key.Values()
			return fmt.Sprint(values[0].Int()), true
		}
		v := w.Values[view.FeatureAt(d.Name)]
		return v.Text(), !v.IsNull()
	}
	for d, at := range layout.Dimensions() {
		slots, rows := whole.Breakdown()[d].Slots, whole.Breakdown()[d].Rows
		if rows != whole.Profiled() {
			t.Errorf("%s: %d of %d rows were told apart", at.Name, rows, whole.Profiled())
		}
		alone := make([]*Profile, at.Slots())
		for i := range alone {
			alone[i] = NewProfile(view, layout, testKey)
		}
		for _, w := range writes {
			text, ok := said(w, at.Dimension)
			if !ok {
				continue
			}
			slot := int(at.table.find(whole.hash.text(text)))
			refuseSome(alone[slot], []*feature.Write{w})
		}
		for i, p := range alone {
			if slots[i].Rows != p.Profiled() || slots[i].Whole != p.RefusedWhole {
				t.Errorf("%s slot %d: %d rows %d refused, want %d and %d", at.Name, i, slots[i].Rows, slots[i].Whole, p.Profiled(), p.RefusedWhole)
			}
			for c := range p.Columns {
				col, part := &p.Columns[c], slots[i].Part(p.Columns[c].ID)
				missing := col.Nulls + col.NaN + col.PosInf + col.NegInf
				if part.Missing != missing || part.Refused != col.Refused || part.Bins != nil && fmt.Sprint(part.Bins) != fmt.Sprint(col.bins) {
					t.Errorf("%s slot %d column %d: %+v, want %d missing, %d refused, bins %v", at.Name, i, c, part, missing, col.Refused, col.bins)
				}
			}
		}
	}
}

// Records and views without dimensions have the bytes that they had before there were
// any, and rows that come by batch count as others do.
func TestWithoutDimensions(t *testing.T) {
	view := testView(testTypes...)
	rng := rand.New(rand.NewPCG(35, 36))
	writes := randomWrites(rng, view, 1000)
	layout := layoutOf(t, view, writes)
	body, _ := layout.MarshalBinary()
	if p := encode(t, profileOf(view, layout, writes)); p[0]&broken != 0 || body[0]&broken != 0 {
		t.Errorf("formats %#x and %#x say that a breakdown follows", p[0], body[0])
	}
	tagged := tag(t, rng, randomWrites(rng, sliced(testTypes...), 1000))
	view = tagged[0].View
	layout = layoutOf(t, view, tagged)
	batch := NewProfile(view, layout, testKey)
	batch.AddBatch(tagged)
	if !bytes.Equal(encode(t, batch), encode(t, profileOf(view, layout, tagged))) {
		t.Error("a batch counts otherwise than single writes")
	}
}

// Parts made under definitions with other slices merge to the same bytes, whichever
// comes first.
func TestSlicesChange(t *testing.T) {
	before, after := sliced(feature.Float64, feature.String), sliced(feature.Float64, feature.String)
	after.Slices = []string{"f2"}
	rng := rand.New(rand.NewPCG(37, 38))
	first, second := tag(t, rng, randomWrites(rng, before, 600)), tag(t, rng, randomWrites(rng, after, 600))
	for _, w := range second {
		w.Offset += 10_000
	}
	layout := layoutOf(t, before, first)
	one, two := profileOf(before, layout, first), profileOf(after, layout, second)
	a, err := UnmarshalProfile(encode(t, one), layout)
	if err != nil {
		t.Fatal(err)
	}
	b, err := UnmarshalProfile(encode(t, two), layout)
	if err := errors.Join(err, a.Merge(two), b.Merge(one)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, a), encode(t, b)) {
		t.Error("the order of merging shows")
	}
	for d, at := range layout.Dimensions() {
		slots, rows := a.Breakdown()[d].Slots, a.Breakdown()[d].Rows
		told := uint64(0)
		for _, s := range slots {
			told += s.Rows
		}
		if rows != a.Profiled() || at.Name == "site" && told != one.Profiled() {
			t.Errorf("%s: %d of %d rows told apart, want those of the first part", at.Name, told, rows)
		}
	}
}

// Values of a dimension are kept as categories are: the most frequent by their hash, with
// a text that is cut and valid. A view too wide for a breakdown has none.
func TestDimensionsOfALayout(t *testing.T) {
	view := sliced(feature.Float64, feature.String)
	rng := rand.New(rand.NewPCG(39, 40))
	layout := layoutOf(t, view, tag(t, rng, randomWrites(rng, view, 2000)))
	body, _ := layout.MarshalBinary()
	again, err := UnmarshalLayout(body)
	if err != nil || again.Digest() != layout.Digest() || len(again.Dimensions()) != 4 {
		t.Fatalf("UnmarshalLayout = %v: %d dimensions, digest %s, want %s", err, len(again.Dimensions()), again.Digest(), layout.Digest())
	}
	for i, d := range layout.Dimensions() {
		if got := again.Dimensions()[i]; got.Dimension != d.Dimension || got.Sample != d.Sample || !slices.Equal(got.Values, d.Values) {
			t.Errorf("dimension %d is %+v again, want %+v", i, got, d)
		}
		if len(d.Values) > MaxDimensionValues || d.Name == "producer" && d.Values[0] != "producer-1" && d.Values[0] != "producer-0" && d.Values[0] != "producer-2" {
			t.Errorf("%s: values %q", d.Name, d.Values)
		}
		for _, v := range d.Values {
			if len(v) > MaxText || strings.ToValidUTF8(v, "") != v {
				t.Errorf("%s: value %q of %d bytes is not for display", d.Name, v, len(v))
			}
		}
		if d.Name == "site" && len(d.others) == 0 {
			t.Errorf("site has 30 values: %+v", d)
		}
	}
	types := make([]feature.Type, 1000)
	for i := range types {
		types[i] = feature.Float64
	}
	wide := testView(types...)
	if layout := layoutOf(t, wide, headed(randomWrites(rng, wide, 300))); len(layout.Dimensions()) != 0 {
		t.Errorf("a view of 1,000 features has dimensions %+v", layout.Dimensions())
	}
}

func headed(writes []*feature.Write) []*feature.Write {
	for i, w := range writes {
		w.Producer, w.Schema = fmt.Sprintf("producer-%d", i%8), fmt.Sprintf("v%d", i%8)
	}
	return writes
}

func FuzzBreakdownDecode(f *testing.F) {
	view := sliced(feature.Float64, feature.String)
	rng := rand.New(rand.NewPCG(41, 42))
	writes := tag(f, rng, randomWrites(rng, view, 300))
	layout := layoutOf(f, view, writes)
	f.Add(encode(f, refuseSome(NewProfile(view, layout, testKey), writes[:100])), true)
	f.Add(encode(f, profileOf(view, Unbinned(view), writes[:20])), false)
	body, _ := layout.MarshalBinary()
	f.Add(body, true)
	f.Fuzz(func(t *testing.T, data []byte, binned bool) {
		if l, err := UnmarshalLayout(data); err == nil {
			if again, _ := l.MarshalBinary(); !bytes.Equal(again, data) {
				t.Fatal("layout changes in a round trip")
			}
		}
		over := layout
		if !binned {
			over = Unbinned(view)
		}
		p, err := UnmarshalProfile(data, over)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLayout) {
				t.Fatalf("decode error %v", err)
			}
			return
		}
		sum := NewProfile(view, over, HashKey{})
		if err := sum.Merge(p); err != nil {
			t.Fatal(err)
		}
		if len(p.Breakdown()) != len(over.Dimensions()) {
			t.Fatal("no breakdown by a dimension of the layout")
		}
		if again, _ := p.MarshalBinary(); !bytes.Equal(again, data) {
			t.Fatal("profile changes when its breakdown is read")
		}
	})
}

// BenchmarkBreakdown measures whole writes of 10 features, 7 numbers and 3 strings, that
// say nothing, a producer, or a producer and a schema of 8 values each, over a layout
// made from such rows, and reports what the profile takes encoded.
func BenchmarkBreakdown(b *testing.B) {
	var types []feature.Type
	for i := range 10 {
		types = append(types, []feature.Type{feature.Float64, feature.Int64, feature.String}[i%3])
	}
	view := testView(types...)
	for name, say := range map[string]func(i int, w *feature.Write){
		"0": func(int, *feature.Write) {},
		"1": func(i int, w *feature.Write) { w.Producer = fmt.Sprintf("producer-%d", i%8) },
		"2": func(i int, w *feature.Write) {
			w.Producer, w.Schema = fmt.Sprintf("producer-%d", i%8), fmt.Sprintf("schema-%d", i/8%8)
		},
	} {
		rng := rand.New(rand.NewPCG(3, 4))
		writes := randomWrites(rng, view, 20_000)
		for i, w := range writes {
			say(i, w)
		}
		layout := layoutOf(b, view, writes)
		for _, rows := range []int{1000, 20_000} {
			b.Run(fmt.Sprintf("dimensions=%s/rows=%d", name, rows), func(b *testing.B) {
				p := profileOf(view, layout, writes[:rows])
				size := len(encode(b, p))
				some := writes[:blockRows]
				n, report := 0, perValue(b)
				b.ReportAllocs()
				for b.Loop() {
					for _, w := range some {
						w.EventTime = w.EventTime.Add(time.Nanosecond) // another row
						p.Add(w)
					}
					n += len(some) * len(types)
				}
				report(n)
				b.ReportMetric(float64(size), "B/profile")
			})
		}
	}
}
