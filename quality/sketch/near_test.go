package sketch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"sluice/feature"
)

// numberWrites returns a write of a float64 and of an int64 for each value.
func numberWrites(view *feature.View, values []float64) []*feature.Write {
	writes := make([]*feature.Write, len(values))
	for i, v := range values {
		whole := int64(0)
		if !math.IsNaN(v) {
			whole = int64(max(-1e18, min(v, 1e18)))
		}
		writes[i] = &feature.Write{View: view, Topic: "t", Offset: int64(i), Values: []feature.Value{feature.Float64Value(v), feature.Int64Value(whole)}}
	}
	return writes
}

// numberView is a view of a float64 and an int64, with a layout of both over values around 100.
func numberView(t testing.TB) (*feature.View, *Layout) {
	t.Helper()
	view, rng := testView(feature.Float64, feature.Int64), rand.New(rand.NewPCG(51, 52))
	values := make([]float64, 500)
	for i := range values {
		values[i] = 100 + 10*rng.NormFloat64()
	}
	return view, layoutOf(t, view, numberWrites(view, values))
}

// Whatever a column's values are, near its centre and far, and in whatever order they widen
// its range, it counts what is plain; so does a tally that fills up many times.
func TestNearAndFar(t *testing.T) {
	view, layout := numberView(t)
	rng := rand.New(rand.NewPCG(53, 54))
	limit := layout.Features[0].Scale * nearSteps / MomentSteps
	for name, draw := range map[string]func(i int) float64{
		"around the centre":   func(int) float64 { return 100 + 10*rng.NormFloat64() },
		"far from zero first": func(i int) float64 { return float64(200 - i%150) },
		"zero first":          func(i int) float64 { return float64(i % 7) },
		"at the limit":        func(i int) float64 { return 100 + limit*.999*float64(1-2*(i&1)) },
		"at one limit":        func(int) float64 { return 100 - limit*.999 },
		"about the limit":     func(int) float64 { return 100 + limit*(.9+.2*rng.Float64())*float64(1-2*rng.IntN(2)) },
		"beyond the limit":    func(int) float64 { return limit * (2 + rng.Float64()) },
		"all over":            func(int) float64 { return 100 + rng.NormFloat64()*math.Exp2(float64(rng.IntN(900)-100)) },
		"rising":              func(i int) float64 { return float64(i) },
		"falling":             func(i int) float64 { return float64(-i) },
		"by the least, up":    func(i int) float64 { return math.Float64frombits(math.Float64bits(100) + uint64(i)) },
		"by the least, down":  func(i int) float64 { return math.Float64frombits(math.Float64bits(100) - uint64(i)) },
	} {
		t.Run(name, func(t *testing.T) {
			values := make([]float64, 3001)
			for i := range values {
				values[i] = draw(i)
			}
			writes := numberWrites(view, values)
			batch := NewProfile(view, layout, testKey)
			batch.AddBatch(writes)
			for i, f := range view.Features {
				want := plain{bins: make([]uint64, layout.Features[i].Bins())}
				for _, w := range writes {
					want.add(w.Values[i], f.Type, &layout.Features[i], testKey, 0)
				}
				want.check(t, &profileOf(view, layout, writes).Columns[i])
				want.check(t, &batch.Columns[i])
			}
		})
	}
}

// A profile goes on counting after whatever it came from: single writes, batches, other
// profiles, its own bytes.
func TestProfileGoesOn(t *testing.T) {
	view, binned := numberView(t)
	for name, layout := range map[string]*Layout{"binned": binned, "unbinned": Unbinned(view)} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(40) {
				rng := rand.New(rand.NewPCG(seed, 55))
				values := make([]float64, 1500)
				for i := range values {
					values[i] = 100 + 10*rng.NormFloat64()*math.Exp2(float64(rng.IntN(30)*rng.IntN(2)))
				}
				writes := numberWrites(view, values)
				want, p := encode(t, profileOf(view, layout, writes)), NewProfile(view, layout, testKey)
				for len(writes) > 0 {
					n := min(1+rng.IntN(200), len(writes))
					p = goOn(t, p, writes[:n], rng.IntN(4))
					writes = writes[n:]
				}
				if !bytes.Equal(encode(t, p), want) {
					t.Fatalf("seed %d: other bytes than writes one by one give", seed)
				}
			}
		})
	}
}

// goOn returns p with writes, in one of four ways.
func goOn(t *testing.T, p *Profile, writes []*feature.Write, way int) *Profile {
	t.Helper()
	switch way {
	case 0:
		p.AddBatch(writes)
		return p
	case 1:
		if err := p.Merge(profileOf(writes[0].View, p.Layout(), writes)); err != nil {
			t.Fatal(err)
		}
		return p
	case 2:
		decoded, err := UnmarshalProfile(encode(t, p), p.Layout())
		if err != nil {
			t.Fatal(err)
		}
		if err := decoded.Resume(testKey); err != nil {
			t.Fatal(err)
		}
		p = decoded
	}
	for _, w := range writes {
		p.Add(w)
	}
	return p
}

// What is not finite is no number, whatever its bits are and whether it comes first or last.
func TestSpecialsAreNoNumbers(t *testing.T) {
	view, layout := numberView(t)
	for _, raw := range []uint64{math.MaxUint64, 1<<63 - 1, 0x7ff8 << 48, 0xfff8 << 48, 0x7ff0000000000001, 0x7ff0 << 48, 0xfff0 << 48} {
		for name, values := range map[string][]float64{"alone": nil, "after numbers": {90, 110, -1e300, 1e300}} {
			t.Run(fmt.Sprintf("%#x %s", raw, name), func(t *testing.T) {
				one := NewProfile(view, layout, testKey)
				batch := NewProfile(view, layout, testKey)
				writes := numberWrites(view, append(values, math.Float64frombits(raw)))
				for _, w := range writes {
					one.Add(w)
				}
				batch.AddBatch(writes)
				for way, p := range map[string]*Profile{"one by one": one, "batch": batch} {
					if c := &p.Columns[0]; c.N != uint64(len(values)) || c.NaN+c.PosInf+c.NegInf != 1 {
						t.Errorf("%s: %d numbers, %d not-a-number, %d and %d infinite, want %d and one of the others", way, c.N, c.NaN, c.PosInf, c.NegInf, len(values))
					}
				}
			})
		}
	}
}

// Many may read a profile that nobody adds to, what it has not settled yet among it: the
// race detector looks on.
func TestReadersShareAProfile(t *testing.T) {
	view, layout := numberView(t)
	p := profileOf(view, layout, numberWrites(view, []float64{90, 100, 110, 120, 95}))
	if p.Columns[0].moments.near == (tally{}) {
		t.Fatal("everything is settled: nothing is tested")
	}
	want := p.Digest()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			c := &p.Columns[0]
			into := NewProfile(view, layout, testKey)
			if err := into.Merge(p); err != nil {
				t.Error(err)
			}
			if got := p.Digest(); got != want || into.Columns[0].Mean() != c.Mean() || into.Columns[0].SD() != c.SD() || into.Columns[0].InnerSD() != c.InnerSD() {
				t.Errorf("digest %s, want %s; merged mean %v, SD %v, want %v, %v", got, want, into.Columns[0].Mean(), into.Columns[0].SD(), c.Mean(), c.SD())
			}
		})
	}
	readers.Wait()
}
