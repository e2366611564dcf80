package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// timed is a stream whose draws know their window and wobble with it.
type timed struct {
	*stream
	start  time.Time
	wobble float64
}

// facetKinds are features with a facet, by name.
var facetKinds = []struct {
	name string
	typ  feature.Type
	draw func(s *timed, r *rand.Rand) feature.Value
}{
	{"amounts", feature.ListOf(feature.Float64), func(s *timed, r *rand.Rand) feature.Value {
		list := make([]feature.Value, 1+poisson(r, 3))
		for i := range list {
			list[i] = feature.Float64Value(10 + 2*r.NormFloat64() + 2*s.wobble)
		}
		return feature.ListValue(feature.Float64, list)
	}},
	{"tags", feature.ListOf(feature.String), func(_ *timed, r *rand.Rand) feature.Value {
		list := make([]feature.Value, poisson(r, 2))
		for i := range list {
			list[i] = feature.StringValue(zipf(r))
		}
		return feature.ListValue(feature.String, list)
	}},
	{"detail", feature.JSON, func(s *timed, r *rand.Rand) feature.Value { return feature.JSONValue(s.detail(r, "os")) }},
	{"created", feature.Timestamp, func(s *timed, r *rand.Rand) feature.Value { return feature.TimestampValue(s.created(r)) }},
	{"birthday", feature.Timestamp, func(_ *timed, r *rand.Rand) feature.Value {
		return feature.TimestampValue(time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(15_000)))
	}},
	{"seen", feature.Timestamp, func(s *timed, r *rand.Rand) feature.Value {
		return feature.TimestampValue(s.start.Add(time.Duration(r.Float64()*float64(s.view.Window.Size)) - time.Duration(r.ExpFloat64()*float64(2*time.Hour))))
	}},
}

// created is a time in the two years before the window, mostly in the day.
func (s *timed) created(r *rand.Rand) time.Time {
	day := s.start.AddDate(0, 0, -1-r.IntN(730)).Truncate(24 * time.Hour)
	return day.Add(time.Duration((14 + 4*r.NormFloat64()) * float64(time.Hour)))
}

