package sketch

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/feature"
)

// One feature, cases by their values: which atoms and how many edges.
func TestBuildLayoutNumeric(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	normal, ties, inflated, odd := make([]float64, 500), make([]float64, 500), make([]float64, 500), make([]float64, 500)
	for i := range normal {
		normal[i] = rng.NormFloat64()
		ties[i] = float64(i % 5)
		inflated[i] = max(0, rng.NormFloat64())
		odd[i] = []float64{math.Copysign(0, -1), 0, 5e-324, -5e-324, math.MaxFloat64, -math.MaxFloat64, math.NaN(), math.Inf(1)}[i%8]
	}
	for name, tc := range map[string]struct {
		values   []float64
		atoms    []float64
		minEdges int
	}{
		"continuous":        {normal, nil, 64},
		"five values":       {ties, []float64{0, 1, 2, 3, 4}, 10},
		"zero inflated":     {inflated, []float64{0}, 30},
		"constant":          {slices.Repeat([]float64{7}, 300), []float64{7}, 2},
		"constant zero":     {slices.Repeat([]float64{0}, 300), []float64{0}, 2},
		"extremes and -0":   {odd, []float64{-math.MaxFloat64, -5e-324, 0, 5e-324}, 6},
		"not-a-number only": {slices.Repeat([]float64{math.NaN()}, 300), nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			view := testView(feature.Float64)
			f := layoutOf(t, view, numbers(view, tc.values...)).Features[0]
			var atoms []float64
			for bin := range f.Bins() {
				if v, ok := f.Atom(bin); ok {
					atoms = append(atoms, v)
				}
			}
			if !slices.Equal(atoms, tc.atoms) || len(f.Edges) < tc.minEdges || len(f.Edges) > MaxEdges {
				t.Errorf("atoms = %v, want %v; %d edges, want at least %d", atoms, tc.atoms, len(f.Edges), tc.minEdges)
			}
			if len(f.Edges) > 0 && !(f.Scale > 0) {
				t.Errorf("scale = %v, want above 0", f.Scale)
			}
		})
	}
}

// However many values are atoms, their edges fit.
func TestBuildLayoutManyAtoms(t *testing.T) {
	view := testView(feature.Float64)
	for distinct := 55; distinct <= 70; distinct++ {
		values := make([]float64, 504)
		for i := range values {
			values[i] = float64(i % distinct)
		}
		f := layoutOf(t, view, numbers(view, values...)).Features[0]
		if len(f.Edges) > MaxEdges {
			t.Errorf("%d distinct values: %d edges, want at most %d", distinct, len(f.Edges), MaxEdges)
		}
	}
}

func TestBuildLayoutCentreAndScale(t *testing.T) {
	view := testView(feature.Float64)
	rng := rand.New(rand.NewPCG(5, 6))
	values := make([]float64, 512)
	for i := range values {
		values[i] = 100 + 5*rng.NormFloat64()
	}
	f := layoutOf(t, view, numbers(view, values...)).Features[0]
	if math.Abs(f.Centre-100) > 1 || math.Abs(f.Scale-5) > 1 {
		t.Errorf("centre %v, scale %v, want about 100 and 5", f.Centre, f.Scale)
	}
}

func TestBuildLayoutCategories(t *testing.T) {
	view := testView(feature.String)
	var writes []*feature.Write
	for i := range 500 {
		text := fmt.Sprintf("rare %03d", i)
		if i%5 != 0 {
			text = []string{"often", "also", "often"}[i%3]
		}
		writes = append(writes, &feature.Write{View: view, Offset: int64(i), Values: []feature.Value{feature.StringValue(text)}})
	}
	layout := layoutOf(t, view, writes)
	f := layout.Features[0]
	if len(f.Categories) != MaxCategories || f.Categories[0] != "often" || f.Categories[1] != "also" {
		t.Fatalf("categories = %q, want %d with often and also first", f.Categories, MaxCategories)
	}
	writes = append(writes, &feature.Write{View: view, Offset: 999, Values: []feature.Value{feature.StringValue("never seen")}})
	c := profileOf(view, layout, writes).Columns[0]
	// 100 rare values, of which 62 have a bin.
	if bins := c.Bins(); bins[f.Other()] != 38 || bins[f.Unseen()] != 1 {
		t.Errorf("other = %d, unseen = %d, want 38 and 1", bins[f.Other()], bins[f.Unseen()])
	}
}

