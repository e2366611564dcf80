package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestSuggestedViewTakesItsFile applies what is suggested of a file as it stands, and pushes
// that file: no row of it is refused, and its windows are published, those whose shares of nulls
// vary as those of few rows do among them.
func TestSuggestedViewTakesItsFile(t *testing.T) {
	platform(t)
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(7, 1))
	var text strings.Builder
	text.WriteString("account,at,amount,country,score,event_id,op\n")
	for i := range 2400 {
		score := fmt.Sprintf("%.3f", rng.Float64())
		if rng.Float64() < 0.01 {
			score = ""
		}
		at := time.Date(2024, 1, 1, 0, 0, i*6, 0, time.UTC).Format(time.RFC3339)
		fmt.Fprintf(&text, "a%03d,%s,%.2f,%s,%s,e%d,write\n", rng.IntN(400), at, 10+rng.ExpFloat64(), []string{"NL", "DE"}[rng.IntN(2)], score, i)
	}
	file := write(t, dir, "orders.csv", text.String())
	s := session{t}
	write(t, dir, "orders.yaml", s.run(0, "profile "+file+" --suggest"))
	s.run(0, "plan -f "+dir, "add  view    orders")
	s.run(0, "apply -f "+dir, "in force with generation 1")
	s.run(0, "push orders "+file+" --seal --wait", "2400 rows sent to orders", "pass   publish")
	if out := s.run(0, "deadletters list"); strings.Contains(out, "orders") {
		t.Errorf("rows are refused:\n%s", out)
	}
	if out := s.run(0, "versions orders"); strings.Contains(out, "rejected") {
		t.Errorf("windows are blocked:\n%s", out)
	}
	s.run(0, "get orders account=a001", "NL", "amount")
}
