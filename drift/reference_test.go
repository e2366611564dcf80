package drift

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"os"
	"sluice/feature"
	"sluice/quality/sketch"
)

func oneFeature(seed uint64, rows int, typ feature.Type, draw func(r *randSource) feature.Value) *stream {
	return newStream(seed, rows, []feature.Feature{{Name: "x", Type: typ, Unit: "minutes"}}, func(r *randSource, v []feature.Value) { v[0] = draw(r) })
}

func normal(r *randSource) feature.Value { return feature.Float64Value(r.NormFloat64()) }

func TestReferenceJSONIsExact(t *testing.T) {
	s := familyStream(1, 300, 2)
	s.view.Baseline.Season = []string{"hour_of_day", "day_of_week"}
	l := learn(t, s, 200)
	text, err := json.Marshal(l.reference)
	if err != nil {
		t.Fatal(err)
	}
	var back Reference
	same := *l.reference
	same.frames = nil
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, same) {
		t.Errorf("round trip of the reference changed it (%v)", err)
	}
	if per := len(text) / len(s.view.Features); per > 5600 {
		t.Errorf("reference takes %d bytes a feature", per)
	}
	w := l.window(200, nil)
	again, err := back.Score(l.view, l.layout, []WindowProfile{w}, l.baseline, testLevel)
	if err != nil || !reflect.DeepEqual(again, l.score(t, testLevel, w)) {
		t.Errorf("scores differ after a round trip (%v)", err)
	}
}

// A wide view is judged by several goroutines, and says the same; so does a reference
// that was read again, with and without what it prepares.
func TestWideViewIsJudgedAlike(t *testing.T) {
	l := learn(t, familyStream(61, 120, 2*portion/len(families)+1), MinWindows)
	w := l.window(MinWindows, func(v []feature.Value) {
		for i := 0; i < len(v); i += 7 {
			v[i] = feature.Null
		}
	})
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := l.score(t, testLevel, w)
	if alarms := len(slices.DeleteFunc(slices.Clone(want), func(s feature.Score) bool { return s.Severity <= 1 })); alarms < 50 {
		t.Fatalf("%d alarms of features that are null, want many", alarms)
	}
	runtime.GOMAXPROCS(4)
	if got := l.score(t, testLevel, w); !reflect.DeepEqual(got, want) {
		t.Error("scores of four goroutines are others than those of one")
	}
	text, err := json.Marshal(l.reference)
	if err != nil {
		t.Fatal(err)
	}
	var back Reference
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	for _, prepared := range []bool{false, true} {
		if prepared {
			back.Prepare(l.view, l.layout, l.baseline)
		}
		if got, err := back.Score(l.view, l.layout, []WindowProfile{w}, l.baseline, testLevel); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("scores of a reference that was read again (prepared: %v) are others (%v)", prepared, err)
		}
	}
}

// A history without any variation does not alarm on noise, and does on a change.
func TestConstantHistory(t *testing.T) {
	for name, tc := range map[string]struct {
		typ    feature.Type
		always feature.Value
		share  float64 // of rows that differ
		value  feature.Value
		alarm  bool
	}{
		"never null, two nulls":      {feature.Float64, feature.Float64Value(3), 0.002, feature.Null, false},
		"never null, a tenth null":   {feature.Float64, feature.Float64Value(3), 0.1, feature.Null, true},
		"constant, two others":       {feature.Float64, feature.Float64Value(3), 0.002, feature.Float64Value(5), false},
		"constant, half others":      {feature.Float64, feature.Float64Value(3), 0.5, feature.Float64Value(5), true},
		"one category, two new":      {feature.String, feature.StringValue("a"), 0.002, feature.StringValue("b"), false},
		"one category, a tenth new":  {feature.String, feature.StringValue("a"), 0.1, feature.StringValue("b"), true},
		"always false, a fifth true": {feature.Bool, feature.BoolValue(false), 0.2, feature.BoolValue(true), true},
	} {
		t.Run(name, func(t *testing.T) {
			l := learn(t, oneFeature(5, 1000, tc.typ, func(*randSource) feature.Value { return tc.always }), 28)
			calm := find(t, l.score(t, testLevel, l.window(28, nil)), "x")
			if calm.Severity > 1 {
				t.Errorf("one more constant window alarms: %s", calm.Text)
			}
			row := 0
			w := l.window(29, func(v []feature.Value) {
				if row++; float64(row) <= tc.share*1000 {
					v[0] = tc.value
				}
			})
			if s := find(t, l.score(t, testLevel, w), "x"); (s.Severity > 1) != tc.alarm || s.Effect != tc.alarm {
				t.Errorf("severity %.2f effect %v (%s), want alarm %v", s.Severity, s.Effect, s.Text, tc.alarm)
			}
		})
	}
}

