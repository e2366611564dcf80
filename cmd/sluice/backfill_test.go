package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestBackfill pushes rows that would fail a window, declared to be of long ago: they are
// served, and neither judged nor history.
func TestBackfill(t *testing.T) {
	platform(t)
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(5, 3))
	good := func(int) float64 { return 50 + 10*rng.NormFloat64() }
	bad := func(i int) float64 { return 5 * good(i) }
	at := func(minute int) time.Time { return time.Date(2024, 1, 1, 0, minute, 0, 0, time.UTC) }
	write(t, dir, "rules.yaml", "rules: []\n")
	write(t, dir, "payments.yaml", paymentsYAML)
	s := session{t}
	s.run(0, "apply -f "+dir)
	s.run(0, "push payments "+minutes(t, dir, "live.csv", at(0), 10, good)+" --seal --wait", "pass   publish")
	s.run(0, "push payments "+minutes(t, dir, "old.csv", at(10), 1, bad)+" --backfill --seal --wait", "pass   publish")
	s.run(0, "get payments user=7,card=7", "PRESENT")

	list := s.verdicts()
	last := list.Items[len(list.Items)-1]
	s.run(0, "explain "+last.ID, "Backfill 250 of its rows", "it does not enter: backfill: declared for 250 of 250 writes")
	s.run(0, "verdict verify "+last.ID, "equal")
	s.run(0, "baseline show payments", "payments  trailing  10")
	var sums struct {
		Items []struct{ Accepted, Late, Backfilled int }
	}
	resp, err := http.Get(os.Getenv("SLUICE_SERVER") + "/api/v1/accounting")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&sums); err != nil {
		t.Fatal(err)
	}
	accepted, backfilled := 0, 0
	for _, item := range sums.Items {
		accepted, backfilled = accepted+item.Accepted, backfilled+item.Backfilled
	}
	if accepted != 2750 || backfilled != 250 {
		t.Errorf("accepted %d, of them backfilled %d, want 2750 and 250", accepted, backfilled)
	}

	// A live window is judged by its own rows, whatever rides along.
	s.run(0, "push payments "+minutes(t, dir, "older.csv", at(11), 1, bad)+" --backfill")
	s.run(0, "push payments "+minutes(t, dir, "next.csv", at(11), 1, good)+" --seal --wait", "pass   publish")
	s.run(0, "baseline show payments", "payments  trailing  11")
	s.run(3, "push payments "+minutes(t, dir, "bad.csv", at(12), 1, bad)+" --seal --wait", "fail   reject")
	for _, v := range s.verdicts().Items {
		s.run(0, "verdict verify "+v.ID, "equal")
	}
	if help := s.run(0, "push --help"); !strings.Contains(help, "--backfill") {
		t.Error("push --help does not name --backfill")
	}
}
