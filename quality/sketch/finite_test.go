package sketch

import (
	"fmt"
	"math"
	"testing"
	"time"

	"sluice/feature"
)

// finiteView has a float of each kind.
func finiteView(policy string) *feature.View {
	v := &feature.View{ID: 1, Name: "finite", Window: feature.WindowSpec{Size: time.Hour}}
	for i, t := range []feature.Type{feature.Float64, feature.Float32, feature.ListOf(feature.Float64)} {
		v.Features = append(v.Features, feature.Feature{ID: uint32(i + 1), Name: fmt.Sprint("f", i), Type: t, NotFinite: policy})
	}
	return v
}

// finiteWrites holds x in every feature of every third row.
func finiteWrites(view *feature.View, x float64) (writes []*feature.Write) {
	for i := range 600 {
		v := float64(i % 7)
		if i%3 == 0 {
			v = x
		}
		w := &feature.Write{View: view, Key: feature.Key(fmt.Sprint(i)), EventTime: time.Unix(int64(i), 0), Offset: int64(i),
			Values: []feature.Value{feature.Float64Value(v), feature.Float32Value(float32(v)), feature.ListValue(feature.Float64, []feature.Value{feature.Float64Value(v)})}}
		for k := range w.Values {
			view.Features[k].Admit(&w.Values[k])
		}
		writes = append(writes, w)
	}
	return writes
}

// both returns the digest of writes that are profiled over layout one by one, which must be
// that of a batch.
func bothWays(t *testing.T, view *feature.View, layout *Layout, writes []*feature.Write) (*Profile, string) {
	t.Helper()
	one, all := NewProfile(view, layout, HashKey{7}), NewProfile(view, layout, HashKey{7})
	for _, w := range writes {
		one.Add(w)
	}
	all.AddBatch(writes)
	if one.Digest() != all.Digest() {
		t.Fatalf("digest %s one by one and %s as a batch", one.Digest(), all.Digest())
	}
	return one, one.Digest()
}

// -0 and 0 are one number: which rows are sampled, and every count, must be the same.
func TestNegativeZeroIsZeroInDigests(t *testing.T) {
	view := finiteView("")
	sample, _ := bothWays(t, view, Unbinned(view), finiteWrites(view, 3))
	layout, err := BuildLayout(view, sample)
	if err != nil {
		t.Fatal(err)
	}
	for name, layout := range map[string]*Layout{"unbinned": Unbinned(view), "binned": layout} {
		_, plus := bothWays(t, view, layout, finiteWrites(view, 0))
		_, minus := bothWays(t, view, layout, finiteWrites(view, math.Copysign(0, -1)))
		if _, other := bothWays(t, view, layout, finiteWrites(view, 1)); plus != minus || plus == other {
			t.Errorf("%s: digests %s of 0, %s of -0, %s of 1: want the first two alike", name, plus, minus, other)
		}
	}
}

// A null in place of what is not finite is counted as what it stands for, and sampled as
// null.
func TestNullsThatStandForSomething(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		passing := finiteView(feature.NotFinitePass)
		want, _ := bothWays(t, passing, Unbinned(passing), finiteWrites(passing, x))
		view := finiteView(feature.NotFiniteNull)
		got, _ := bothWays(t, view, Unbinned(view), finiteWrites(view, x))
		for i := range got.Columns[:2] {
			g, w := &got.Columns[i], &want.Columns[i]
			if g.Nulls != 0 || g.NaN != w.NaN || g.PosInf != w.PosInf || g.NegInf != w.NegInf || g.N != w.N || g.Rows() != 600 || g.N != 400 {
				t.Errorf("%v, column %d: %d nulls, %d NaN, %d, %d infinite of %d; want what is counted where it passes", x, i, g.Nulls, g.NaN, g.PosInf, g.NegInf, g.Rows())
			}
		}
		if c := &got.Columns[2]; c.N != 400 || c.NaN+c.PosInf+c.NegInf != 200 || c.Rows() != 600 {
			t.Errorf("%v, lists: %d values, %d, %d, %d not finite of %d", x, c.N, c.NaN, c.PosInf, c.NegInf, c.Rows())
		}
		for _, row := range got.Sample {
			if v := row.Values[0]; !v.Finite() {
				t.Errorf("a sampled row holds %v", v.Float())
			}
		}
		body, err := got.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := UnmarshalProfile(body, Unbinned(view)); err != nil || again.Digest() != got.Digest() {
			t.Errorf("decoded again: %v", err)
		}
	}
}