// detail is a json value of which some paths are always there, some seldom, and some
// never the same.
func (s *timed) detail(r *rand.Rand, key string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"device":{"%s":"x","version":"%d"}`, key, r.IntN(9))
	if r.Float64() < 0.3+0.02*s.wobble {
		b.WriteString(`,"campaign":{"id":1,"source":null}`)
	}
	if r.Float64() < 0.02 {
		b.WriteString(`,"error":"timeout"`)
	}
	for range poisson(r, 1) {
		fmt.Fprintf(&b, `,"u%d":{"score":1}`, r.IntN(3000))
	}
	b.WriteString("}")
	return b.String()
}

func facetStream(seed uint64, rows int, size time.Duration, wobble float64, kinds ...string) *timed {
	s := &timed{}
	var features []feature.Feature
	var draws []func(s *timed, r *rand.Rand) feature.Value
	for _, k := range facetKinds {
		if len(kinds) == 0 || k.name == kinds[0] {
			features, draws = append(features, feature.Feature{Name: k.name, Type: k.typ}), append(draws, k.draw)
		}
	}
	s.stream = newStream(seed, rows, features, func(r *rand.Rand, v []feature.Value) {
		for i := range v {
			v[i] = draws[i](s, r)
		}
	})
	s.view.Window.Size = size
	s.begin = func(index int) {
		s.start, s.wobble = epoch.Add(time.Duration(index)*size), wobble*s.rng.NormFloat64()
	}
	return s
}

// Stable features with facets alarm no more often than others, whatever the length of
// their windows: among them timestamps near the window, whose hours follow it.
func TestFacetFalseAlarms(t *testing.T) {
	for _, size := range []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour} {
		t.Run(size.String(), func(t *testing.T) {
			t.Parallel()
			names := map[string]*tally{}
			for i := range *calibrationSeeds {
				s := facetStream(uint64(1000+17*i), *calibrationRows, size, 0.03)
				l := learn(t, s.stream, 28)
				for k := range *calibrationWindows {
					for _, score := range l.score(t, testLevel, l.window(28+k, nil)) {
						if names[score.Feature] == nil {
							names[score.Feature] = &tally{}
						}
						names[score.Feature].add(&score)
						if score.Severity > 1 && testing.Verbose() {
							t.Log(score.Text)
						}
					}
				}
			}
			var all tally
			for _, k := range facetKinds {
				n := names[k.name]
				t.Logf("%-6s %-9s %s", size, k.name, n)
				all.windows, all.alarms, all.blocks = all.windows+n.windows, all.alarms+n.alarms, all.blocks+n.blocks
			}
			t.Logf("%-6s %-9s %s", size, "ALL", &all)
			if float64(all.alarms) > 0.003*float64(all.windows)+1 || float64(all.blocks) > 0.0005*float64(all.windows)+1 {
				t.Errorf("%s", &all)
			}
		})
	}
}

// TestFacetsBeginAtAnyTime judges windows after histories that begin at any time of the week and are as short as the
// first that are judged: times that follow their windows have been at few hours, or on one day, until then.
func TestFacetsBeginAtAnyTime(t *testing.T) {
	const windows = 12
	for _, size := range []time.Duration{time.Minute, 5 * time.Minute, time.Hour, 6 * time.Hour} {
		t.Run(size.String(), func(t *testing.T) {
			t.Parallel()
			var all tally
			r := rand.New(rand.NewPCG(uint64(size), 5))
			for i := range 2 * *calibrationSeeds {
				s := facetStream(uint64(9000+17*i), 300, size, 0.03)
				s.from = r.IntN(int(7 * 24 * time.Hour / size))
				history := MinWindows + r.IntN(21)
				l := learn(t, s.stream, history)
				for k := range windows {
					for _, score := range l.score(t, testLevel, l.window(history+k, nil)) {
						all.add(&score)
						if score.Severity > 1 && score.Effect {
							t.Logf("history of %d windows from %s: %s", history, epoch.Add(time.Duration(s.from)*size).Format(time.DateTime), score.Text)
						}
					}
				}
			}
			t.Logf("%-6s %s", size, &all)
			if n := float64(all.windows); float64(all.alarms) > .003*n+4*math.Sqrt(.003*n) || float64(all.blocks) > .0005*n+1 {
				t.Errorf("%s", &all)
			}
		})
	}
}

// Faults that only a facet shows are found, and told in words.
func TestFacetPower(t *testing.T) {
	half := func(s *timed, v feature.Value) feature.Value {
		if s.rng.IntN(2) == 0 {
			return v
		}
		return feature.JSONValue(s.detail(s.rng, "opsys"))
	}
	shift := func(by time.Duration) func(*timed, feature.Value) feature.Value {
		return func(_ *timed, v feature.Value) feature.Value { return feature.TimestampValue(v.Time().Add(by)) }
	}
	scale := func(by float64) func(*timed, feature.Value) feature.Value {
		return func(_ *timed, v feature.Value) feature.Value {
			list := make([]feature.Value, len(v.List()))
			for i, e := range v.List() {
				list[i] = feature.Float64Value(by * e.Float())
			}
			return feature.ListValue(feature.Float64, list)
		}
	}
	for name, tc := range map[string]struct {
		feature string
		change  func(*timed, feature.Value) feature.Value
		size    time.Duration
		power   float64
		blocks  float64
		says    string
	}{
		"a member is renamed in half of the rows": {"detail", half, time.Hour, 1, 1, "detail: path $.device.os present in "},
		"a member is null in a tenth of the rows": {"detail", func(s *timed, v feature.Value) feature.Value {
			if s.rng.IntN(10) > 0 {
				return v
			}
			return feature.JSONValue(strings.Replace(v.Text(), `"os":"x"`, `"os":null`, 1))
		}, time.Hour, 1, 1, "detail: path $.device.os present in "},
		"a new member in a tenth of the rows": {"detail", func(s *timed, v feature.Value) feature.Value {
			if s.rng.IntN(10) > 0 {
				return v
			}
			return feature.JSONValue(strings.Replace(v.Text(), `"version"`, `"brand":{"name":1},"version"`, 1))
		}, time.Hour, 0, 0, ""},
		"elements times 100":          {"amounts", scale(100), time.Hour, 1, 1, "amounts: in the elements of its lists, "},
		"elements times 1.1":          {"amounts", scale(1.1), time.Hour, 1, 0.5, "amounts: in the elements of its lists, "},
		"a new tag in 5 % of them":    {"tags", newTag, time.Hour, 1, 0, "tags: in the elements of its lists, "},
		"old times by 5 h":            {"created", shift(5 * time.Hour), 5 * time.Minute, 1, 1, "created: times moved among the hours of the day: "},
		"old times by 5 h, hourly":    {"created", shift(5 * time.Hour), time.Hour, 1, 1, "created: times moved among the hours of the day: "},
		"old times by 1 h":            {"created", shift(-time.Hour), time.Hour, 0.9, 0, "created: times moved among the hours of the day: "},
		"birthdays by 2 h":            {"birthday", shift(-2 * time.Hour), time.Hour, 1, 1, "birthday: times moved among the hours of the day: 100 % of them are at 22:00, was 0 %"},
		"times near the window by 5h": {"seen", shift(-5 * time.Hour), 5 * time.Minute, 1, 1, "seen: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n tally
			said := 0
			for i := range *calibrationSeeds {
				s := facetStream(uint64(2000+31*i), *calibrationRows, tc.size, 0.03, tc.feature)
				l := learn(t, s.stream, 28)
				for k := range *calibrationWindows {
					score := find(t, l.score(t, testLevel, l.window(28+k, func(v []feature.Value) { v[0] = tc.change(s, v[0]) })), tc.feature)
					n.add(&score)
					if strings.HasPrefix(score.Text, tc.says) && score.Text != "" {
						said++
					} else if score.Severity > 1 {
						t.Logf("says %q", score.Text)
					}
					if k == 0 && i == 0 {
						t.Log(score.Text)
					}
				}
			}
			caught, blocked := float64(n.alarms)/float64(n.windows), float64(n.blocks)/float64(n.windows)
			t.Logf("%-40s %5d windows: caught %.3f, would block %.3f", name, n.windows, caught, blocked)
			if caught < tc.power || blocked < tc.blocks || float64(said) < 0.9*tc.power*float64(n.windows) {
				t.Errorf("caught %.2f, blocked %.2f, told in words %d of %d windows, want %.2f and %.2f", caught, blocked, said, n.windows, tc.power, tc.blocks)
			}
		})
	}
}

func newTag(s *timed, v feature.Value) feature.Value {
	list := make([]feature.Value, len(v.List()))
	for i, e := range v.List() {
		if list[i] = e; s.rng.IntN(20) == 0 {
			list[i] = feature.StringValue("brand new")
		}
	}
	return feature.ListValue(feature.String, list)
}

// The hours of timestamps near short windows are not judged, those of old ones are.
func TestHoursAreJudgedWhereTheyRecur(t *testing.T) {
	for name, tc := range map[string]struct {
		feature string
		size    time.Duration
		judged  int
	}{
		"near, 5 minutes": {"seen", 5 * time.Minute, 0}, "near, an hour": {"seen", time.Hour, 0},
		"near, a day: hours of the day": {"seen", 24 * time.Hour, 1}, "old, an hour": {"created", time.Hour, 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := learn(t, facetStream(5, 500, tc.size, 0, tc.feature).stream, 28)
			if _, n := l.reference.facetOf(1); n != tc.judged {
				t.Errorf("%d aspects are judged, want %d", n, tc.judged)
			}
		})
	}
}

// A history that is shorter than a day, or a week, does not say that times recur: those near
// the window are at another hour, or on another day, as soon as the clock is.
func TestHoursOfAShortHistory(t *testing.T) {
	for name, tc := range map[string]struct {
		size          time.Duration
		history, next int // windows, from midnight on
	}{
		"an hour, the next day": {time.Hour, 22, 24}, "a minute, the next hour": {time.Minute, 50, 60},
		"six hours, the next day": {6 * time.Hour, 24, 28},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				s := newTimesStream(times{window: tc.size, draw: func(r *rand.Rand, _ int, start time.Time) time.Time {
					return start.Add(time.Duration(r.Float64() * float64(tc.size)))
				}}, 40+seed, 300)
				l := learn(t, s.stream, tc.history)
				for i := range 4 {
					for _, score := range l.score(t, testLevel, l.window(tc.next+i, nil)) {
						if score.Severity >= 1 {
							t.Errorf("seed %d, window %d: %s", seed, i, score.Text)
						}
					}
				}
			}
		})
	}
}

// References with facets survive their JSON and judge the same.
func TestFacetReferenceRoundTrip(t *testing.T) {
	l := learn(t, facetStream(6, 300, time.Hour, 0.03).stream, 28)
	window := l.window(30, nil)
	want := l.score(t, testLevel, window)
	l.reference = recoded(t, l.reference)
	for i, got := range l.score(t, testLevel, window) {
		if got != want[i] && !(math.IsNaN(got.Statistic) && math.IsNaN(want[i].Statistic)) {
			t.Errorf("score %+v, want %+v", got, want[i])
		}
	}
}

func recoded(t *testing.T, r *Reference) *Reference {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back := new(Reference)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatal(err)
	}
	return back
}
