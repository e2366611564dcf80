package sketch

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/feature"
)

// plain is a column as one would write it without a thought to speed.
type plain struct {
	n, nulls, nan, posInf, negInf, clipped uint64
	min, max                               float64
	bins                                   []uint64
	sum, squares                           big.Int
	ranks                                  [1024]uint8
}

func (c *plain) add(v feature.Value, t feature.Type, f *FeatureLayout, key HashKey, start int64) {
	switch k := kindOf(t); {
	case v.IsNull():
		c.nulls++
	case k == presence:
		c.n++
	case k == texts:
		c.n++
		mark := plainSip(key, v.Text())
		c.distinct(mark)
		if f.Bins() > 0 {
			c.bins[c.category(f, mark)]++
		}
	case k == bools:
		c.n++
		c.distinct(plainNumber(key, uint64(v.Int())))
		if f.Bins() > 0 {
			c.bins[v.Int()]++
		}
	case k == floats:
		c.addFloat(v.Float(), f, key)
	case k == ages:
		c.distinct(plainNumber(key, uint64(v.Int())))
		c.number(float64(start-v.Int()), f)
	case k == lengths:
		c.distinct(plainNumber(key, uint64(len(v.List()))))
		c.number(float64(len(v.List())), f)
	default:
		c.distinct(plainNumber(key, uint64(v.Int())))
		c.number(float64(v.Int()), f)
	}
}

func (c *plain) addFloat(v float64, f *FeatureLayout, key HashKey) {
	switch {
	case math.IsNaN(v):
		c.nan++
	case math.IsInf(v, 1):
		c.posInf++
	case math.IsInf(v, -1):
		c.negInf++
	default:
		if v == 0 {
			v = 0
		}
		c.distinct(plainNumber(key, math.Float64bits(v+0)))
		c.number(v, f)
	}
}

func (c *plain) number(v float64, f *FeatureLayout) {
	if c.n == 0 || v < c.min {
		c.min = v
	}
	if c.n == 0 || v > c.max {
		c.max = v
	}
	c.n++
	if f.Bins() == 0 {
		return
	}
	bin := 0
	for _, e := range f.Edges {
		if v >= e {
			bin++
		}
	}
	c.bins[bin]++
	diff := v - f.Centre
	x := math.RoundToEven(diff * (MomentSteps / f.Scale))
	if math.Abs(diff*(MomentSteps/f.Scale)) > stepLimit {
		c.clipped++
		x = math.Copysign(stepLimit, diff)
	}
	step := big.NewInt(int64(x))
	c.sum.Add(&c.sum, step)
	c.squares.Add(&c.squares, new(big.Int).Mul(step, step))
}

func (c *plain) category(f *FeatureLayout, mark uint64) int {
	if bin := slices.Index(f.marks, mark); bin >= 0 {
		return bin
	}
	if slices.Contains(f.others, mark) {
		return f.Other()
	}
	return f.Unseen()
}

func (c *plain) distinct(hash uint64) {
	rank := uint8(1)
	for bit := 53; bit >= 0 && hash>>bit&1 == 0; bit-- {
		rank++
	}
	at := hash >> 54
	c.ranks[at] = max(c.ranks[at], rank)
}

func plainNumber(key HashKey, n uint64) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])
	hi, lo := bits.Mul64(n^k0^0x9e3779b97f4a7c15, k1^0xd6e8feb86659fd93)
	hi, lo = bits.Mul64(hi^lo^k1, 0xa0761d6478bd642f)
	return hi ^ lo
}

// plainSip is SipHash-1-3 as its paper has it: zero bytes up to the next block, whose
// last byte is the length.
func plainSip(key HashKey, text string) uint64 {
	s := newSip(binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:]))
	b := []byte(text)
	for b = append(b, 0); len(b)%8 != 0; b = append(b, 0) {
		continue
	}
	b[len(b)-1] = byte(len(text))
	for ; len(b) > 0; b = b[8:] {
		s.round(binary.LittleEndian.Uint64(b))
	}
	s.v2 ^= 0xff
	for range 3 {
		s.v0, s.v1, s.v2, s.v3 = mixed(s.v0, s.v1, s.v2, s.v3)
	}
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3
}

