package freshness

import (
	"testing"
	"time"

	"sluice/feature"
)

var (
	noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	spec = feature.Freshness{Warn: 30 * time.Minute, Page: time.Hour, Critical: 2 * time.Hour}
)

func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		spec   feature.Freshness
		newest time.Time
		level  Level
		age    time.Duration
	}{
		"now":                    {spec, noon, Fresh, 0},
		"in the future":          {spec, noon.Add(time.Hour), Fresh, 0},
		"at the limit":           {spec, noon.Add(-30 * time.Minute), Fresh, 30 * time.Minute},
		"past warn":              {spec, noon.Add(-31 * time.Minute), Warn, 31 * time.Minute},
		"past page":              {spec, noon.Add(-61 * time.Minute), Page, 61 * time.Minute},
		"past critical":          {spec, noon.Add(-3 * time.Hour), Critical, 3 * time.Hour},
		"no limits":              {feature.Freshness{}, noon.Add(-1000 * time.Hour), Fresh, 1000 * time.Hour},
		"only a critical limit":  {feature.Freshness{Critical: time.Hour}, noon.Add(-2 * time.Hour), Critical, 2 * time.Hour},
		"nothing was ever there": {spec, time.Time{}, Fresh, 0},
	} {
		t.Run(name, func(t *testing.T) {
			level, age := Judge(tc.spec, tc.newest, noon)
			if level != tc.level || age != tc.age {
				t.Errorf("Judge(%v, %v) = %v, %v, want %v, %v", tc.spec, tc.newest, level, age, tc.level, tc.age)
			}
		})
	}
}

func TestTrackerTellsChangesOnly(t *testing.T) {
	view := &feature.View{Name: "v", Freshness: spec}
	var tracker Tracker
	var got []Level
	for minute := 0; minute <= 180; minute++ {
		if e, ok := tracker.Observe(view, noon, noon.Add(time.Duration(minute)*time.Minute)); ok {
			got = append(got, e.To)
			if e.Age != time.Duration(minute)*time.Minute || e.Recovered() {
				t.Errorf("event %+v at minute %d", e, minute)
			}
		}
	}
	later := noon.Add(3 * time.Hour)
	if e, ok := tracker.Observe(view, later, later); !ok || !e.Recovered() || e.From != Critical {
		t.Errorf("Observe of new values = %+v, %v, want a recovery from critical", e, ok)
	}
	if want := []Level{Warn, Page, Critical}; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("levels %v, want %v", got, want)
	}
}

func TestTrackerRestoreAndForget(t *testing.T) {
	view := &feature.View{Name: "v", Freshness: spec}
	var tracker Tracker
	tracker.Restore("v", Warn)
	if e, ok := tracker.Observe(view, noon, noon.Add(45*time.Minute)); ok {
		t.Errorf("Observe at the restored level = %+v, want nothing", e)
	}
	if tracker.Level("v") != Warn {
		t.Errorf("Level = %v, want warn", tracker.Level("v"))
	}
	tracker.Forget("v")
	if e, ok := tracker.Observe(view, noon, noon.Add(45*time.Minute)); !ok || e.From != Fresh {
		t.Errorf("Observe after Forget = %+v, %v, want an event from fresh", e, ok)
	}
}

func TestLevelText(t *testing.T) {
	for _, level := range []Level{Fresh, Warn, Page, Critical} {
		text, _ := level.MarshalText()
		var back Level
		if err := back.UnmarshalText(text); err != nil || back != level {
			t.Errorf("UnmarshalText(%s) = %v, %v, want %v", text, back, err, level)
		}
	}
	var level Level
	if err := level.UnmarshalText([]byte("old")); err == nil {
		t.Error("UnmarshalText(old) gave no error")
	}
	if Limit(spec, Page) != time.Hour || Limit(spec, Fresh) != 0 || Limit(spec, Warn) != spec.Warn || Limit(spec, Critical) != spec.Critical {
		t.Error("Limit does not return the view's limits")
	}
}
