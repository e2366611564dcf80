package drift

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/quality/sketch"
)

// pairStream has two features with correlation .95 and others beside them, with nulls.
func pairStream(seed uint64, others int) *stream {
	features := []feature.Feature{{Name: "distance", Type: feature.Float64}, {Name: "air_time", Type: feature.Float64}}
	for i := range others {
		features = append(features, feature.Feature{Name: fmt.Sprintf("other_%d", i), Type: feature.Float64})
	}
	return newStream(seed, 1000, features, func(r *randSource, v []feature.Value) {
		x := r.NormFloat64()
		v[0] = feature.Float64Value(math.Exp(x))
		v[1] = feature.Float64Value(60 + 20*(0.95*x+math.Sqrt(1-0.95*0.95)*r.NormFloat64()))
		for i := 2; i < len(v); i++ {
			v[i] = feature.Float64Value(r.NormFloat64())
			if r.Float64() < 0.02 {
				v[i] = feature.Null
			}
		}
	})
}

// shuffled spoils the pairing of a share of the rows and leaves both margins as
// they are: each row takes the second value of the row before.
func shuffled(share float64, r *rand.Rand) func(v []feature.Value) {
	last := feature.Float64Value(60)
	return func(v []feature.Value) {
		own := v[1]
		if r.Float64() < share {
			v[1] = last
		}
		last = own
	}
}

func TestJointSeesABrokenPairing(t *testing.T) {
	for _, others := range []int{0, 6} {
		for _, seed := range []uint64{1, 2} {
			l := learn(t, pairStream(seed, others), 28)
			joint, err := FitJoint(l.view, l.layout, l.history, 1)
			if err != nil {
				t.Fatal(err)
			}
			w := l.window(28, shuffled(1, l.rng))
			for _, s := range l.score(t, testLevel, w) {
				if s.Severity > 1 {
					t.Errorf("%d others, seed %d: a single feature shows the broken pairing: %s", others, seed, s.Text)
				}
			}
			s := jointScoreOf(t, joint, l, w)
			if s.Severity <= 1 || !s.Effect {
				t.Errorf("%d others, seed %d: severity %.2f effect %v, share of outliers %.3f; want an alarm that blocks", others, seed, s.Severity, s.Effect, s.Statistic)
			}
			if s.Feature != "distance" && s.Feature != "air_time" || !strings.Contains(s.Text, "distance") || !strings.Contains(s.Text, "air_time") {
				t.Errorf("%d others, seed %d: names %q: %s", others, seed, s.Feature, s.Text)
			}
		}
	}
}

func jointScoreOf(t *testing.T, joint *Joint, l learned, windows ...WindowProfile) feature.Score {
	t.Helper()
	scores, err := joint.Score(l.view, l.layout, windows, testLevel)
	if err != nil || len(scores) != 1 {
		t.Fatalf("Score = %v, %v", scores, err)
	}
	return scores[0]
}

func TestJointIsQuietOnStableWindows(t *testing.T) {
	alarms, n := 0, 0
	for _, seed := range []uint64{3, 4} {
		for _, s := range []*stream{pairStream(seed, 2), familyStream(seed, 600, 1)} {
			l := learn(t, s, 28)
			joint, err := FitJoint(l.view, l.layout, l.history, seed)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 15 {
				score := jointScoreOf(t, joint, l, l.window(28+i, nil))
				n++
				if score.Severity > 1 {
					alarms++
					t.Log(score.Text)
				}
				if score.Effect {
					t.Errorf("a stable window would block: %s", score.Text)
				}
			}
		}
	}
	if alarms > 1 {
		t.Errorf("%d of %d stable windows alarm", alarms, n)
	}
}

func TestJointBinary(t *testing.T) {
	s := familyStream(6, 120, 1)
	s.view.Baseline.Season = []string{"hour_of_day"}
	l := learn(t, s, 12)
	joint, err := FitJoint(l.view, l.layout, l.history, 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := FitJoint(l.view, l.layout, l.history, 1)
	if err != nil || !reflect.DeepEqual(joint, again) {
		t.Errorf("fitting twice gives two joints (%v)", err)
	}
	text, err := joint.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back Joint
	if err := back.UnmarshalBinary(text); err != nil {
		t.Fatal(err)
	}
	second, _ := back.MarshalBinary()
	w := l.window(20, nil)
	if !bytes.Equal(text, second) || !reflect.DeepEqual(jointScoreOf(t, &back, l, w), jointScoreOf(t, joint, l, w)) {
		t.Error("round trip changed the joint")
	}
	t.Logf("%d bytes", len(text))
}

func TestJointRefuses(t *testing.T) {
	l := learn(t, pairStream(7, 0), 12)
	if _, err := FitJoint(l.view, l.layout, l.history[:MinWindows-1], 1); !errors.Is(err, ErrSample) {
		t.Errorf("FitJoint on few windows: %v, want ErrSample", err)
	}
	unbinned := sketch.Unbinned(l.view)
	if _, err := FitJoint(l.view, unbinned, l.history, 1); !errors.Is(err, ErrBins) {
		t.Errorf("FitJoint over another layout: %v, want ErrBins", err)
	}
	joint, _ := FitJoint(l.view, l.layout, l.history, 1)
	if _, err := joint.Score(l.view, unbinned, l.history[:1], testLevel); !errors.Is(err, ErrBins) {
		t.Errorf("Score over another layout: %v, want ErrBins", err)
	}
	empty := WindowProfile{Profile: sketch.NewProfile(l.view, l.layout, l.key)}
	if scores, err := joint.Score(l.view, l.layout, []WindowProfile{empty}, testLevel); err != nil || len(scores) != 0 {
		t.Errorf("Score of no rows = %v, %v, want none", scores, err)
	}
}

func FuzzJointDecode(f *testing.F) {
	s := pairStream(8, 0)
	s.rows = 40
	profiles := make([]*sketch.Profile, MinWindows)
	for i := range profiles {
		profiles[i] = s.window(i, nil).Profile
	}
	layout, err := sketch.BuildLayout(s.view, profiles...)
	if err != nil {
		f.Fatal(err)
	}
	s.layout = layout
	var history []WindowProfile
	for i := range MinWindows {
		history = append(history, s.window(i, nil))
	}
	joint, err := FitJoint(s.view, layout, history, 1)
	if err != nil {
		f.Fatal(err)
	}
	seed, _ := joint.MarshalBinary()
	f.Add(seed)
	f.Add(seed[:100])
	bad, _ := hex.DecodeString("0100")
	f.Add(bad)
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second Joint
		if err := first.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("decode error %v is not ErrCorrupt", err)
			}
			return
		}
		_, _ = first.Score(s.view, layout, history[:1], testLevel)
		again, err := first.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := second.UnmarshalBinary(again); err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("round trip gave another joint (%v)", err)
		}
	})
}
