package sketch

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/feature"
)

// The merge law: any split, order and restart gives the same bytes.
func TestMergeLaw(t *testing.T) {
	mergeLaw(t, testView(testTypes...))
}

// The same of what is remembered for expectations of windows.
func TestMergeLawOfWatches(t *testing.T) {
	mergeLaw(t, watchedView(testTypes...))
}

func mergeLaw(t *testing.T, view *feature.View) {
	t.Helper()
	rng := rand.New(rand.NewPCG(11, 12))
	writes := randomWrites(rng, view, 2500)
	for name, layout := range map[string]*Layout{"binned": layoutOf(t, view, writes[:800]), "unbinned": Unbinned(view)} {
		t.Run(name, func(t *testing.T) {
			want := encode(t, addAll(NewProfile(view, layout, testKey), writes))
			for trial := range 12 {
				rng.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
				parts := split(rng, view, layout, writes, 1+rng.IntN(6))
				rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
				if got := encode(t, mergeTree(t, rng, parts)); !bytes.Equal(got, want) {
					t.Fatalf("trial %d: %d parts merge to other bytes", trial, len(parts))
				}
			}
		})
	}
}

// addAll adds writes, of which some are late or refused by their place in the log.
func addAll(p *Profile, writes []*feature.Write) *Profile {
	for _, w := range writes {
		switch n := w.Offset*3 + int64(w.Partition); {
		case n%17 == 0:
			p.AddLate(w)
		case n%23 == 0:
			p.RefuseBy(w, int(n/23)%(len(w.Values)+len(w.View.Expect)+1)-1)
		default:
			p.Add(w)
		}
	}
	return p
}

// split spreads writes over parts, each of which restarts from its bytes halfway.
func split(rng *rand.Rand, view *feature.View, layout *Layout, writes []*feature.Write, n int) []*Profile {
	shares := make([][]*feature.Write, n)
	for _, w := range writes {
		i := rng.IntN(n)
		shares[i] = append(shares[i], w)
	}
	parts := make([]*Profile, n)
	for i, share := range shares {
		half := addAll(NewProfile(view, layout, testKey), share[:len(share)/2])
		b, _ := half.MarshalBinary()
		again, err := UnmarshalProfile(b, layout)
		if err != nil {
			panic(err)
		}
		if err := again.Resume(testKey); err != nil {
			panic(err)
		}
		parts[i] = addAll(again, share[len(share)/2:])
	}
	return parts
}

// mergeTree merges parts two by two in a random order of brackets.
func mergeTree(t *testing.T, rng *rand.Rand, parts []*Profile) *Profile {
	t.Helper()
	for len(parts) > 1 {
		i := rng.IntN(len(parts) - 1)
		if err := parts[i].Merge(parts[i+1]); err != nil {
			t.Fatal(err)
		}
		parts = slices.Delete(parts, i+1, i+2)
	}
	return parts[0]
}

func encode(t testing.TB, p *Profile) []byte {
	t.Helper()
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Parts made under definitions of the view with other features, or in another
// order, merge to the same bytes whichever comes first.
func TestMergeAcrossDefinitions(t *testing.T) {
	old := testView(feature.Float64, feature.String)
	wide := testView(feature.Float64, feature.String, feature.Int64)
	wide.Features[0], wide.Features[2] = wide.Features[2], wide.Features[0]
	rng := rand.New(rand.NewPCG(13, 14))
	layout := layoutOf(t, old, randomWrites(rng, old, 500))
	before, after := randomWrites(rng, old, 300), randomWrites(rng, wide, 300)
	for i, w := range after {
		w.Offset += int64(1000 + i)
	}
	make2 := func() (a, b *Profile) { return profileOf(old, layout, before), profileOf(wide, layout, after) }

	a, b := make2()
	c, d := make2()
	if err := errors.Join(a.Merge(b), d.Merge(c)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, a), encode(t, d)) {
		t.Fatal("the order of merging shows")
	}
	added := a.Column(3)
	if added == nil || added.Rows() != a.Profiled() || added.Nulls < 280 {
		t.Errorf("added feature = %+v, want null in the rows that lack it", added)
	}
	again, err := UnmarshalProfile(encode(t, a), layout)
	if err != nil || again.Digest() != a.Digest() {
		t.Fatalf("UnmarshalProfile = %v, want digest %s", err, a.Digest())
	}
	if again.Columns[0].ID != 1 || again.Columns[1].ID != 2 || again.Columns[2].ID != 3 {
		t.Error("columns do not follow the layout")
	}
}

