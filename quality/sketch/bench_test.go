package sketch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"sluice/feature"
)

// benchProfile returns values of a type, side by side as those of a write are, the
// profile over their layout, and its only column.
func benchProfile(b *testing.B, t feature.Type, draw func(*rand.Rand) feature.Value) ([]feature.Value, *Profile) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	view := testView(t)
	values, writes := make([]feature.Value, 2048), make([]*feature.Write, 2048)
	for i := range writes {
		values[i] = draw(rng)
		writes[i] = &feature.Write{View: view, Topic: "t", Offset: int64(i), Values: values[i : i+1]}
	}
	return values, profileOf(view, layoutOf(b, view, writes), writes)
}

var families = map[string]func(*rand.Rand) feature.Value{
	"normal":    func(r *rand.Rand) feature.Value { return feature.Float64Value(r.NormFloat64()) },
	"lognormal": func(r *rand.Rand) feature.Value { return feature.Float64Value(math.Exp(1.5 * r.NormFloat64())) },
	"ties": func(r *rand.Rand) feature.Value {
		return feature.Float64Value(math.Floor(4 * math.Abs(r.NormFloat64())))
	},
	"nulls5": func(r *rand.Rand) feature.Value {
		if r.IntN(20) == 0 {
			return feature.Null
		}
		return feature.Float64Value(r.NormFloat64())
	},
}

// BenchmarkNumeric measures a float64 value: bins, moments and nulls without the
// distinct count, and with it.
func BenchmarkNumeric(b *testing.B) {
	for name, draw := range families {
		values, p := benchProfile(b, feature.Float64, draw)
		c := &p.Columns[0]
		b.Run("data="+name+"/distinct=no", func(b *testing.B) {
			n, report := 0, perValue(b)
			b.ReportAllocs()
			for b.Loop() {
				for i := range values {
					if t, raw := feature.Peek(&values[i]); t == 0 {
						c.Nulls++
					} else {
						c.addNumber(math.Float64frombits(raw) + 0)
					}
				}
				n += len(values)
			}
			report(n)
		})
		b.Run("data="+name+"/distinct=yes", func(b *testing.B) { benchColumn(b, p, values) })
		b.Run("data="+name+"/distinct=no/way=batch", func(b *testing.B) {
			benchBlocks(b, values, func(block *block) { c.addBins(block.keys[:c.takeFloats(block, 0, &p.hash)]) })
		})
		b.Run("data="+name+"/distinct=yes/way=batch", func(b *testing.B) {
			benchBlocks(b, values, func(block *block) { c.addBlock(block, 0, &p.hash) })
		})
	}
}

// benchBlocks measures add over blocks of rows of one value.
func benchBlocks(b *testing.B, values []feature.Value, add func(*block)) {
	blocks := make([]*block, len(values)/blockRows)
	for i := range blocks {
		blocks[i] = &block{starts: make([]int64, blockRows)}
		for k := range blockRows {
			blocks[i].rows = append(blocks[i].rows, &feature.Write{Values: values[i*blockRows+k : i*blockRows+k+1]})
		}
	}
	n, report := 0, perValue(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, block := range blocks {
			add(block)
		}
		n += len(values)
	}
	report(n)
}

// BenchmarkString measures a string value with everything: hash, category and
// distinct count.
func BenchmarkString(b *testing.B) {
	for _, distinct := range []int{5, 1000, 100_000} {
		values, p := benchProfile(b, feature.String, func(r *rand.Rand) feature.Value {
			return feature.StringValue(fmt.Sprintf("N%05d", r.IntN(distinct)))
		})
		b.Run(fmt.Sprintf("values=%d", distinct), func(b *testing.B) { benchColumn(b, p, values) })
	}
}

func benchColumn(b *testing.B, p *Profile, values []feature.Value) {
	n, report := 0, perValue(b)
	c := &p.Columns[0]
	b.ReportAllocs()
	for b.Loop() {
		for i := range values {
			c.add(&values[i], &p.hash, 0)
		}
		n += len(values)
	}
	report(n)
}