// A smaller window is noisier; that alone is no alarm.
func TestSmallerWindows(t *testing.T) {
	alarms := 0
	for seed := range uint64(8) {
		s := familyStream(seed, 1000, 1)
		l := learn(t, s, 28)
		s.rows = 60
		for _, score := range l.score(t, testLevel, l.window(28, nil)) {
			if score.Method == MethodCalibrated && score.Severity > 1 {
				alarms++
				t.Log(score.Text)
			}
			if score.Method == MethodVolume && !score.Effect {
				t.Errorf("a window of 60 rows instead of 1,000 does not block by volume: %+v", score)
			}
		}
	}
	if alarms > 1 {
		t.Errorf("%d of 64 features alarm in windows of 60 rows", alarms)
	}
}

func TestSeason(t *testing.T) {
	hour := 0
	s := oneFeature(3, 400, feature.Float64, func(r *randSource) feature.Value {
		return feature.Float64Value(2*math.Sin(float64(hour)*math.Pi/12) + r.NormFloat64())
	})
	s.view.Baseline.Season = []string{"day_of_week", "hour_of_day"}
	s.pin(t, 24)
	var history []WindowProfile
	for hour = range 24 * 10 {
		history = append(history, s.window(hour, nil))
	}
	baseline, err := merge(s.view, s.layout, history)
	if err != nil {
		t.Fatal(err)
	}
	r, err := BuildReference(s.view, s.layout, history)
	if err != nil {
		t.Fatal(err)
	}
	location := r.Features[0].Spreads[0]
	if location.Summary != Location || location.Season != "hour_of_day" || len(location.Phases) != 24 || location.DF != 240-24 {
		t.Fatalf("location keeps season %q with %d phases and %d degrees of freedom, want hour_of_day, 24, 216", location.Season, len(location.Phases), location.DF)
	}
	for offset, want := range map[int]bool{0: false, 12: true} {
		hour = 18 + offset // the values of another time of day
		w := s.window(24*10+18, nil)
		scores, err := r.Score(s.view, s.layout, []WindowProfile{w}, baseline, testLevel)
		if err != nil {
			t.Fatal(err)
		}
		if got := find(t, scores, "x"); (got.Severity > 1) != want {
			t.Errorf("values of hour %d at hour 18: severity %.2f (%s), want alarm %v", hour%24, got.Severity, got.Text, want)
		}
	}
}

func TestNoSeasonIsKeptWithoutOne(t *testing.T) {
	s := oneFeature(4, 200, feature.Float64, normal)
	s.view.Baseline.Season = []string{"hour_of_day", "windows:3"}
	l := learn(t, s, 240)
	kept := 0
	for _, spread := range l.reference.Features[0].Spreads {
		if spread.Season != "" {
			kept++
		}
	}
	if kept > 0 {
		t.Errorf("%d of %d summaries of noise keep a season", kept, len(l.reference.Features[0].Spreads))
	}
}

func TestProbationSeesSmallShifts(t *testing.T) {
	single, joint := 0, 0
	for seed := range uint64(10) {
		l := learn(t, oneFeature(seed, 1000, feature.Float64, normal), 28)
		shift := func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() + 0.15) }
		windows := []WindowProfile{l.window(28, shift), l.window(29, shift), l.window(30, shift), l.window(31, shift)}
		if find(t, l.score(t, testLevel, windows[0]), "x").Severity > 1 {
			single++
		}
		if find(t, l.score(t, testLevel, windows...), "x").Severity > 1 {
			joint++
		}
	}
	if joint < 9 || joint <= single {
		t.Errorf("0.15 sigma is seen in %d of 10 single windows and %d of 10 groups of four, want more, and 9", single, joint)
	}
}