// Texts that agree in the bytes that are kept are still different values.
func TestLongTextsAreDistinct(t *testing.T) {
	view := testView(feature.String)
	prefix := string(slices.Repeat([]byte("x"), 63)) + "é"
	var writes []*feature.Write
	for i := range 400 {
		writes = append(writes, &feature.Write{View: view, Offset: int64(i), Values: []feature.Value{feature.StringValue(fmt.Sprint(prefix, i%2))}})
	}
	f := layoutOf(t, view, writes).Features[0]
	if len(f.Categories) != 2 || f.Categories[0] != prefix[:63] {
		t.Errorf("categories = %q, want two that show %q", f.Categories, prefix[:63])
	}
}

// A layout depends on the set of sampled rows, not on how they were split,
// ordered or repeated.
func TestBuildLayoutIsDeterministic(t *testing.T) {
	view := testView(testTypes...)
	rng := rand.New(rand.NewPCG(7, 8))
	writes := randomWrites(rng, view, 3000)
	want := layoutOf(t, view, writes).Digest()
	for range 5 {
		rng.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
		if got := layoutOf(t, view, writes).Digest(); got != want {
			t.Errorf("digest of shuffled rows = %s, want %s", got, want)
		}
	}
	whole := profileOf(view, Unbinned(view), writes)
	twice, err := BuildLayout(view, whole, whole)
	if err != nil || twice.Digest() != want {
		t.Errorf("digest of the profile twice = %s, %v, want %s", twice.Digest(), err, want)
	}
	a, b := profileOf(view, Unbinned(view), writes[:1000]), profileOf(view, Unbinned(view), writes[1000:])
	ab, errA := BuildLayout(view, a, b)
	ba, errB := BuildLayout(view, b, a)
	if errA != nil || errB != nil || ab.Digest() != ba.Digest() {
		t.Errorf("digests of two profiles = %s, %s (%v, %v), want one", ab.Digest(), ba.Digest(), errA, errB)
	}
	if ab.Features[0].Sample <= SampleRows {
		t.Errorf("two full samples gave %d rows, want more than %d", ab.Features[0].Sample, SampleRows)
	}
}

func TestBuildLayoutErrors(t *testing.T) {
	view := testView(feature.Float64)
	few := profileOf(view, Unbinned(view), numbers(view, make([]float64, MinLayoutRows-1)...))
	other := NewProfile(view, Unbinned(view), HashKey{9})
	for name, tc := range map[string]struct {
		profiles []*Profile
		want     error
	}{
		"no profile":   {nil, ErrSample},
		"too few rows": {[]*Profile{few}, ErrSample},
		"two keys":     {[]*Profile{few, other}, ErrKey},
	} {
		t.Run(name, func(t *testing.T) {
			if l, err := BuildLayout(view, tc.profiles...); !errors.Is(err, tc.want) {
				t.Errorf("BuildLayout = %v, %v, want %v", l, err, tc.want)
			}
		})
	}
}

func TestLayoutRoundTrip(t *testing.T) {
	view := testView(testTypes...)
	built := layoutOf(t, view, randomWrites(rand.New(rand.NewPCG(9, 1)), view, 600))
	for name, l := range map[string]*Layout{
		"built": built, "unbinned": Unbinned(view), "no features": Unbinned(testView()),
		"built of json alone": layoutOf(t, testView(feature.JSON), randomWrites(rand.New(rand.NewPCG(9, 1)), testView(feature.JSON), 600)),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := l.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			got, err := UnmarshalLayout(b)
			if err != nil || got.Digest() != l.Digest() {
				t.Fatalf("UnmarshalLayout = %v, %v, want digest %q", got, err, l.Digest())
			}
			for i := range l.Features {
				if got.Features[i].Bins() != l.Features[i].Bins() {
					t.Errorf("feature %d has %d bins, want %d", i, got.Features[i].Bins(), l.Features[i].Bins())
				}
			}
		})
	}
}

func FuzzLayoutDecode(f *testing.F) {
	view := testView(testTypes...)
	seed, _ := layoutOf(f, view, randomWrites(rand.New(rand.NewPCG(9, 1)), view, 300)).MarshalBinary()
	f.Add(seed)
	seed, _ = Unbinned(view).MarshalBinary()
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := UnmarshalLayout(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("decode error %v is not ErrCorrupt", err)
			}
			return
		}
		again, _ := l.MarshalBinary()
		if !slices.Equal(again, data) {
			t.Fatalf("round trip gave %x, want %x", again, data)
		}
		NewProfile(view, l, testKey).Add(randomWrites(rand.New(rand.NewPCG(1, 1)), view, 1)[0])
	})
}
