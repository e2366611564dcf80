package sketch

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"sluice/feature"
)

func TestProfileRoundTrip(t *testing.T) {
	view := testView(testTypes...)
	writes := randomWrites(rand.New(rand.NewPCG(31, 32)), view, 1500)
	layout := layoutOf(t, view, writes[:700])
	for name, p := range map[string]*Profile{
		"binned":   profileOf(view, layout, writes),
		"few rows": profileOf(view, layout, writes[:3]),
		"empty":    NewProfile(view, layout, testKey),
		"unbinned": profileOf(view, Unbinned(view), writes),
		"zero key": NewProfile(view, layout, HashKey{}),
	} {
		t.Run(name, func(t *testing.T) {
			b := encode(t, p)
			digest, err := ProfileLayout(b)
			if err != nil || digest != p.Layout().Digest() {
				t.Fatalf("ProfileLayout = %q, %v, want %q", digest, err, p.Layout().Digest())
			}
			got, err := UnmarshalProfile(b, p.Layout())
			if err != nil || !bytes.Equal(encode(t, got), b) || got.Digest() != p.Digest() {
				t.Fatalf("round trip: %v", err)
			}
			for i := range p.Columns {
				a, b := p.Columns[i], got.Columns[i]
				if a.N != b.N || a.Min != b.Min || a.Max != b.Max || a.Distinct() != b.Distinct() || a.Rows() != b.Rows() {
					t.Errorf("column %d = %+v, want %+v", i, b, a)
				}
			}
			if len(p.Sample) > 0 && !reflect.DeepEqual(got.Sample, p.Sample) && !hasNaN(p.Sample) {
				t.Error("the sample differs")
			}
		})
	}
}

func hasNaN(rows []SampleRow) bool {
	for _, r := range rows {
		for _, v := range r.Values {
			if v.Type().Float() && v.Float() != v.Float() {
				return true
			}
		}
	}
	return false
}

// What is no profile, or of another layout, is refused by name.
func TestUnmarshalProfileErrors(t *testing.T) {
	view := testView(feature.Float64, feature.String)
	writes := randomWrites(rand.New(rand.NewPCG(33, 34)), view, 300)
	layout := layoutOf(t, view, writes)
	good := encode(t, profileOf(view, layout, writes))
	for name, tc := range map[string]struct {
		b      []byte
		layout *Layout
		want   error
	}{
		"nothing":      {nil, layout, ErrCorrupt},
		"other format": {append([]byte{good[0] | 0x80}, good[1:]...), layout, ErrCorrupt},
		"other layout": {good, Unbinned(view), ErrLayout},
		"cut short":    {good[:len(good)-1], layout, ErrCorrupt},
		"bytes after":  {append(bytes.Clone(good), 0), layout, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := UnmarshalProfile(tc.b, tc.layout); !errors.Is(err, tc.want) {
				t.Errorf("UnmarshalProfile = %v, want %v", err, tc.want)
			}
		})
	}
}

func FuzzProfileDecode(f *testing.F) {
	view := testView(testTypes...)
	writes := randomWrites(rand.New(rand.NewPCG(35, 36)), view, 300)
	layouts := []*Layout{layoutOf(f, view, writes), Unbinned(view)}
	for _, l := range layouts {
		f.Add(encode(f, profileOf(view, l, writes[:40])))
		f.Add(encode(f, NewProfile(view, l, testKey)))
		watched := NewProfile(watchedView(testTypes...), l, testKey)
		for _, w := range writes[:40] {
			watched.Add(w)
		}
		watched.RefuseBy(&feature.Write{View: watchedView(testTypes...)}, len(testTypes)+1)
		f.Add(encode(f, watched))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, l := range layouts {
			p, err := UnmarshalProfile(data, l)
			if err != nil {
				if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrLayout) {
					t.Fatalf("decode error %v is neither ErrCorrupt nor ErrLayout", err)
				}
				continue
			}
			if again := encode(t, p); !bytes.Equal(again, data) {
				t.Fatalf("round trip gave %x, want %x", again, data)
			}
			useAll(t, p, view, l)
		}
	})
}

// useAll calls what reads a profile.
func useAll(t *testing.T, p *Profile, view *feature.View, l *Layout) {
	t.Helper()
	for i := range p.Columns {
		c := &p.Columns[i]
		_, _, _, _, _ = c.Mean(), c.SD(), c.Quantile(.5), c.Distinct(), c.Shares()
	}
	for i := range p.watches {
		if seen, ok := p.Watched(p.watches[i].key); !ok || seen.Broken > seen.Looked || seen.Looked > seen.Rows {
			t.Fatalf("Watched(%s) = %+v, %t", p.watches[i].key, seen, ok)
		}
	}
	if err := NewProfile(view, l, HashKey{}).Merge(p); err != nil {
		t.Fatal(err)
	}
	if _, err := BuildLayout(view, p); err != nil && !errors.Is(err, ErrSample) {
		t.Fatal(err)
	}
}

func testPartial() *Partial {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	return &Partial{
		View: "carrier_delays", Window: feature.Window{Start: at, End: at.Add(time.Minute)}, Version: 12,
		Topic: "flights", Partition: 3, Epoch: 4, Offset: 500, Layout: "abc", Profile: []byte{1, 2, 3}, Rows: 9, Bytes: 1000,
		Span: feature.Span{Topic: "flights", Partition: 3, First: 400, Last: 499,
			Origin: feature.Origin{Offset: 399, Watermark: at, Open: []time.Time{at, at.Add(time.Minute)}}},
	}
}

func TestPartialRoundTrip(t *testing.T) {
	for name, p := range map[string]*Partial{"full": testPartial(), "zero": {}} {
		t.Run(name, func(t *testing.T) {
			b, err := p.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			got, err := UnmarshalPartial(b)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Profile) == 0 {
				got.Profile = p.Profile
			}
			if !reflect.DeepEqual(got, p) {
				t.Errorf("UnmarshalPartial = %+v, want %+v", got, p)
			}
		})
	}
}

func FuzzPartialDecode(f *testing.F) {
	for _, p := range []*Partial{testPartial(), {}} {
		b, _ := p.MarshalBinary()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := UnmarshalPartial(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("decode error %v is not ErrCorrupt", err)
			}
			return
		}
		if again, _ := p.MarshalBinary(); !bytes.Equal(again, data) {
			t.Fatalf("round trip gave %x, want %x", again, data)
		}
	})
}
