package drift

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// times is a kind of timestamp column. start is that of the window, of which the entity
// writes a row.
type times struct {
	name   string
	window time.Duration
	draw   func(r *rand.Rand, entity int, start time.Time) time.Time
	// of is fixed for an entity, if not nil: what draw returned first.
	fixed bool
	stale bool // a source that stands still is to be found
}

const day = 24 * time.Hour

var timesKinds = []times{
	{name: "birthday, the same entities", window: day, fixed: true, draw: func(r *rand.Rand, _ int, _ time.Time) time.Time {
		return epoch.Add(-time.Duration((40 + 12*r.NormFloat64()) * 365 * float64(day)))
	}},
	{name: "birthday, other entities", window: day, draw: func(r *rand.Rand, _ int, _ time.Time) time.Time {
		return epoch.Add(-time.Duration((40 + 12*r.NormFloat64()) * 365 * float64(day)))
	}},
	{name: "signed up within 90 days", window: day, draw: func(r *rand.Rand, _ int, _ time.Time) time.Time {
		return epoch.Add(-time.Duration(90 * r.Float64() * float64(day)))
	}},
	{name: "signed up within 90 days, hourly", window: time.Hour, fixed: true, draw: func(r *rand.Rand, _ int, _ time.Time) time.Time {
		return epoch.Add(-time.Duration(90 * r.Float64() * float64(day)))
	}},
	{name: "one time for all", window: day, draw: func(*rand.Rand, int, time.Time) time.Time { return epoch.Add(-200 * day) }},
	{name: "seen minutes ago", window: time.Hour, stale: true, draw: func(r *rand.Rand, _ int, start time.Time) time.Time {
		return start.Add(-time.Duration(r.ExpFloat64() * 40 * float64(time.Minute)))
	}},
	{name: "seen within a day, daily", window: day, stale: true, draw: func(r *rand.Rand, _ int, start time.Time) time.Time {
		return start.Add(-time.Duration(r.Float64() * float64(day)))
	}},
	{name: "seen days ago", window: day, stale: true, draw: func(r *rand.Rand, _ int, start time.Time) time.Time {
		return start.Add(-time.Duration(r.ExpFloat64() * 5 * float64(day)))
	}},
}

// timesStream is a stream of one timestamp; frozen, if not zero, is when its source stood
// still.
type timesStream struct {
	*stream
	start, frozen time.Time
}

func newTimesStream(kind times, seed uint64, rows int) *timesStream {
	s, known := &timesStream{}, map[int]time.Time{}
	entity := 0
	s.stream = newStream(seed, rows, []feature.Feature{{Name: "at", Type: feature.Timestamp}}, func(r *randSource, v []feature.Value) {
		start := s.start
		if !s.frozen.IsZero() && s.frozen.Before(start) {
			start = s.frozen
		}
		entity = (entity + 1) % rows
		at, ok := known[entity]
		if !ok || !kind.fixed {
			at = kind.draw(r, entity, start)
			known[entity] = at
		}
		v[0] = feature.TimestampValue(at)
	})
	s.view.Window = feature.WindowSpec{Size: kind.window}
	s.begin = func(i int) { s.start = epoch.Add(time.Duration(i) * kind.window) }
	return s
}

