package app

import (
	"context"
	"errors"
	"testing"

	"sluice/feature"
	"sluice/store/memory"
	"sluice/store/placement"
	"sluice/store/redis"
)

func TestStepOf(t *testing.T) {
	some := []uint8{1, 2}
	for name, tc := range map[string]struct {
		marks  redis.Presence
		filled bool
		want   step
	}{
		"a new installation":                           {redis.Presence{Absent: some}, false, stepMark},
		"an older release, in part":                    {redis.Presence{Absent: some, Whole: []uint8{3}}, false, stepMark},
		"marked, and not noted":                        {redis.Presence{Whole: some}, false, stepNote},
		"all is well":                                  {redis.Presence{Whole: some}, true, stepNone},
		"rows are lost":                                {redis.Presence{Absent: some}, true, stepRestore},
		"a restore that was cut short":                 {redis.Presence{Restoring: some}, true, stepRestore},
		"lost where some could not be restored":        {redis.Presence{Absent: some, Incomplete: []uint8{3}}, true, stepRestore},
		"some could not be restored":                   {redis.Presence{Incomplete: some}, true, stepGaps},
		"another installation's servers":               {redis.Presence{Foreign: some}, true, stepForeign},
		"another installation's, before all is marked": {redis.Presence{Foreign: some, Absent: []uint8{3}}, false, stepForeign},
	} {
		t.Run(name, func(t *testing.T) {
			if got := stepOf(&tc.marks, tc.filled); got != tc.want {
				t.Errorf("stepOf(%+v, %t) = %d, want %d", tc.marks, tc.filled, got, tc.want)
			}
		})
	}
}

// A version that nobody sealed is staged again in the second pass, and all behind it.
func TestFirstOpen(t *testing.T) {
	of := func(steps ...feature.Step) (all []feature.VersionInfo) {
		for i, step := range steps {
			all = append(all, feature.VersionInfo{Version: feature.Version(i + 4), Step: step})
		}
		return all
	}
	for name, tc := range map[string]struct {
		versions []feature.VersionInfo
		want     feature.Version
	}{
		"none":     {nil, 0},
		"all shut": {of(feature.StepSwept, feature.StepSealed), 6},
		"one open": {of(feature.StepSwept, feature.StepOpen, feature.StepDecided), 5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := firstOpen(tc.versions); got != tc.want {
				t.Errorf("firstOpen = %d, want %d", got, tc.want)
			}
		})
	}
}

// Rows of buckets that have theirs are not staged again: what was folded there would come
// back.
func TestRestoredRows(t *testing.T) {
	stores, err := placement.Open(t.Context(), placement.Options{Default: func(context.Context) (placement.Store, error) { return &memory.Store{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer stores.Close()
	stores.Place(map[feature.ViewID]string{1: ""})
	lost, kept := feature.Key("a"), feature.Key("b")
	if redis.BucketOf(lost) == redis.BucketOf(kept) {
		t.Fatal("both keys are in one bucket")
	}
	rows := restoredRows{stores, []uint8{redis.BucketOf(lost)}}
	if _, err := rows.Stage(t.Context(), 1, 1, []feature.Row{{Key: kept}, {Key: lost}, {Key: kept}}); err != nil {
		t.Fatal(err)
	}
	chains, err := stores.Read(t.Context(), 1, []feature.Key{lost, kept}, nil)
	if err != nil || len(chains[0]) != 1 || len(chains[1]) != 0 {
		t.Errorf("%d and %d rows are staged, %v, want 1 of the bucket that was lost and none of the other", len(chains[0]), len(chains[1]), err)
	}
}

// What is staged again from the log is folded no further than the gate folds: rows that rest
// in the log may be hidden by a deletion that is certified.
func TestFoldable(t *testing.T) {
	for name, tc := range map[string]struct {
		memory string
		err    error
		want   feature.Version
	}{
		"nothing rests in the log": {`{"served":"2024-01-01T00:00:00Z"}`, nil, 9},
		"a view without a memory":  {"", nil, 9},
		"rows of version 4 rest":   {`{"shelf":[4],"offline":[4],"unfolded":4}`, nil, 3},
		"of one above the floor":   {`{"unfolded":12}`, nil, 9},
		"the memory is damaged":    {`{"unfolded":`, feature.ErrCorrupt, 0},
		"no answer":                {"", feature.ErrUnavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			asked := foldable(func(_ context.Context, view feature.ViewID) ([]byte, error) {
				if view != 7 {
					t.Errorf("asked for the memory of view %d, want 7", view)
				}
				if errors.Is(tc.err, feature.ErrUnavailable) {
					return nil, tc.err
				}
				return []byte(tc.memory), nil
			})
			if got, err := asked(t.Context(), 7, 9); got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("foldable = %d, %v, want %d, %v", got, err, tc.want, tc.err)
			}
		})
	}
}
