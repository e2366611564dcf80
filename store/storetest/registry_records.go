package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"sluice/feature"
)

func testVerdicts(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	var want []feature.VerdictRow
	for i := range 5 {
		v := feature.VerdictRow{ID: fmt.Sprint("v", 9-i), Kind: "window", Window: window(i), Version: feature.Version(i + 1), State: "pass", Decision: "publish",
			At: day.Add(time.Duration(i)), Body: bytes.Repeat([]byte(`{"a":1}`), 200), Case: []byte{0, 1, byte(i)}}
		want = append(want, v)
		r.apply(feature.Commit{View: view.ID, Verdicts: []feature.VerdictRow{v}, Now: day})
		r.apply(feature.Commit{View: other.ID, Verdicts: []feature.VerdictRow{{ID: fmt.Sprint("o", i), Kind: "freshness"}}, Now: day})
	}
	for _, v := range want {
		if got, err := r.Verdict(ctx, v.ID); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("Verdict(%s) = %+v, %v, want %+v", v.ID, got, err, v)
		}
	}
	if _, err := r.Verdict(ctx, "none"); !errors.Is(err, feature.ErrNotFound) {
		t.Errorf("Verdict(none) = %v, want %v", err, feature.ErrNotFound)
	}
	if v, err := r.Verdict(ctx, "o3"); !v.At.Equal(day) || !v.Window.Start.IsZero() || err != nil {
		t.Errorf("Verdict(o3) = %+v, %v, want the commit's time and no window", v, err)
	}
	var got []feature.VerdictRow
	cursor := ""
	for {
		page, next, err := r.Verdicts(ctx, view.ID, cursor, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("Verdicts(after %q) = %d rows, %v", cursor, len(page), err)
		}
		if len(page) == 0 {
			if next != cursor {
				t.Errorf("cursor of an empty page = %q, want %q as before", next, cursor)
			}
			break
		}
		got, cursor = append(got, page...), next
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("pages gave %+v, want %+v", got, want)
	}
	r.apply(feature.Commit{View: view.ID, Verdicts: []feature.VerdictRow{{ID: "news", Kind: "served"}}, Now: day})
	if news, _, err := r.Verdicts(ctx, view.ID, cursor, 0); len(news) != 1 || err != nil || news[0].ID != "news" {
		t.Errorf("Verdicts behind the last cursor = %+v, %v, want the news", news, err)
	}
	for _, cursor := range []string{"x", "-1", "1 "} {
		if _, _, err := r.Verdicts(ctx, view.ID, cursor, 0); !errors.Is(err, r.invalid) {
			t.Errorf("Verdicts(after %q) = %v, want %v", cursor, err, r.invalid)
		}
	}
}