// A write under another definition counts by feature id.
func TestAddAcrossDefinitions(t *testing.T) {
	old := testView(feature.Float64, feature.String)
	next := testView(feature.Float64, feature.String, feature.Int64)
	next.Features = []feature.Feature{next.Features[2], next.Features[0]}
	p := NewProfile(old, Unbinned(old), testKey)
	for range 3 {
		p.Add(&feature.Write{View: next, Values: []feature.Value{feature.Int64Value(1), feature.Float64Value(2)}})
	}
	same := *old
	p.Add(&feature.Write{View: &same, Offset: 1, Values: []feature.Value{feature.Float64Value(4), feature.StringValue("x")}})
	if a, b := p.Columns[0], p.Columns[1]; a.N != 4 || a.Min != 2 || a.Max != 4 || b.N != 1 || b.Nulls != 3 {
		t.Errorf("columns = %+v, %+v, want four numbers, and one text beside three nulls", a, b)
	}
}

func TestMergeErrors(t *testing.T) {
	view := testView(feature.Float64)
	writes := numbers(view, make([]float64, 300)...)
	layout := layoutOf(t, view, writes)
	for name, tc := range map[string]struct {
		o    *Profile
		want error
	}{
		"same":          {profileOf(view, layout, writes), nil},
		"other layout":  {profileOf(view, Unbinned(view), writes), ErrLayout},
		"other key":     {NewProfile(view, layout, HashKey{9}), ErrKey},
		"without a key": {NewProfile(view, layout, HashKey{}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := profileOf(view, layout, writes)
			before := p.Digest()
			err := p.Merge(tc.o)
			if !errors.Is(err, tc.want) || err != nil && p.Digest() != before {
				t.Errorf("Merge = %v, want %v; changed: %t", err, tc.want, p.Digest() != before)
			}
		})
	}
}

// Merge leaves the other profile as it was, also later on.
func TestMergeSharesNothing(t *testing.T) {
	view := testView(testTypes...)
	writes := randomWrites(rand.New(rand.NewPCG(15, 16)), view, 900)
	layout := layoutOf(t, view, writes)
	o := profileOf(view, layout, writes[:450])
	want := o.Digest()
	p := NewProfile(view, layout, testKey)
	if err := p.Merge(o); err != nil {
		t.Fatal(err)
	}
	for _, w := range writes[450:] {
		p.Add(w)
	}
	if got := o.Digest(); got != want {
		t.Error("adding to the merged profile changed its part")
	}
}

func TestResume(t *testing.T) {
	view := testView(feature.String)
	p, err := UnmarshalProfile(encode(t, NewProfile(view, Unbinned(view), testKey)), Unbinned(view))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Resume(HashKey{9}); !errors.Is(err, ErrKey) {
		t.Errorf("Resume(another key) = %v, want ErrKey", err)
	}
	if err := p.Resume(testKey); err != nil {
		t.Errorf("Resume = %v", err)
	}
}

func TestSampleIsSmallestHashes(t *testing.T) {
	view := testView(feature.Float64)
	values := make([]float64, 2000)
	for i := range values {
		values[i] = float64(i)
	}
	writes := numbers(view, values...)
	p := profileOf(view, Unbinned(view), writes)
	var hashes []uint64
	for _, w := range writes {
		hashes = append(hashes, p.hash.row(w))
	}
	slices.Sort(hashes)
	if len(p.Sample) != SampleRows {
		t.Fatalf("%d rows sampled, want %d", len(p.Sample), SampleRows)
	}
	for i, row := range p.Sample {
		if row.Hash != hashes[i] || p.hash.row(writes[int(row.Values[0].Float())]) != row.Hash {
			t.Fatalf("row %d has hash %#x of value %v, want %#x", i, row.Hash, row.Values[0].Float(), hashes[i])
		}
	}
}

func TestCounts(t *testing.T) {
	view := testView(feature.Float64)
	p := profileOf(view, Unbinned(view), numbers(view, 1, math.NaN(), math.Inf(1), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), -3))
	p.Add(&feature.Write{View: view, Offset: 100, Values: []feature.Value{feature.Null}})
	p.Add(&feature.Write{View: view, Offset: 101, Delete: true})
	p.AddLate(&feature.Write{View: view, Offset: 102})
	p.Refuse(0)
	p.Refuse(-1)
	p.Refuse(7)
	c := p.Columns[0]
	if c.N != 3 || c.NaN != 1 || c.PosInf != 2 || c.NegInf != 1 || c.Nulls != 1 || c.Min != -3 || c.Max != 1 || c.Refused != 1 {
		t.Errorf("column = %+v", c)
	}
	if p.Rows != 9 || p.Deletes != 1 || p.Profiled() != 8 || c.Rows() != 8 || p.Total() != 10 || p.RefusedWhole != 2 || p.Refused() != 3 || len(p.Sample) != 7 || len(p.SampledRows()) != 8 {
		t.Errorf("profile = %+v", p)
	}
}
