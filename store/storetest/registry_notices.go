package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"sluice/feature"
)

// testNotices: what people are to be told is there with the commit or not at all, for whoever
// opens the registry, until it is told.
func testNotices(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	full := feature.Notice{
		Alert:  feature.Alert{ID: "a", At: day, Kind: "rollback", View: view.Name, Version: 3, Verdict: "v", Text: "moved"},
		Window: window(2), Reasons: []string{"one", "two"}, Served: 2,
	}
	end := day.Add(time.Hour)
	ended := feature.Notice{Alert: feature.Alert{ID: "b", At: day, Kind: "fail", View: view.Name, ResolvedAt: &end}, Resolved: true}
	before := time.Now()
	r.apply(feature.Commit{View: view.ID, Notices: []feature.Notice{full, ended}, Now: day})
	if _, err := r.Apply(ctx, feature.Commit{View: view.ID, IfGeneration: 99, Notices: []feature.Notice{full}, Now: day}); !errors.Is(err, feature.ErrConflict) {
		t.Fatalf("Apply = %v, want %v", err, feature.ErrConflict)
	}
	r.apply(feature.Commit{View: view.ID, Notices: []feature.Notice{full}, Now: day})
	list := func(limit int) []feature.Notice {
		t.Helper()
		got, err := r.second().Notices(ctx, limit)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	all := list(0)
	if len(all) != 3 || all[0].ID == "" || all[0].ID == all[1].ID || all[0].ID == all[2].ID {
		t.Fatalf("Notices = %+v, want three, each with an id", all)
	}
	for i, want := range []feature.Notice{full, ended, full} {
		if at := all[i].At; at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("notice %d is of %s, want the machine's time", i, at)
		}
		want.ID, want.At = all[i].ID, all[i].At
		if !reflect.DeepEqual(all[i], want) {
			t.Errorf("notice %d is %+v, want %+v", i, all[i], want)
		}
	}
	if two := list(2); !reflect.DeepEqual(two, all[:2]) {
		t.Errorf("Notices(2) = %+v, want the first two", two)
	}
	for range 2 { // what is not there any more is passed over
		if err := r.Told(ctx, all[1].ID, all[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	r.reopen()
	if left := list(0); fmt.Sprint(ids(left)) != fmt.Sprint([]string{all[2].ID}) {
		t.Errorf("opened again, notices %v are left, want %s", ids(left), all[2].ID)
	}
}

func ids(notices []feature.Notice) (all []string) {
	for _, n := range notices {
		all = append(all, n.ID)
	}
	return all
}
