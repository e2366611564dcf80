package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"sluice/feature"
)

// testOrigins stores where the reasons of verdicts begin, once each, and lists what was
// decided in the order of the commits.
func testOrigins(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	var want []string
	for i := range 6 {
		of := []feature.ViewID{view.ID, other.ID}[i%2]
		row := feature.VerdictRow{ID: fmt.Sprintf("v%d", i), Kind: "freshness", Version: feature.Version(i + 1), Window: window(i), State: "fail", Decision: "none"}
		r.apply(feature.Commit{View: of, Verdicts: []feature.VerdictRow{row}})
		want = append(want, row.ID)
	}
	if got, err := r.Origins(ctx, "v1"); !errors.Is(err, feature.ErrNotFound) {
		t.Errorf("origins that nobody stored: %q, %v, want ErrNotFound", got, err)
	}
	first := bytes.Repeat([]byte("first "), 1000)
	for _, body := range [][]byte{first, []byte("second")} {
		if err := r.SaveOrigins(ctx, "v1", body); err != nil {
			t.Fatal(err)
		}
	}
	r.reopen()
	if got, err := r.Origins(ctx, "v1"); err != nil || !bytes.Equal(got, first) {
		t.Errorf("origins stored twice: %.20q, %v, want the first", got, err)
	}
	list := func(after int64, limit int) (ids []string, last int64) {
		t.Helper()
		rows, err := r.Decided(ctx, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range rows {
			if d.Kind != "freshness" || d.State != "fail" || d.Seq <= last && last > 0 {
				t.Errorf("decided %+v after %d", d, last)
			}
			ids, last = append(ids, d.ID), d.Seq
		}
		return ids, last
	}
	all, _ := list(0, 0)
	begin, at := list(0, 2)
	rest, _ := list(at, 10)
	newest, _ := list(-1, 2)
	if fmt.Sprint(all) != fmt.Sprint(want) || fmt.Sprint(append(begin, rest...)) != fmt.Sprint(want) || fmt.Sprint(newest) != fmt.Sprint(want[4:]) {
		t.Errorf("decided: all %v, in two pages %v and %v, the newest %v, want %v", all, begin, rest, newest, want)
	}
}
