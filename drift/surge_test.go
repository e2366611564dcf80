package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"sluice/feature"
	"sluice/quality/sketch"
)

// The score of a probability is that of the normal law for one of all buckets, and keeps
// within its ends.
func TestSurgeScore(t *testing.T) {
	for _, tc := range []struct{ p, want float64 }{
		{1, leastSurge}, {.5, leastSurge}, {0, mostSurge}, {1e-300, mostSurge},
		{0.0013498980316301 / sketch.Buckets, 3}, // 1 - Φ(3), from tables
		{2.866515718791939e-07 / sketch.Buckets, 5},
	} {
		if got := surgeScore(tc.p); math.Abs(got-tc.want) > 1e-3 {
			t.Errorf("surgeScore(%g) = %g, want %g", tc.p, got, tc.want)
		}
	}
}

// The law finds the dispersion that counts were drawn with, whether windows differ in the
// shares of values or not, and how many more values are unseen in windows that the layout
// was not built from.
func TestSurgeLawFits(t *testing.T) {
	rng := rand.New(rand.NewPCG(91, 92))
	for name, tc := range map[string]struct {
		concentration float64 // of the Dirichlet law of shares; 0: fixed
		fitted        int     // windows with half as many unseen values
		want, gain    float64
	}{
		"fixed shares":  {0, 0, 1, 1},
		"moving shares": {2000, 0, 1.5, 1},
		"built from":    {0, 8, 1, 28 / 24.},
	} {
		t.Run(name, func(t *testing.T) {
			columns := make([]counts, 28)
			const share = .2 / sketch.UnseenBuckets // of 1,000 rows 200 are unseen
			for w := range columns {
				const rows = 1000
				columns[w] = counts{n: rows, spread: true, buckets: make([]uint64, sketch.Buckets)}
				for i := range sketch.UnseenBuckets {
					share := share
					if tc.concentration > 0 {
						share = distuv.Gamma{Alpha: share * tc.concentration, Beta: tc.concentration, Src: rng}.Rand()
					}
					if w < tc.fitted {
						share /= 2
					}
					columns[w].buckets[sketch.KnownBuckets+i] = binomial(rng, rows, share)
				}
			}
			s, ok := newSurgeLaw(columns, func(w int) bool { return w < tc.fitted }, MinWindows)
			if !ok {
				t.Fatal("no law")
			}
			if got := s.law.Unseen; math.Abs(got.Dispersion-tc.want) > .12 || math.Abs(got.Gain-tc.gain) > .05 {
				t.Errorf("law %+v, want dispersion %.2f and gain %.2f", got, tc.want, tc.gain)
			}
			if s.law.Rows != 1000 || !s.law.valid() {
				t.Errorf("law %+v is not of windows of 1,000 rows", s.law)
			}
		})
	}
}

// manyStream has one column of 2,000 values, all alike.
func manyStream(seed uint64, rows int) *stream {
	return newStream(seed, rows, []feature.Feature{{Name: "merchant", Type: feature.String}}, func(r *rand.Rand, v []feature.Value) {
		v[0] = categoryNames[r.IntN(len(categoryNames))]
	})
}

// One new value among 2,000 alarms by its bucket, is named, and blocks only where it is a
// large share.
func TestSurgeIsTold(t *testing.T) {
	l := learn(t, manyStream(93, 1000), 28)
	if f := l.reference.Features[0]; l.reference.Method != newest || f.Surge == nil || slices.ContainsFunc(f.Spreads, func(s Spread) bool { return s.Summary == Newcomer }) {
		t.Fatalf("the reference, of method %d, looks at sampled rows: %+v", l.reference.Method, f)
	}
	for _, tc := range []struct {
		share  float64
		alarm  bool
		effect bool
	}{{0, false, false}, {.03, true, false}, {.2, true, true}} {
		s := find(t, l.score(t, testLevel, l.window(40, func(v []feature.Value) {
			if l.rng.Float64() < tc.share {
				v[0] = feature.StringValue("brand new")
			}
		})), "merchant")
		if alarm := s.PValue <= testLevel; alarm != tc.alarm || s.Effect != tc.effect {
			t.Errorf("share %g: p %.2g, effect %v, want alarm %v and effect %v: %s", tc.share, s.PValue, s.Effect, tc.alarm, tc.effect, s.Text)
		}
		if tc.alarm && (s.Summary != Surge.String() && !tc.effect || !strings.Contains(s.Text, `"brand new"`)) {
			t.Errorf("share %g is told by %s as %s", tc.share, s.Summary, s.Text)
		}
	}
}

// Of unseen values one of them is named, though single ones of those known have more rows.
func TestUnseenIsNamed(t *testing.T) {
	l, n := learn(t, newStream(94, 1000, []feature.Feature{{Name: "merchant", Type: feature.String}}, func(r *rand.Rand, v []feature.Value) {
		v[0] = categoryNames[r.IntN(200)]
	}), 28), 0
	s := find(t, l.score(t, testLevel, l.window(40, func(v []feature.Value) {
		if l.rng.Float64() < .3 {
			n++
			v[0] = feature.StringValue(fmt.Sprintf("new %d", n))
		}
	})), "merchant")
	if s.Summary != Unseen.String() || s.PValue > testLevel || !strings.Contains(s.Text, `"new `) {
		t.Errorf("many unseen values are told by %s, p %.2g, as %s", s.Summary, s.PValue, s.Text)
	}
}