// check compares a column with what it should hold.
func (c *plain) check(t *testing.T, got *Column) {
	t.Helper()
	if got.kind.numeric() && c.n > 0 && (got.Min != c.min || got.Max != c.max) {
		t.Errorf("%s: min %v, max %v, want %v and %v", got.Type, got.Min, got.Max, c.min, c.max)
	}
	counts, want := []uint64{got.N, got.Nulls, got.NaN, got.PosInf, got.NegInf, got.Clipped}, []uint64{c.n, c.nulls, c.nan, c.posInf, c.negInf, c.clipped}
	if !slices.Equal(counts, want) {
		t.Errorf("%s: counts %d, want %d", got.Type, counts, want)
	}
	if !slices.Equal(got.bins, c.bins) {
		t.Errorf("%s: bins %d, want %d", got.Type, got.bins, c.bins)
	}
	if m := got.moments.whole(); m.sum.big().Cmp(&c.sum) != 0 || m.squares.big().Cmp(&c.squares) != 0 {
		t.Errorf("%s: moments %v and %v, want %v and %v", got.Type, m.sum.big(), m.squares.big(), &c.sum, &c.squares)
	}
	if got.hll != nil && !bytes.Equal(got.hll[:], c.ranks[:]) || got.hll == nil && c.ranks != [1024]uint8{} {
		t.Errorf("%s: registers differ", got.Type)
	}
}

// What is fast counts what is plain counts: one write at a time, in batches, and
// merged of two halves.
func TestColumnsArePlain(t *testing.T) {
	view := testView(testTypes...)
	rng := rand.New(rand.NewPCG(41, 42))
	writes := randomWrites(rng, view, 5000)
	for i, w := range writes { // far from the centre at times, and long texts
		if i%900 > 700 && !w.Values[0].IsNull() {
			w.Values[0] = feature.Float64Value(w.Values[0].Float() * 1e4)
		}
		w.Values[4] = feature.StringValue(string(bytes.Repeat([]byte{'a', byte(rng.IntN(256))}, rng.IntN(20))))
	}
	for name, layout := range map[string]*Layout{"binned": layoutOf(t, view, writes[:800]), "unbinned": Unbinned(view)} {
		want := make([]plain, len(view.Features))
		for i := range want {
			want[i].bins = NewProfile(view, layout, testKey).Columns[i].bins
		}
		for _, w := range writes {
			for i, f := range view.Features {
				if !w.Delete {
					want[i].add(w.Values[i], f.Type, layout.Feature(f.ID), testKey, windowStart(w))
				}
			}
		}
		one, batch := profileOf(view, layout, writes), NewProfile(view, layout, testKey)
		batch.AddBatch(writes)
		half := profileOf(view, layout, writes[:1000])
		if err := half.Merge(profileOf(view, layout, writes[1000:])); err != nil {
			t.Fatal(err)
		}
		for way, p := range map[string]*Profile{"one by one": one, "batch": batch, "merged": half} {
			t.Run(name+", "+way, func(t *testing.T) {
				for i := range want {
					want[i].check(t, &p.Columns[i])
				}
			})
		}
	}
}

// AddBatch gives the bytes that Add gives, however writes are cut into batches,
// whatever definition they were decoded under, and with values missing.
func TestAddBatchIsAdd(t *testing.T) {
	view := testView(testTypes...)
	same, fewer := *view, *view
	fewer.Features = slices.Clone(view.Features[2:])
	slices.Reverse(fewer.Features)
	rng := rand.New(rand.NewPCG(43, 44))
	writes := randomWrites(rng, view, 3000)
	layout := layoutOf(t, view, writes[:500])
	for i, w := range writes {
		switch {
		case i%11 == 3:
			w.View = &same
		case i%13 == 5 && i > 1000:
			w.View, w.Values = &fewer, randomWrites(rng, &fewer, 1)[0].Values
		case i%17 == 2:
			w.Values = w.Values[:4]
		case i%19 == 1:
			w.EventTime = w.EventTime.Add(time.Hour)
		}
	}
	want := encode(t, profileOf(view, layout, writes))
	for range 10 {
		p, rest := NewProfile(view, layout, testKey), writes
		for len(rest) > 0 {
			n := min(len(rest), rng.IntN(700))
			p.AddBatch(rest[:n])
			rest = rest[n:]
		}
		if !bytes.Equal(encode(t, p), want) {
			t.Fatal("batches give other bytes than single writes")
		}
	}
}

// The first few values of a batch count as any others.
func TestSmallBatches(t *testing.T) {
	view := testView(feature.Float64, feature.Int64, feature.String)
	rng := rand.New(rand.NewPCG(45, 46))
	layout := layoutOf(t, view, randomWrites(rng, view, 400))
	for trial := range 200 {
		writes := randomWrites(rng, view, trial%10)
		p := NewProfile(view, layout, testKey)
		p.AddBatch(writes)
		if !bytes.Equal(encode(t, p), encode(t, profileOf(view, layout, writes))) {
			t.Fatalf("trial %d: a batch of %d gives other bytes than single writes", trial, len(writes))
		}
	}
}