func testVerdictsOnce(t *testing.T, r *reg) {
	view, other := r.view(feature.Gated), r.view(feature.Gated)
	verdict := func(id, kind string, version feature.Version) []feature.VerdictRow {
		return []feature.VerdictRow{{ID: id, Kind: kind, Version: version}}
	}
	r.apply(feature.Commit{View: view.ID, Verdicts: verdict("a", "window", 1)})
	r.refused(feature.Commit{View: view.ID, Verdicts: verdict("b", "window", 1)}, feature.ErrConflict)
	r.refused(feature.Commit{View: view.ID, Verdicts: verdict("a", "window", 2)}, feature.ErrConflict)
	r.refused(feature.Commit{View: other.ID, Verdicts: verdict("a", "window", 1)}, feature.ErrConflict)
	r.apply(feature.Commit{View: other.ID, Verdicts: verdict("c", "window", 1)})
	r.apply(feature.Commit{View: view.ID, Verdicts: verdict("d", "window", 2)})
	for _, id := range []string{"e", "f"} {
		r.apply(feature.Commit{View: view.ID, Verdicts: verdict(id, "probation", 1)})
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func testBlobs(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	noise := make([]byte, 5000)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	blobs := map[string][]byte{}
	for _, b := range [][]byte{{}, {1}, []byte("short"), bytes.Repeat([]byte("long "), 10_000), noise, make([]byte, 1<<20)} {
		blobs[digest(b)] = b
	}
	for range 2 { // the second time they are there
		r.apply(feature.Commit{View: view.ID, Blobs: blobs, Now: day})
	}
	for name, want := range blobs {
		if got, err := r.Blob(ctx, name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Blob(%s) = %d bytes, %v, want %d", name, len(got), err, len(want))
		}
	}
	if _, err := r.Blob(ctx, digest([]byte("none"))); !errors.Is(err, feature.ErrNotFound) {
		t.Errorf("Blob that was never stored = %v, want %v", err, feature.ErrNotFound)
	}
}

func past(i int, profile string) feature.HistoryRow {
	return feature.HistoryRow{Window: window(i), Version: feature.Version(i + 1), Layout: "layout", Profile: []byte(profile), Normal: i%2 == 0, Summary: []byte(`{"n":1}`)}
}

func (r *reg) wantHistory(view feature.ViewID, from, to time.Time, want ...feature.HistoryRow) {
	r.t.Helper()
	got, err := r.History(r.t.Context(), view, from, to)
	if err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		r.t.Errorf("History(%s, %s) = %+v, %v, want %+v", from, to, got, err, want)
	}
}

func testHistory(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	r.apply(feature.Commit{View: view.ID, History: []feature.HistoryRow{past(2, "two"), past(0, "zero"), past(1, "one")}})
	r.wantHistory(view.ID, time.Time{}, time.Time{}, past(0, "zero"), past(1, "one"), past(2, "two"))
	r.wantHistory(view.ID, window(1).Start, time.Time{}, past(1, "one"), past(2, "two"))
	r.wantHistory(view.ID, time.Time{}, window(2).Start, past(0, "zero"), past(1, "one"))
	r.wantHistory(view.ID, window(1).Start, window(2).Start, past(1, "one"))
	again := past(1, "one again")
	again.Layout, again.Version, again.Summary = "other", 40, nil
	r.apply(feature.Commit{View: view.ID, History: []feature.HistoryRow{again}, DropHistory: []time.Time{window(0).Start, window(9).Start}})
	r.wantHistory(view.ID, time.Time{}, time.Time{}, again, past(2, "two"))
	r.apply(feature.Commit{View: view.ID, History: []feature.HistoryRow{past(2, "rebuilt")}, DropHistory: []time.Time{window(1).Start, window(2).Start}})
	r.wantHistory(view.ID, time.Time{}, time.Time{}, past(2, "rebuilt"))
}

// testRetain: the newest windows stay whole, nothing to do is no change, and
// verdicts stay with their evidence.
func testRetain(t *testing.T, r *reg) {
	view, other, blob := r.view(feature.Gated), r.view(feature.Gated), []byte("evidence")
	const windows = 12
	var rows []feature.HistoryRow
	for i := range windows {
		rows = append(rows, past(i, fmt.Sprint("profile ", i)))
	}
	r.apply(feature.Commit{View: view.ID, History: rows, Blobs: map[string][]byte{digest(blob): blob}, Verdicts: []feature.VerdictRow{{ID: "v", Kind: "window", Version: 1, Window: window(0)}}})
	r.apply(feature.Commit{View: other.ID, History: rows})
	for _, tc := range []struct {
		name                      string
		newest                    int
		profiles, windows         time.Time
		wantProfiles, wantWindows int
	}{
		{"no times", 1, time.Time{}, time.Time{}, 0, 0},
		{"fewer than stay", 20, window(windows).End, window(windows).End, 0, 0},
		{"just as many as stay", windows, window(windows).End, window(windows).End, 0, 0},
		{"two more than stay", 10, window(windows).End, time.Time{}, 2, 0},
		{"again", 10, window(windows).End, time.Time{}, 0, 0},
		{"by age", 4, window(3).End, window(2).End.Add(-1), 2, 2},
		{"both beyond what stays", 6, window(windows).End, window(windows).End, 0, 4},
		{"by age, just not yet", 0, window(6).End.Add(-1), window(6).End.Add(-1), 0, 0},
		{"windows alone", 0, time.Time{}, window(6).End, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changed := r.Changed()
			profiles, windows, err := r.Retain(t.Context(), view.ID, tc.newest, tc.profiles, tc.windows)
			if profiles != tc.wantProfiles || windows != tc.wantWindows || err != nil {
				t.Errorf("Retain = %d profiles, %d windows, %v, want %d and %d", profiles, windows, err, tc.wantProfiles, tc.wantWindows)
			}
			select {
			case <-changed:
				if profiles+windows == 0 {
					t.Error("Retain changed nothing and told of it")
				}
			default:
				if profiles+windows > 0 {
					t.Error("Retain changed something and did not tell of it")
				}
			}
		})
	}
	r.wantHistory(view.ID, time.Time{}, time.Time{}, rows[7:]...)
	r.wantHistory(other.ID, time.Time{}, time.Time{}, rows...)
	if got, err := r.Blob(t.Context(), digest(blob)); err != nil || !bytes.Equal(got, blob) {
		t.Errorf("Blob after Retain = %q, %v, want %q: evidence stays", got, err, blob)
	}
	if _, err := r.Verdict(t.Context(), "v"); err != nil {
		t.Errorf("Verdict after Retain = %v: verdicts stay", err)
	}
}