// Windows that were counted before there were buckets have none: sampled rows are looked at
// until enough of history has them, and windows without are not compared by them.
func TestSurgeNeedsBuckets(t *testing.T) {
	s := manyStream(95, 600)
	s.pin(t, MinWindows)
	history, _ := s.history(t, 20)
	older := func(w WindowProfile) WindowProfile {
		w.Profile = withoutBuckets(t, w.Profile)
		return w
	}
	for i := range history[:20-MinWindows+1] {
		history[i] = older(history[i])
	}
	few, err := BuildReference(s.view, s.layout, history)
	if err != nil {
		t.Fatal(err)
	}
	if f := few.Features[0]; f.Surge != nil || !slices.ContainsFunc(f.Spreads, func(s Spread) bool { return s.Summary == Newcomer }) {
		t.Errorf("with %d windows in buckets the law is %+v, want sampled rows", MinWindows-1, f.Surge)
	}
	history = append(history, s.window(20, nil))
	enough, err := BuildReference(s.view, s.layout, history)
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := merge(s.view, s.layout, history)
	if err != nil {
		t.Fatal(err)
	}
	l := learned{s, enough, baseline, history}
	spoilt := func(index int) WindowProfile {
		return l.window(index, func(v []feature.Value) {
			if l.rng.IntN(12) == 0 {
				v[0] = feature.StringValue("brand new")
			}
		})
	}
	if got := find(t, l.score(t, testLevel, spoilt(30)), "merchant"); enough.Features[0].Surge == nil || got.PValue > testLevel {
		t.Errorf("with %d windows in buckets a new value has p %.2g", MinWindows, got.PValue)
	}
	if got := find(t, l.score(t, testLevel, older(spoilt(31))), "merchant"); got.Summary == Surge.String() {
		t.Errorf("a window without buckets is compared by them: %+v", got)
	}
}

// withoutBuckets returns the profile as it was written before there were buckets.
func withoutBuckets(t testing.TB, p *sketch.Profile) *sketch.Profile {
	t.Helper()
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	older, err := sketch.UnmarshalProfile(older(t, b, p), p.Layout())
	if err != nil {
		t.Fatal(err)
	}
	if _, among := older.Columns[0].Buckets(); among != 0 {
		t.Fatalf("%d values are in buckets", among)
	}
	return older
}

// older cuts the buckets of the only column off the end of a profile, and their bit off its
// format.
func older(t testing.TB, b []byte, p *sketch.Profile) []byte {
	t.Helper()
	counts, _ := p.Columns[0].Buckets()
	size := 1
	for _, half := range halves {
		all := uint64(0)
		for _, n := range counts[half.from:half.to] {
			all |= n
		}
		width := 0
		for ; all > 0; all >>= 1 {
			width++
		}
		size += 1 + width*(half.to-half.from)/8
	}
	out := slices.Clone(b[:len(b)-size])
	out[0] &^= 0x08
	return out
}

// A reference that comes from outside with a law that is none is refused.
func TestSurgeLawFromOutside(t *testing.T) {
	good := SurgeLaw{Rows: 100, Known: BucketsLaw{1, 1}, Unseen: BucketsLaw{1, 1.5}}
	if !good.valid() {
		t.Error("a law is refused")
	}
	for i, spoil := range []func(l *SurgeLaw){
		func(l *SurgeLaw) { l.Rows = 0 }, func(l *SurgeLaw) { l.Known.Gain = 0 }, func(l *SurgeLaw) { l.Unseen.Dispersion = .5 },
		func(l *SurgeLaw) { l.Known.Gain = math.Inf(1) }, func(l *SurgeLaw) { l.Rows = math.NaN() },
	} {
		bad := good
		if spoil(&bad); bad.valid() {
			t.Errorf("case %d: %+v is taken for a law", i, bad)
		}
	}
}

// What a bucket's count is judged by is a probability: of windows like history, a share of
// at most p scores above the normal quantile of 1 - p.
func TestSurgeIsALevel(t *testing.T) {
	for _, g := range regimes[:2] {
		over, n := 0, 0
		for seed := range uint64(3) {
			d := newDrawn(t, kinds[4].shares, g, 97+seed, 1000, 3)
			l := d.learn(t)
			for k := range 60 {
				w := d.window(g.history+k, nil)
				for i := range d.view.Features {
					at := &d.layout.Features[i]
					c := countsOf(&w.Profile.Columns[i], shapeOf(at), at.Bins())
					of := surges{law: l.reference.Features[i].Surge}
					buckets, among := l.baseline.Columns[i].Buckets()
					of.pooled, of.among = buckets, float64(among)
					if n++; of.of(&c, false).z > 1.6449 { // of 5 %
						over++
					}
				}
			}
		}
		if share := float64(over) / float64(n); share > .08 {
			t.Errorf("%s: %d of %d windows score above the quantile of 5 %%", g.name, over, n)
		}
	}
}
