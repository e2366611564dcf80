package sketch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"syscall"
	"testing"

	"sluice/feature"
)

// benchProfile returns writes of one value each, the profile over their layout,
// and its only column.
func benchProfile(b *testing.B, t feature.Type, draw func(*rand.Rand) feature.Value) ([]*feature.Write, *Profile) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	view := testView(t)
	writes := make([]*feature.Write, 4096)
	for i := range writes {
		writes[i] = &feature.Write{View: view, Topic: "t", Offset: int64(i), Values: []feature.Value{draw(rng)}}
	}
	return writes, profileOf(view, layoutOf(b, view, writes), writes)
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
		writes, p := benchProfile(b, feature.Float64, draw)
		c := &p.Columns[0]
		b.Run("data="+name+"/distinct=no", func(b *testing.B) {
			n, report := 0, perValue(b)
			b.ReportAllocs()
			for b.Loop() {
				for _, w := range writes {
					if t, raw := feature.Peek(&w.Values[0]); t == 0 {
						c.Nulls++
					} else {
						c.addNumber(math.Float64frombits(raw) + 0)
					}
				}
				n += len(writes)
			}
			report(n)
		})
		b.Run("data="+name+"/distinct=yes", func(b *testing.B) { benchColumn(b, c, p, writes) })
	}
}

// BenchmarkString measures a string value with everything: hash, category and
// distinct count.
func BenchmarkString(b *testing.B) {
	for _, distinct := range []int{5, 1000, 100_000} {
		writes, p := benchProfile(b, feature.String, func(r *rand.Rand) feature.Value {
			return feature.StringValue(fmt.Sprintf("N%05d", r.IntN(distinct)))
		})
		b.Run(fmt.Sprintf("values=%d", distinct), func(b *testing.B) { benchColumn(b, &p.Columns[0], p, writes) })
	}
}

func benchColumn(b *testing.B, c *Column, p *Profile, writes []*feature.Write) {
	n, report := 0, perValue(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, w := range writes {
			c.add(&w.Values[0], &p.hash, 0)
		}
		n += len(writes)
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

// BenchmarkAdd measures a whole write of 10 features: 7 numbers, 3 strings.
func BenchmarkAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	var types []feature.Type
	for i := range 10 {
		types = append(types, []feature.Type{feature.Float64, feature.Int64, feature.String}[i%3])
	}
	view := testView(types...)
	writes := randomWrites(rng, view, 20_000)
	p := profileOf(view, layoutOf(b, view, writes), writes)
	n, report := 0, perValue(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, w := range writes {
			p.Add(w)
		}
		n += len(writes) * len(types)
	}
	report(n)
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
