package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write writes a file into a folder and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// minutes writes a file of payments, 250 in each of n minutes from first on.
func minutes(t *testing.T, dir, name string, first time.Time, n int, amount func(i int) float64) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("user,card,event_time,amount,country\n")
	for minute := range n {
		for i := range 250 {
			at := first.Add(time.Duration(minute)*time.Minute + time.Duration(i%60)*time.Second).Format(time.RFC3339)
			fmt.Fprintf(&text, "%d,%d,%s,%g,DE\n", i, i, at, amount(i))
		}
	}
	return write(t, dir, name, text.String())
}

type listed struct {
	Items []struct {
		ID, State, Decision, Baseline string
		Version                       int
		Uncalibrated                  bool
		History                       int
	}
}

// verdicts returns the view's verdicts on windows.
func (s session) verdicts() (all listed) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.run(0, "verdicts payments --format json")), &all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestDatasetBaseline judges by a data set from the first window on, calibrated, and
// keeps to it when the file is gone.
func TestDatasetBaseline(t *testing.T) {
	platform(t)
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(5, 2))
	good := func(int) float64 { return 50 + 10*rng.NormFloat64() }
	file := minutes(t, dir, "june.csv", time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC), 16, good)
	window := func(name string, minute int, amount func(int) float64) string {
		return minutes(t, dir, name, time.Date(2024, 1, 1, 0, minute, 0, 0, time.UTC), 1, amount) + " --seal --wait"
	}
	write(t, dir, "rules.yaml", "rules: []\n")
	write(t, dir, "payments.yaml", strings.Replace(paymentsYAML, "    window:", "    baseline: {from: dataset, dataset: "+file+"}\n    window:", 1))
	s := session{t}
	s.run(0, "apply -f "+dir)
	s.run(0, "push payments "+window("first.csv", 0, good), "pass   publish")
	s.run(0, "baseline show payments", "payments  dataset  16", "2023-06-01T00:00:00Z", "data set "+file+": 4000 rows in 16 windows, sha256 ")
	s.run(0, "baseline show payments --history", "dataset  in_force")
	s.run(1, "baseline revert payments --reason no", "!no decision about the baseline of payments is in force")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	s.run(3, "push payments "+window("bad.csv", 1, func(i int) float64 { return 2 * good(i) }), "fail   reject")
	list := s.verdicts()
	if n := len(list.Items); n != 2 || list.Items[0].Uncalibrated || list.Items[0].History != 16 || list.Items[0].Baseline == "" || list.Items[0].Baseline != list.Items[1].Baseline {
		t.Errorf("verdicts %+v, want two calibrated ones, by the 16 windows of the data set", list.Items)
	}
	// A person's decision goes before the data set, until it is taken back.
	s.run(0, "baseline accept payments --version 1 --reason x", "payments  accepted  1")
	s.run(0, "push payments "+window("third.csv", 2, good), "pass   publish")
	s.run(0, "baseline revert payments --reason x", "payments  dataset  16")
	s.run(0, "push payments "+window("fourth.csv", 3, good), "pass   publish")
	s.run(3, "push payments "+window("fifth.csv", 4, func(i int) float64 { return 2 * good(i) }), "fail   reject")
	for _, v := range s.verdicts().Items {
		s.run(0, "verdict verify "+v.ID, "equal")
	}
}

// TestDatasetErrors: a window waits until its data set can be read.
func TestDatasetErrors(t *testing.T) {
	platform(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "later.csv")
	write(t, dir, "rules.yaml", "rules: []\n")
	write(t, dir, "payments.yaml", strings.Replace(paymentsYAML, "    window:", "    baseline: {from: dataset, dataset: "+file+"}\n    window:", 1))
	s := session{t}
	s.run(0, "apply -f "+dir)
	s.run(0, "push payments "+rows(t, dir, "first.csv", 0, func(i int) float64 { return float64(i) })+" --seal")
	s.run(1, "windows payments --start 2024-01-01T00:00:00Z --wait 300ms", "!no news within")
	rows(t, dir, "later.csv", 5, func(i int) float64 { return float64(i % 7) })
	s.run(1, "windows payments --start 2024-01-01T00:00:00Z --wait 1500ms", "!no news within") // 100 rows are too few
	var set strings.Builder
	for minute := range 12 {
		for i := range 60 {
			fmt.Fprintf(&set, `{"user":"%d","card":%d,"event_time":"2023-06-01T00:%02d:00Z","amount":%d,"country":"DE"}`+"\n", i, i, minute, i%50)
		}
	}
	write(t, dir, "full.jsonl", set.String())
	write(t, dir, "payments.yaml", strings.Replace(paymentsYAML, "    window:", "    baseline: {from: dataset, dataset: "+filepath.Join(dir, "full.jsonl")+"}\n    window:", 1))
	s.run(0, "apply -f "+dir)
	s.run(0, "windows payments --start 2024-01-01T00:00:00Z --wait 20s", "judged")
	s.run(0, "baseline show payments", "payments  dataset  12")
}
