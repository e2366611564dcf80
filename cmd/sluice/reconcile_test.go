package main

import (
	"path/filepath"
	"testing"

	"sluice/feature"
	"sluice/store/embedded"
)

// TestReconcile writes past the platform into its rows, and has the command find and mend
// that.
func TestReconcile(t *testing.T) {
	i := install(t, nil)
	dir := i.define()
	for minute := range 6 {
		i.push(dir, minute, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
	}
	s := session{t}
	s.run(1, "reconcile"+i.flags(), "!in use")
	i.stop()
	s.run(2, "reconcile nowhere"+i.flags(), "!no such view")
	s.run(2, "reconcile --repair --reason drill"+i.flags(), "!say --yes")
	s.run(0, "reconcile"+i.flags(), "payments: 100 entities, 100 as the log has them, 0 differ")

	view := feature.View{ID: 1, Entities: []feature.Entity{{Name: "user", Type: feature.String}, {Name: "card", Type: feature.Int64}}}
	key, err := feature.NewKey(&view, []feature.Value{feature.StringValue("007"), feature.Int64Value(7)})
	if err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(embedded.Options{Path: filepath.Join(i.cfg.Data, "rows")})
	if err != nil {
		t.Fatal(err)
	}
	chains, err := store.Read(t.Context(), view.ID, []feature.Key{key}, nil)
	if err != nil || len(chains[0]) == 0 {
		t.Fatalf("chain %v, %v, want rows of the key", chains, err)
	}
	for _, r := range chains[0] { // readers get nothing of it
		if err := store.Correct(t.Context(), view.ID, r.Version, nil, []feature.Key{key}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	s.run(1, "reconcile"+i.flags(), "99 as the log has them, 1 differ in 1 buckets", "missing", `user="007"`, "!--repair")
	s.run(1, "reconcile --format=json"+i.flags(), `"different":1`, `"kind":"missing"`, `"got":null`)
	s.run(1, "reconcile --repair --yes --reason drill"+i.flags(), "!not repaired") // readers see a version on probation
	i.start()
	i.push(dir, 6, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
	i.stop()
	s.run(0, "reconcile"+i.flags(), "0 differ")
}