func testLayouts(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	at := func(i int, name string) feature.LayoutRow {
		return feature.LayoutRow{Digest: name, From: window(i).Start, Body: []byte("body of " + name)}
	}
	r.apply(feature.Commit{View: view.ID, Layouts: []feature.LayoutRow{at(3, "b"), at(0, "a")}})
	r.apply(feature.Commit{View: view.ID, Layouts: []feature.LayoutRow{at(3, "a"), at(0, "a"), at(2, "c")}})
	got, err := r.Layouts(t.Context(), view.ID)
	if want := []feature.LayoutRow{at(0, "a"), at(2, "c"), at(3, "b"), at(3, "a")}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Layouts = %+v, %v, want %+v", got, err, want)
	}
}

func testBaseline(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	if b, err := r.Baseline(ctx, view.ID); b != nil || err != nil {
		t.Errorf("Baseline at first = %+v, %v, want none", b, err)
	}
	if m, err := r.Memory(ctx, view.ID); m != nil || err != nil {
		t.Errorf("Memory at first = %q, %v, want none", m, err)
	}
	rows := []feature.BaselineRow{
		{Kind: "pinned", Version: 3, From: day, Layout: "l", By: "alice", Reason: "known good", At: day, Body: []byte{1, 2}},
		{Kind: "accepted", Version: 9, From: day.Add(time.Hour), By: "bob", Reason: "new normal", At: day},
		{Kind: "reverted", Undoes: 2, By: "bob", Reason: "too early", At: day},
	}
	for _, want := range rows {
		r.apply(feature.Commit{View: view.ID, Baseline: &want, Memory: []byte(want.Kind)})
		if got, err := r.Baseline(ctx, view.ID); err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("Baseline = %+v, %v, want %+v", got, err, want)
		}
		if m, err := r.Memory(ctx, view.ID); string(m) != want.Kind || err != nil {
			t.Errorf("Memory = %q, %v, want %q", m, err, want.Kind)
		}
	}
	if got, err := r.Baselines(ctx, view.ID); err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("Baselines = %+v, %v, want %+v", got, err, rows)
	}
	if got, err := r.Baselines(ctx, other.ID); err != nil || len(got) != 0 {
		t.Errorf("Baselines of another view = %+v, %v, want none", got, err)
	}
	r.apply(feature.Commit{View: view.ID, Now: day})
	if m, err := r.Memory(ctx, view.ID); string(m) != "reverted" || err != nil {
		t.Errorf("Memory after a commit without = %q, %v, want it as it was", m, err)
	}
	if b, err := r.Baseline(ctx, other.ID); b != nil || err != nil {
		t.Errorf("Baseline of another view = %+v, %v, want none", b, err)
	}
}