func TestTooFewRows(t *testing.T) {
	s := oneFeature(6, 200, feature.Float64, normal)
	l := learn(t, s, 28)
	s.rows = 5
	short := l.window(28, nil)
	scores := l.score(t, testLevel, short)
	if len(scores) != 1 || scores[0].Short == "" || scores[0].Severity != 0 {
		t.Fatalf("scores of 5 rows = %+v, want one that says too few", scores)
	}
	s.rows = 200
	if scores = l.score(t, testLevel, short, l.window(29, nil)); len(scores) < 2 || scores[0].Short != "" {
		t.Errorf("scores of a short window and the next = %+v, want them judged together", scores)
	}
	for _, tc := range []struct {
		rows   int
		median float64
		short  bool
	}{{29, 60, true}, {30, 600, false}, {29, 29, false}, {25, 49, false}, {0, 1000, true}, {3, 5, false}} {
		s.rows = tc.rows
		if got := TooFew([]WindowProfile{s.window(40, nil)}, tc.median) != ""; got != tc.short {
			t.Errorf("TooFew(%d rows, median %v) = %v, want %v", tc.rows, tc.median, got, tc.short)
		}
	}
}

func TestAdjustOnlyRemovesAlarms(t *testing.T) {
	findings := make([]finding, 1000)
	for i := range findings {
		findings[i].p = (float64(i) + 0.5) / 1000 // what chance gives
	}
	findings[500].p = 1e-12
	adjust(findings, testLevel)
	for i, f := range findings {
		if f.adjusted < f.p {
			t.Errorf("finding %d: p %v became %v", i, f.p, f.adjusted)
		}
	}
	if findings[0].adjusted <= testLevel {
		t.Errorf("the smallest p of 1,000 by chance still alarms: %v", findings[0].adjusted)
	}
	if findings[500].adjusted > testLevel {
		t.Errorf("p 1e-12 no longer alarms: %v", findings[500].adjusted)
	}
}

func TestBorrowReference(t *testing.T) {
	s := oneFeature(8, 1000, feature.Float64, normal)
	l := learn(t, s, 28)
	moved := func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() + 5) }
	first := s.window(30, moved)
	layout, err := sketch.BuildLayout(s.view, first.Profile)
	if err != nil {
		t.Fatal(err)
	}
	s.layout = layout
	first = s.window(30, moved)
	r, err := BorrowReference(s.view, layout, []WindowProfile{first}, l.reference)
	if err != nil || !r.Calibrated() || !r.Borrowed {
		t.Fatalf("BorrowReference = %+v, %v", r, err)
	}
	for shift, want := range map[float64]bool{5: false, 6: true} {
		w := s.window(31, func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() + shift) })
		scores, err := r.Score(s.view, layout, []WindowProfile{w}, first.Profile, testLevel)
		if err != nil {
			t.Fatal(err)
		}
		if got := find(t, scores, "x"); (got.Severity > 1) != want {
			t.Errorf("shift of %v after the accepted one of 5: severity %.2f (%s), want alarm %v", shift, got.Severity, got.Text, want)
		}
	}
}

func TestScoreRefuses(t *testing.T) {
	l := learn(t, oneFeature(9, 300, feature.Float64, normal), 10)
	other := l.window(11, nil)
	unbinned := sketch.NewProfile(l.view, sketch.Unbinned(l.view), l.key)
	for name, tc := range map[string]struct {
		current  []WindowProfile
		baseline *sketch.Profile
		level    float64
		want     error
	}{
		"no window":       {nil, l.baseline, testLevel, ErrSample},
		"level 0":         {[]WindowProfile{other}, l.baseline, 0, ErrSample},
		"other baseline":  {[]WindowProfile{other}, unbinned, testLevel, ErrBins},
		"other bins":      {[]WindowProfile{{Profile: unbinned}}, l.baseline, testLevel, ErrBins},
		"as it should be": {[]WindowProfile{other}, l.baseline, testLevel, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := l.reference.Score(l.view, l.layout, tc.current, tc.baseline, tc.level); !errors.Is(err, tc.want) {
				t.Errorf("Score: %v, want %v", err, tc.want)
			}
		})
	}
}

