package sketch

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"sluice/feature"
)

// TestBackfillIsCountedApart adds writes of a backfill to a profile in parts: they are
// counted, and nothing else of it knows them.
func TestBackfillIsCountedApart(t *testing.T) {
	view := &feature.View{Name: "v", Window: feature.WindowSpec{Size: time.Minute}, Features: []feature.Feature{{ID: 1, Name: "x", Type: feature.Float64}}}
	write := func(i int, backfill bool) *feature.Write {
		return &feature.Write{View: view, EventTime: time.Unix(60, 0), Values: []feature.Value{feature.Float64Value(float64(i))}, Topic: "t", Offset: int64(i), Backfill: backfill}
	}
	var parts [3]*Profile
	for i := range parts {
		parts[i] = NewProfile(view, Unbinned(view), HashKey{1})
	}
	alone, whole := NewProfile(view, Unbinned(view), HashKey{1}), NewProfile(view, Unbinned(view), HashKey{1})
	for i := range 100 {
		w := write(i, i%4 == 0)
		for _, p := range []*Profile{parts[i%3], whole} {
			if w.Backfill {
				p.AddBackfill(w)
			} else {
				p.Add(w)
			}
		}
		if !w.Backfill {
			alone.Add(w)
		}
	}
	merged := NewProfile(view, Unbinned(view), HashKey{1})
	for _, i := range []int{2, 0, 1} {
		body, _ := parts[i].MarshalBinary()
		back, err := UnmarshalProfile(body, Unbinned(view))
		if err != nil {
			t.Fatal(err)
		}
		if err := merged.Merge(back); err != nil {
			t.Fatal(err)
		}
	}
	if merged.Digest() != whole.Digest() || merged.Backfilled != 25 || merged.Total() != 100 || merged.Rows != 75 {
		t.Errorf("merged: %d backfilled of %d, %d rows, want 25 of 100 and 75 rows, the same bytes as unsplit: %v", merged.Backfilled, merged.Total(), merged.Rows, merged.Digest() == whole.Digest())
	}
	if merged.Backfill() {
		t.Error("a window with 75 rows of its own is one of a backfill")
	}
	few := NewProfile(view, Unbinned(view), HashKey{1})
	few.Add(write(1, false))
	few.AddBackfill(write(2, true))
	few.AddBackfill(write(3, true))
	if !few.Backfill() {
		t.Error("a window of a row of its own and two of a backfill is none")
	}
	whole.Backfilled = 0
	a, _ := whole.MarshalBinary()
	b, _ := alone.MarshalBinary()
	if !bytes.Equal(a, b) {
		t.Error("without their count the profile is another one than that of the rest")
	}
	a[0] |= backfilled // says that a count follows, and none does
	if _, err := UnmarshalProfile(append(a, 0), Unbinned(view)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a count of 0: %v, want ErrCorrupt", err)
	}
}
