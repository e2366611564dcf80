package rules

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"sluice/feature"
)

// someScores are scores of all forms.
func someScores(rng *rand.Rand) []feature.Score {
	var out []feature.Score
	for range rng.IntN(12) {
		s := feature.Score{
			Feature: []string{"", "amount", "country"}[rng.IntN(3)], Method: methodNames[rng.IntN(len(methodNames))], Summary: []string{"", "share", "ratio", "location"}[rng.IntN(4)],
			Statistic: rng.NormFloat64() * 3, Severity: rng.ExpFloat64(), Bound: float64(rng.IntN(2)) * rng.Float64() / 10, Threshold: rng.Float64(), PValue: rng.Float64(),
			Effect: rng.IntN(2) == 0, Uncalibrated: rng.IntN(4) == 0, Text: "what moved", N: 7,
		}
		switch rng.IntN(12) {
		case 0:
			s.Short = "too few rows to judge: 12"
		case 1:
			s.Statistic = math.NaN()
		case 2:
			s.PValue = math.Inf(1)
		case 3:
			s.Severity = math.Inf(1)
		}
		out = append(out, s)
	}
	return out
}

// TestRecord applies random rules to random scores, and to the record of them: state,
// outcomes and numbers are the same.
func TestRecord(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	var reader RecordReader
	var got Record
	for range 2000 {
		r := Record{Versions: []feature.Version{feature.Version(rng.Uint64N(1 << 40))}, Level: rng.Float64(), Scores: someScores(rng), Since: someScores(rng)}
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.Read(b, &got); err != nil || got.Level != r.Level || !reflect.DeepEqual(got.Versions, r.Versions) {
			t.Fatalf("Read(%x) = %+v, %v, want %+v", b, got, err, r)
		}
		list := Default()
		for i := range rng.IntN(4) {
			list = append(list, Rule{Name: string(rune('a' + i)), View: "*", Feature: "amount", Method: methodNames[rng.IntN(len(methodNames))],
				Threshold: rng.Float64() * 2, For: For{1, 1 + rng.IntN(3)}, Mode: []Mode{Observe, Notify, Enforce}[rng.IntN(3)]})
		}
		past := Memory{memoryKey("a", PSI, "amount"): rng.Uint64()}
		for _, pair := range [][2][]feature.Score{{r.Scores, got.Scores}, {r.Since, got.Since}} {
			want, state, few := NewReader(list, aView).Reasons(pair[0], past)
			again, stateAgain, fewAgain := NewReader(list, aView).Reasons(pair[1], past)
			for i := range want {
				want[i].Text, want[i].PValue, want[i].N, want[i].Threshold = "", 0, 0, 0
			}
			for i := range again {
				again[i].Text, again[i].PValue, again[i].Threshold = "", 0, 0
			}
			if state != stateAgain || few != fewAgain || !reflect.DeepEqual(want, again) {
				t.Fatalf("rules on the record give %s %+v, want %s %+v", stateAgain, again, state, want)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	rng := rand.New(rand.NewPCG(2, 7))
	for range 20 {
		b, err := (&Record{Versions: []feature.Version{1, 2}, Level: 0.001, Scores: someScores(rng), Since: someScores(rng)}).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second Record
		if err := new(RecordReader).Read(data, &first); err != nil {
			if !errors.Is(err, ErrRecord) {
				t.Fatalf("Read gave %v, which is not ErrRecord", err)
			}
			return
		}
		b, err := first.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := new(RecordReader).Read(b, &second); err != nil {
			t.Fatalf("Read of what it accepted: %v", err)
		}
		again, err := second.MarshalBinary()
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("round trip gave %x (%v), want %x", again, err, b)
		}
	})
}

// BenchmarkRecord reads the record of a window of ten features as the judges make it:
// six scores each.
func BenchmarkRecord(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 7))
	var r Record
	for i := range 10 {
		name := "feature_" + string(rune('a'+i))
		for _, method := range []string{Calibrated, Nulls, KS, PSI, ChiSquare, TVD} {
			s := feature.Score{Feature: name, Method: method, Statistic: rng.NormFloat64(), PValue: 1, Effect: true}
			switch method {
			case Calibrated:
				s.Severity, s.Threshold = rng.Float64(), 4
			case KS:
				s.Bound = rng.Float64() / 100
			case Nulls:
				s.Summary, s.Statistic = "share", 0
			}
			r.Scores = append(r.Scores, s)
		}
	}
	body, err := r.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	var reader RecordReader
	var out Record
	b.ReportAllocs()
	for b.Loop() {
		if err := reader.Read(body, &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(body))/10, "B/feature")
}
