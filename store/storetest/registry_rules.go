package storetest

import (
	"reflect"
	"testing"
	"time"

	"sluice/feature"
)

// testRecords: what rules read is listed in the order of the commits, by pages and by
// the windows' ends, and goes while its verdict stays.
func testRecords(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	row := func(view feature.ViewID, i int, kind string) feature.RecordRow {
		return feature.RecordRow{View: view, Verdict: string(rune('a'+i)) + kind, Kind: kind, Version: feature.Version(i + 1), Window: window(i), State: "pass", Decision: "publish", Body: []byte{1, byte(i)}}
	}
	verdict := func(w feature.RecordRow) feature.VerdictRow {
		return feature.VerdictRow{ID: w.Verdict, Kind: w.Kind, Version: w.Version, Window: w.Window, State: w.State, Decision: w.Decision, Record: w.Body}
	}
	want := []feature.RecordRow{row(view.ID, 0, "window"), row(view.ID, 0, "probation"), row(other.ID, 1, "window"), row(view.ID, 2, "window")}
	r.apply(feature.Commit{View: view.ID, Verdicts: []feature.VerdictRow{verdict(want[0]), verdict(want[1])}})
	r.apply(feature.Commit{View: other.ID, Verdicts: []feature.VerdictRow{verdict(want[2]), {ID: "bare", Kind: "freshness"}}})
	r.apply(feature.Commit{View: view.ID, Verdicts: []feature.VerdictRow{verdict(want[3])}})
	list := func(from, to time.Time, after int64, limit int) []feature.RecordRow {
		t.Helper()
		rows, err := r.Records(ctx, from, to, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	wantRows := func(what string, got []feature.RecordRow, want ...feature.RecordRow) {
		t.Helper()
		for i := range got {
			got[i].Seq = 0
		}
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	all := list(time.Time{}, time.Time{}, 0, 0)
	for i := 1; i < len(all); i++ {
		if all[i].Seq <= all[i-1].Seq {
			t.Errorf("number %d follows %d", all[i].Seq, all[i-1].Seq)
		}
	}
	if end, err := r.LastRecord(ctx); err != nil || !end.Equal(window(2).End) {
		t.Errorf("LastRecord = %s, %v, want %s", end, err, window(2).End)
	}
	wantRows("second page", list(time.Time{}, time.Time{}, all[1].Seq, 1), want[2])
	wantRows("all", all, want...)
	wantRows("by time", list(window(0).End, window(1).End, 0, 0), want[2])
	if n, err := r.RetainRecords(ctx, view.ID, window(1).End); n != 2 || err != nil {
		t.Errorf("RetainRecords = %d, %v, want 2", n, err)
	}
	wantRows("left", list(time.Time{}, time.Time{}, 0, 0), want[2:]...)
	if v, err := r.Verdict(ctx, want[0].Verdict); err != nil || v.Record != nil {
		t.Errorf("Verdict after RetainRecords = %+v, %v, want it without its record", v, err)
	}
}
