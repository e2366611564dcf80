package redis

import (
	"reflect"
	"testing"

	"sluice/feature"
)

func TestPresenceMarks(t *testing.T) {
	for name, tc := range map[string]struct {
		mark   string
		absent bool
		want   Presence
	}{
		"the owner's":                {"me", false, Presence{Whole: []uint8{7}}},
		"none":                       {"", true, Presence{Absent: []uint8{7}}},
		"a restore":                  {"restoring me token", false, Presence{Restoring: []uint8{7}}},
		"what the log still had":     {"incomplete me", false, Presence{Incomplete: []uint8{7}}},
		"another's":                  {"you", false, Presence{Foreign: []uint8{7}}},
		"another's restore":          {"restoring you token", false, Presence{Foreign: []uint8{7}}},
		"empty":                      {"", false, Presence{Foreign: []uint8{7}}},
		"a word that nobody wrote":   {"restored me", false, Presence{Foreign: []uint8{7}}},
		"an owner that begins alike": {"me2", false, Presence{Foreign: []uint8{7}}},
	} {
		t.Run(name, func(t *testing.T) {
			var p Presence
			if p.add(7, tc.mark, tc.absent, "me"); !reflect.DeepEqual(p, tc.want) {
				t.Errorf("a bucket marked %q: %+v, want %+v", tc.mark, p, tc.want)
			}
		})
	}
}

// Of a bucket that has lost its rows an entity without records has failed, and one with
// some is as if a replica had given it; other buckets and other errors stay as they are.
func TestDoubt(t *testing.T) {
	lost := &bucketSet{}
	lost[3], lost[4] = true, true
	l := &lookup{wanted: wanted{views: []feature.ViewID{1}, stride: 5}, of: []int{0, 1, 2, 3, 4}, buckets: []uint8{3, 3, 9, 9, 4}, errs: []error{nil, nil, nil, nil, ErrCorrupt}}
	row := []feature.Record{{Version: 1}}
	dst := [][]feature.Record{nil, row, nil, row, nil}
	if got := l.nobody(dst); got == nil || !got[3] || !got[9] || got.count() != 2 {
		t.Errorf("buckets of entities without records: %v, want 3 and 9", got)
	}
	l.doubt(dst, lost, true)
	if want := []error{ErrEmptied, nil, nil, nil, ErrCorrupt}; !reflect.DeepEqual(l.errs, want) || l.copied != nil {
		t.Errorf("those without records alone: errors %v, behind %v, want %v and none", l.errs, l.copied, want)
	}
	l.doubt(dst, lost, false)
	if want := []error{ErrEmptied, ErrEmptied, nil, nil, ErrCorrupt}; !reflect.DeepEqual(l.errs, want) {
		t.Errorf("errors %v, want %v", l.errs, want)
	}
	if want := []bool{false, true, false, false, false}; !reflect.DeepEqual(l.copied, want) {
		t.Errorf("behind %v, want %v", l.copied, want)
	}
}

// Looks go to each bucket of a set in turns.
func TestNthBucket(t *testing.T) {
	set, seen := bucketSet{2: true, 60: true, 127: true}, bucketSet{}
	for turn := range 3 {
		one := set.nth(turn)
		if one.count() != 1 || !set.meets(&one) || seen.meets(&one) {
			t.Errorf("turn %d gives %v", turn, one)
		}
		for b, in := range one {
			seen[b] = seen[b] || in
		}
	}
	if none := (&bucketSet{}).nth(5); none.count() != 0 {
		t.Errorf("of no buckets %v", none)
	}
}
