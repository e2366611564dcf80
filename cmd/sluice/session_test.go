package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/app"
)

const paymentsYAML = `
project: shop
rules: rules.yaml
views:
  - name: payments
    entities: [user, {name: card, type: int64}]
    features:
      - {name: amount, type: float64, expect: {min: 0, max: 1000}}
      - {name: country, type: string}
    window: {size: 1m, lateness: 10s}
services: [{name: fraud, features: ["payments:amount"]}]
`

// platform runs the whole platform in this process and names it to the commands.
func platform(t *testing.T) {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Data = t.TempDir()
	cfg.Listen = app.ListenConfig{HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Kafka: "127.0.0.1:0"}
	a, err := app.New(t.Context(), cfg, app.Options{Target: "all", Clock: "manual", Version: "dev", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("platform: %v", err)
		}
	})
	t.Setenv("SLUICE_SERVER", "http://"+a.Addrs().HTTP)
	t.Setenv("USER", "eve")
}

// rows writes a file of payments, 100 a minute from minute on, and returns its name.
func rows(t *testing.T, dir, name string, minute int, amount func(i int) float64) string {
	t.Helper()
	var b strings.Builder
	csv := strings.HasSuffix(name, ".csv")
	if csv {
		b.WriteString("user,card,event_time,amount,country,event_id\n")
	}
	for i := range 100 {
		at := time.Date(2024, 1, 1, 0, minute, i%60, 0, time.UTC).Format(time.RFC3339)
		if csv {
			fmt.Fprintf(&b, "00%d,%d,%s,%g,DE,%s%d\n", i, i, at, amount(i), name, i)
			continue
		}
		fmt.Fprintf(&b, `{"user":"00%d","card":%d,"event_time":%q,"amount":%g,"country":"DE","event_id":"%s%d"}`+"\n", i, i, at, amount(i), name, i)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// unreadable gives every row of a file an amount of the wrong type.
func unreadable(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), `"amount":-1`, `"amount":"much"`)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// session runs commands and checks code and output of each.
type session struct{ t *testing.T }

// run returns the standard output of a command that ends with code, which must
// hold every text of want; those with a ! in front must be in standard error.
func (s session) run(code int, line string, want ...string) string {
	s.t.Helper()
	got, stdout, stderr := command(s.t, strings.Fields(line)...)
	if got != code {
		s.t.Errorf("sluice %s: code %d, want %d\nout %s\nerr %s", line, got, code, stdout, stderr)
	}
	for _, text := range want {
		in := stdout
		if rest, ok := strings.CutPrefix(text, "!"); ok {
			in, text = stderr, rest
		}
		if !strings.Contains(in, text) {
			s.t.Errorf("sluice %s: no %q in\nout %s\nerr %s", line, text, stdout, stderr)
		}
	}
	return stdout
}

// TestSession is a person's day with the client, against the real platform.
func TestSession(t *testing.T) {
	platform(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"payments.yaml": paymentsYAML, "rules.yaml": "rules: []\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := session{t}
	s.run(0, "plan -f "+dir, "add  view     payments  -       -         fraud")
	s.run(0, "apply -f "+dir, "in force with generation 1")
	s.run(0, "plan -f "+dir, "nothing would change")
	s.run(0, "views", "shop     payments  user,card  amount,country  gated  learning  0       0s   -")
	s.run(0, "views payments", "amount   float64  -")
	s.run(0, "score", "view     payments  -      0      0       -", "service  fraud     -")
	s.run(1, "score nobody", "!there is no service \"nobody\"")

	rng := rand.New(rand.NewPCG(1, 2))
	good := func(int) float64 { return 10 + rng.Float64() }
	first := rows(t, dir, "first.csv", 0, good)
	s.run(0, "push payments "+first+" --seal --wait", "100 rows sent to payments", "pass   publish", "!sealed with watermark 2024-01-01T00:01:10Z")
	out := s.run(0, "push payments "+first+" --wait --format json")
	var push struct {
		Sent    int                 `json:"sent"`
		Offsets map[string][2]int64 `json:"offsets"`
		Windows []struct {
			Version  int    `json:"version"`
			Decision string `json:"decision"`
		} `json:"windows"`
	}
	if err := json.Unmarshal([]byte(out), &push); err != nil || push.Sent != 100 || len(push.Windows) != 1 || push.Windows[0].Version != 1 || push.Windows[0].Decision != "publish" {
		t.Errorf("pushing the same rows again = %s (%v), want the verdict there is", out, err)
	}
	s.run(0, "get payments user=001,card=1 --features amount", `user="001",card=1  amount   1`, "PRESENT", "version 1, verdict ")
	s.run(2, "get payments user=001", `!key "user=001": want user=STRING,card=INT64`)
	s.run(2, "get payments user=001,card=x", `!card: "x" is no int64`)

	bad := rows(t, dir, "bad.jsonl", 1, func(i int) float64 { return float64(i%2*60 - 10) })
	s.run(3, "push payments "+bad+" --seal --wait", "fail   reject", "!blocked by the gate:", "!fail, reject: `sluice explain")
	none := rows(t, dir, "none.jsonl", 2, func(int) float64 { return -1 })
	unreadable(t, none)
	s.run(3, "push payments "+none+" --seal --wait", "none", "!no row of it was accepted before it was closed", "!`sluice deadletters list --view payments`")

	var verdicts struct{ Items []struct{ ID, State string } }
	if err := json.Unmarshal([]byte(s.run(0, "verdicts payments --format json")), &verdicts); err != nil {
		t.Fatal(err)
	}
	failed := ""
	for _, v := range verdicts.Items {
		if v.State == "fail" {
			failed = v.ID
		}
	}
	s.run(0, "explain "+failed, "decision reject", "it never became visible", "Now      version 2 is rejected", "Why, worst first", "Statistics, baseline → judged", "FEATURE", "amount: rule", "sluice approve payments --version 2 --reason TEXT")
	s.run(0, "verdict verify "+failed, "verdict "+failed+": equal")
	s.run(1, "explain nothing", "!verdict \"nothing\": not found", "!`sluice verdicts VIEW` lists a view's verdicts")
	s.run(0, "windows payments", "judged  1", "judged  2")
	s.run(0, "windows payments --start 2024-01-01T00:00:00Z --wait 1s", "judged  1")
	s.run(1, "windows payments --start 2025-01-01T00:00:00Z --wait 20ms", "!no news within 20ms")
	s.run(0, "deadletters list --reason expect --limit 1", "quarantined  expect  payments  amount")

	s.run(0, "approve payments --version 2 --reason really", "approve payments: done", "visible above the floor: 1 3")
	s.run(0, "rollback payments --version 3 --reason no", "visible above the floor: 1\n")
	s.run(1, "rollback payments --version 2 --reason no", "!version 2 is rejected, not visible", "!only a visible version can be rolled back")
	s.run(0, "freeze payments --reason pause")
	s.run(0, "views", "frozen")
	s.run(1, "thaw payments --if-generation 1", "!look at its versions and try again")
	s.run(0, "thaw payments")
	s.run(0, "baseline show payments", "payments  trailing  1")
	s.run(0, "rules check", "RULE", "payments")
	s.run(0, "audit --limit 100", "eve   rollback  payments  3", "gate  publish   payments  1", "eve   approve   payments  2")
	if out := s.run(0, "doctor", "ok     server", "ok     log"); strings.Count(out, "ok     ready") != 1 {
		t.Errorf("doctor = %s, want ready once", out)
	}
	s.run(1, "push paymnets "+first, "!there is no view \"paymnets\"", "!did you mean payments?")
	s.run(1, "push payments "+filepath.Join(dir, "gone.csv"), "!no such file or directory")
	s.run(1, "push payments "+filepath.Join(dir, "rules.yaml"), "!unsupported format")

	empty := filepath.Join(dir, "empty.yaml")
	if err := os.WriteFile(empty, []byte("project: shop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(0, "plan -f "+empty, "remove  view     payments", "view payments is no longer judged and served: versions 1, rows 100, served version 1", "views are removed: apply takes this only with --allow-remove")
	s.run(1, "apply -f "+empty, "!this would remove 1 of 1 views", "!payments (versions: 1, rows: 100); nothing was changed", "!add --allow-remove --if-generation 1")
	s.run(0, "views", "payments")
	s.run(1, "apply -f "+empty+" --allow-remove --if-generation 7", "!definitions are of generation 1, not 7")
	s.run(0, "apply -f "+empty+" --allow-remove --if-generation 1 --reason over", "in force with generation 2")
	s.run(1, "views payments", "!there is no view \"payments\"")
}

// One event time far ahead of the clock must not move the seal there: the rows
// between would be late.
func TestSealLeavesTheFutureOut(t *testing.T) {
	platform(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := session{t}
	s.run(0, "apply -f "+dir)
	at := connection{Server: os.Getenv("SLUICE_SERVER")}
	if err := at.post(t.Context(), "/api/v1/clock", map[string]string{"now": "2024-01-01T01:00:00Z"}, nil); err != nil {
		t.Fatal(err)
	}
	amount := func(i int) float64 { return float64(i) }
	first := rows(t, dir, "first.jsonl", 0, amount)
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	wrong := `{"user":"u","card":1,"event_time":"2025-01-01T00:00:00Z","amount":1,"country":"DE"}` + "\n"
	if err := os.WriteFile(first, append([]byte(wrong), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(3, "push payments "+first+" --seal --wait", "pass   publish", "!1 windows lie ahead of the server's clock", "!sealed with watermark 2024-01-01T00:01:10Z",
		"!window 2025-01-01T00:00:00Z: no row of it was accepted")
	s.run(0, "push payments "+rows(t, dir, "second.jsonl", 1, amount)+" --seal --wait", "pass   publish")
	s.run(0, "deadletters list", "future")

	if err := os.WriteFile(first, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(0, "push payments "+first+" --seal", "!nothing to seal: no row has an event time that can be taken")
}