// perValue reports the process's CPU time a value; the returned function is to be
// called at the end.
func perValue(b *testing.B) func(n int) {
	before := cpuTime()
	return func(n int) { b.ReportMetric(float64(cpuTime()-before)/float64(n), "cpu-ns/value") }
}

// cpuTime returns the CPU time of the process in nanoseconds.
func cpuTime() int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

// mixedWrites returns writes of 10 features, 7 numbers and 3 strings.
func mixedWrites() (*feature.View, []*feature.Write) {
	var types []feature.Type
	for i := range 10 {
		types = append(types, []feature.Type{feature.Float64, feature.Int64, feature.String}[i%3])
	}
	view := testView(types...)
	return view, randomWrites(rand.New(rand.NewPCG(3, 4)), view, 20_000)
}

// BenchmarkAdd measures whole writes of 10 features as the tap decodes them, 7
// numbers and 3 strings: everything, sampling too.
func BenchmarkAdd(b *testing.B) {
	view, writes := mixedWrites()
	p := profileOf(view, layoutOf(b, view, writes), writes)
	writes = writes[:blockRows]
	for way, add := range map[string]func(){
		"single": func() {
			for _, w := range writes {
				p.Add(w)
			}
		},
		"batch": func() { p.AddBatch(writes) },
	} {
		b.Run("way="+way, func(b *testing.B) {
			n, report := 0, perValue(b)
			b.ReportAllocs()
			for b.Loop() {
				for _, w := range writes { // other rows
					w.EventTime = w.EventTime.Add(time.Nanosecond)
				}
				add()
				n += len(writes) * len(view.Features)
			}
			report(n)
		})
	}
}

// BenchmarkWindow measures profiles from their first write to their last, of windows of so
// many: many rows of a small one are sampled.
func BenchmarkWindow(b *testing.B) {
	view, writes := mixedWrites()
	layout := layoutOf(b, view, writes)
	for _, rows := range []int{200, 1000, 10_000} {
		b.Run(fmt.Sprint("rows=", rows), func(b *testing.B) {
			n, report := 0, perValue(b)
			b.ReportAllocs()
			for b.Loop() {
				profileOf(view, layout, writes[:rows])
				n += rows * len(view.Features)
			}
			report(n)
		})
	}
}

// BenchmarkMerge measures one feature, and reports its encoded size.
func BenchmarkMerge(b *testing.B) {
	for name, tc := range map[string]struct {
		typ  feature.Type
		draw func(*rand.Rand) feature.Value
	}{
		"numeric": {feature.Float64, families["normal"]},
		"string": {feature.String, func(r *rand.Rand) feature.Value {
			return feature.StringValue(fmt.Sprintf("N%05d", r.IntN(1000)))
		}},
	} {
		b.Run("feature="+name, func(b *testing.B) {
			_, p := benchProfile(b, tc.typ, tc.draw)
			_, o := benchProfile(b, tc.typ, tc.draw)
			n, report := 0, perValue(b)
			b.ReportAllocs()
			for b.Loop() {
				p.Columns[0].merge(&o.Columns[0])
				n++
			}
			report(n)
			b.ReportMetric(float64(len(o.Columns[0].append(nil))), "B/feature")
		})
	}
}

// BenchmarkCodec measures the binary form of a profile of 10 features and a full
// sample.
func BenchmarkCodec(b *testing.B) {
	view := testView(testTypes...)
	writes := randomWrites(rand.New(rand.NewPCG(5, 6)), view, 10_000)
	p := profileOf(view, layoutOf(b, view, writes), writes)
	encoded := encode(b, p)
	b.Run("way=encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encoded = p.append(encoded[:0])
		}
		b.ReportMetric(float64(len(encoded)), "B/profile")
	})
	b.Run("way=decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := UnmarshalProfile(encoded, p.Layout()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
