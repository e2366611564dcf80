package storetest

import (
	"testing"

	"sluice/feature"
)

func (r *rows) correct(view feature.ViewID, version feature.Version, put []feature.Row, gone ...feature.Key) {
	r.t.Helper()
	if err := r.Correct(r.t.Context(), view, version, put, gone); err != nil {
		r.t.Fatalf("Correct(view %d, version %d, %v, %q) = %v", view, version, put, gone, err)
	}
}

func testCorrect(t *testing.T, r *rows) {
	newer, right, beside := record(3, 20, 9, "newer, longer, and wrong"), record(3, 10, 1, "right"), record(4, 5, 1, "beside")
	for _, key := range hostileKeys {
		r.stage(1, 3, row(key, newer))
		r.stage(1, 4, row(key, beside))
	}
	r.stage(1, 3, row("gone", newer))
	r.stage(1, 4, row("gone", beside))
	r.stage(2, 3, row("a", newer), row("gone", newer))
	var put []feature.Row
	for _, key := range hostileKeys {
		put = append(put, row(key, right))
	}
	for range 2 { // it may be repeated
		r.correct(1, 3, append(put, row("never staged", right)), "gone", "never staged either")
		for _, key := range hostileKeys {
			r.want(1, key, right, beside)
		}
		r.want(1, "gone", beside)
		r.want(1, "never staged")
		r.want(1, "never staged either")
		r.want(2, "a", newer)
		r.want(2, "gone", newer)
	}
	rows, bytes, err := r.Stat(t.Context(), 1, 3)
	var want uint64
	for _, x := range put {
		want += uint64(len(x.Key) + len(feature.AppendRecord(nil, x.Record)))
	}
	if err != nil || rows != uint64(len(put)) || bytes != want {
		t.Errorf("Stat = %d rows, %d bytes, %v, want %d, %d", rows, bytes, err, len(put), want)
	}
	deletion := record(3, 10, 1, "")
	r.correct(1, 3, []feature.Row{row("a", deletion)})
	r.want(1, "a", deletion, beside)
	r.stage(1, 3, row("gone", right)) // what was removed may come back
	r.want(1, "gone", right, beside)
	r.correct(1, 3, nil)
}

// testCorrectGroup wants rows of other views of a group left alone.
func testCorrectGroup(t *testing.T, r *rows) {
	r.group("users", grouped...)
	one, other := grouped[0], grouped[1]
	wrong, right := record(3, 20, 9, "wrong"), record(3, 10, 1, "right")
	for _, view := range []feature.ViewID{one, other} {
		r.stage(view, 3, row("a", wrong), row("b", wrong))
	}
	r.correct(one, 3, []feature.Row{row("a", right)}, "b")
	r.want(one, "a", right)
	r.want(one, "b")
	r.want(other, "a", wrong)
	r.want(other, "b", wrong)
}