// asAge makes a reference judge timestamps by age alone, as it did before.
func asAge(t *testing.T, l learned) *Reference {
	t.Helper()
	view := *l.view
	view.Features = slices.Clone(view.Features)
	view.Features[0].Type = feature.Int64 // which is binned alike
	r, err := BuildReference(&view, l.layout, l.history)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// timesCount is what a run of windows gave.
type timesCount struct{ windows, alarms, blocks, slow int }

func (c *timesCount) take(scores []feature.Score) {
	c.windows++
	for _, s := range scores {
		if s.Feature == "at" && s.Severity >= 1 {
			c.alarms++
			if s.Effect {
				c.blocks++
			}
		}
	}
}

// TestTimesGrowOlder judges windows of timestamps against a history that stays, as a
// pinned one does, by age alone and with the clock; and then has the
// source stand still.
func TestTimesGrowOlder(t *testing.T) {
	for _, kind := range timesKinds {
		t.Run(kind.name, func(t *testing.T) {
			var quiet, byAge timesCount
			found, seeds, delays := 0, *calibrationSeeds, []int{}
			for seed := range seeds {
				s := newTimesStream(kind, uint64(700+seed), *calibrationRows)
				l := learn(t, s.stream, 28)
				old := asAge(t, l)
				var recent []WindowProfile
				for i := range *calibrationWindows {
					w := l.window(28+i, nil)
					scores := l.score(t, testLevel, w)
					quiet.take(scores)
					before, err := old.Score(l.view, l.layout, []WindowProfile{w}, l.baseline, testLevel)
					if err != nil {
						t.Fatal(err)
					}
					byAge.take(before)
					if recent = append(recent, w); len(recent) > Accumulated {
						recent = recent[1:]
					}
					slow, err := l.reference.Accumulate(l.view, l.layout, recent, l.baseline, testLevel, nil)
					if err != nil {
						t.Fatal(err)
					}
					if len(slow) > 0 {
						quiet.slow++
					}
				}
				s.frozen = s.start
				for i := range 20 {
					scores := l.score(t, testLevel, l.window(28+*calibrationWindows+i, nil))
					if slices.ContainsFunc(scores, func(s feature.Score) bool { return s.Feature == "at" && s.Severity >= 1 }) {
						found++
						delays = append(delays, i+1)
						break
					}
				}
			}
			slices.Sort(delays)
			t.Logf("%d windows: alarms %d (blocks %d), that add up %d; by age alone %d (%d); stood still: found in %d of %d, windows %v", quiet.windows, quiet.alarms, quiet.blocks, quiet.slow,
				byAge.alarms, byAge.blocks, found, seeds, delays)
			if quiet.blocks > 0 || 1000*quiet.alarms > 4*quiet.windows+2000 {
				t.Errorf("%d alarms, %d blocks in %d quiet windows", quiet.alarms, quiet.blocks, quiet.windows)
			}
			if kind.stale && found < seeds {
				t.Errorf("a source that stands still is found in %d of %d", found, seeds)
			}
		})
	}
}

// TestTimesMove has faults in timestamps that grow older with the clock.
func TestTimesMove(t *testing.T) {
	for name, fault := range map[string]func(at int64) int64{
		"seconds for milliseconds": func(at int64) int64 { return at / 1000 },
		"a third is 1970": func(at int64) int64 {
			if at%3 == 0 {
				return 0
			}
			return at
		},
		"thirty years later": func(at int64) int64 { return at + 30*365*86400 },
	} {
		for _, kind := range timesKinds[:5] {
			t.Run(fmt.Sprint(kind.name, ", ", name), func(t *testing.T) {
				s := newTimesStream(kind, 31, 250)
				l := learn(t, s.stream, 28)
				score := find(t, l.score(t, testLevel, l.window(40, func(v []feature.Value) { v[0] = feature.TimestampValue(time.Unix(fault(v[0].Int()), 0)) })), "at")
				if kind.name == "one time for all" && name == "a third is 1970" {
					return // all or none of them
				}
				if !(score.Severity > 1) || !score.Effect || score.Text == "" {
					t.Errorf("%+v, want a block", score)
				}
				t.Log(score.Text)
			})
		}
	}
}

// TestTimesOfFewWindows compares times with the first windows there are, which do not say yet
// whether they move with the clock.
func TestTimesOfFewWindows(t *testing.T) {
	for _, kind := range timesKinds[:5] {
		s := newTimesStream(kind, 41, *calibrationRows)
		windows, _ := s.history(t, 4) // with a layout of these, each has its bins
		layout, err := sketch.BuildLayout(s.view, windows[0].Profile, windows[1].Profile, windows[2].Profile, windows[3].Profile)
		if err != nil {
			t.Fatal(err)
		}
		s.layout = layout
		_, baseline := s.history(t, 4)
		w := s.window(6, nil)
		passed := (&Reference{Since: epoch.Unix()}).Passed(w.Window.Start)
		if score := find(t, ColdStart(s.view, s.layout, w.Profile, baseline, testLevel, passed, true), "at"); score.Severity > 1 {
			t.Errorf("%s: %s", kind.name, score.Text)
		}
		moved := s.window(7, func(v []feature.Value) { v[0] = feature.TimestampValue(time.Unix(v[0].Int()-5*365*86400*30, 0)) })
		if score := find(t, ColdStart(s.view, s.layout, moved.Profile, baseline, testLevel, passed, true), "at"); !(score.Severity > 1) {
			t.Errorf("%s, 150 years before: no alarm: %+v", kind.name, score)
		}
		if kind.name != "one time for all" {
			continue
		}
		if score := find(t, ColdStart(s.view, s.layout, w.Profile, baseline, testLevel, 0, true), "at"); !(score.Severity > 1) {
			t.Error("without the time that passed there is no alarm: the test says nothing")
		}
	}
}

// TestClockOfAReferenceThatIsRefused reads clocks that nobody wrote.
func TestClockOfAReferenceThatIsRefused(t *testing.T) {
	l := learn(t, newTimesStream(timesKinds[0], 5, 300).stream, 28)
	clock := l.reference.Features[0].Clock
	if clock == nil || !clock.valid() {
		t.Fatalf("clock %+v, want one", clock)
	}
	for name, change := range map[string]func(*Clock){
		"no unit":        func(c *Clock) { c.Unit = 0 },
		"no spread":      func(c *Clock) { c.Spreads = nil },
		"another spread": func(c *Clock) { c.Spreads = []Spread{{Summary: HighTail, N: 9, DF: 8, SD: 1}} },
	} {
		bad := *clock
		bad.Spreads = slices.Clone(clock.Spreads)
		change(&bad)
		l.reference.Features[0].Clock = &bad
		if _, err := l.reference.Score(l.view, l.layout, []WindowProfile{l.history[0]}, l.baseline, testLevel); err == nil {
			t.Errorf("%s: judged", name)
		}
	}
}