func TestFewWindowsGiveNoSpreads(t *testing.T) {
	l := learn(t, oneFeature(10, 300, feature.Float64, normal), MinWindows-1)
	if l.reference.Calibrated() || l.reference.Windows != MinWindows-1 || l.reference.MedianRows != 300 {
		t.Errorf("reference of %d windows = %+v", MinWindows-1, l.reference)
	}
}

// five is a column of one value.
func five(*randSource) feature.Value { return feature.Float64Value(5) }

func TestTextNamesWhatMoved(t *testing.T) {
	for name, tc := range map[string]struct {
		typ    feature.Type
		draw   func(r *randSource) feature.Value
		change func(v feature.Value) feature.Value
		want   []string
	}{
		"mean":     {feature.Float64, normal, func(v feature.Value) feature.Value { return feature.Float64Value(v.Float() + 1) }, []string{"x: the mean went from ", "minutes"}},
		"nulls":    {feature.Float64, normal, func(feature.Value) feature.Value { return feature.Null }, []string{"x: the share of nulls went from 0 % to 100 %"}},
		"category": {feature.String, families[5].draw, func(feature.Value) feature.Value { return feature.StringValue("a") }, []string{`x: the share of "`}},
		"unseen":   {feature.String, families[5].draw, func(feature.Value) feature.Value { return feature.StringValue("zz") }, []string{`"zz"`, "to 100 %"}},
		"above":    {feature.Float64, five, func(feature.Value) feature.Value { return feature.Float64Value(6) }, []string{"x: the share above 5 went from 0 % to 100 %"}},
		"below":    {feature.Float64, five, func(feature.Value) feature.Value { return feature.Float64Value(4) }, []string{"x: the share below 5 went from 0 % to 100 %"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := learn(t, oneFeature(12, 500, tc.typ, tc.draw), 12)
			got := find(t, l.score(t, testLevel, l.window(20, func(v []feature.Value) { v[0] = tc.change(v[0]) })), "x")
			for _, want := range tc.want {
				if !strings.Contains(got.Text, want) {
					t.Errorf("text %q does not say %q", got.Text, want)
				}
			}
		})
	}
}

func TestStudentAgainstSciPy(t *testing.T) {
	text, err := os.ReadFile("binned/testdata/reference.json") // what SciPy says of statistics and of laws
	if err != nil {
		t.Fatal(err)
	}
	var known struct{ Student []struct{ T, DF, P float64 } }
	if err := json.Unmarshal(text, &known); err != nil || len(known.Student) == 0 {
		t.Fatalf("%d known values, %v", len(known.Student), err)
	}
	for _, tc := range known.Student {
		if got := studentTail(tc.T, tc.DF); math.Abs(got-tc.P) > 1e-9*tc.P+1e-300 {
			t.Errorf("studentTail(%v, %v) = %v, want %v", tc.T, tc.DF, got, tc.P)
		}
		if tc.P > 1e-200 && tc.T > 0 {
			if got := studentQuantile(tc.P, tc.DF); math.Abs(got-tc.T) > 1e-6*tc.T {
				t.Errorf("studentQuantile(%v, %v) = %v, want %v", tc.P, tc.DF, got, tc.T)
			}
		}
	}
}

func TestSmallestShift(t *testing.T) {
	if SmallestShift(7, testLevel) != 0 || SmallestShift(28, 0) != 0 {
		t.Error("SmallestShift without a history or a level is not 0")
	}
	short, long := SmallestShift(8, testLevel), SmallestShift(2016, testLevel)
	if !(short > long && long > 3.5 && long < 5) {
		t.Errorf("SmallestShift(8) = %v, SmallestShift(2016) = %v", short, long)
	}
}
