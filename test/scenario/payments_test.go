package scenario

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

const definitions = `
project: bank
entities:
  - {name: account, type: string}
views:
  - name: payments
    entities: [account]
    features:
      - {name: amount, type: float64, unit: euros, expect: {min: 0}}
      - {name: country, type: string}
    window: {size: 1h, lateness: 0s}
services:
  - {name: fraud_model, features: ["payments:amount", "payments:country"]}
`

// first is where the first window starts.
var first = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// windowRows is how many rows a window has. Thousands of them make the storm of an hour
// one of ten million events.
var windowRows = flag.Int("battery.rows", 400, "rows of each window that is pushed, at least 100")

const (
	accounts = 150
	passing  = 80 // rows of a window are of accounts that no other window has
)

func windowStart(i int) time.Time { return first.Add(time.Duration(i) * time.Hour) }

// write is one record of the default topic.
type write struct {
	View      string         `json:"view"`
	Key       map[string]any `json:"key"`
	EventTime time.Time      `json:"event_time"`
	Values    map[string]any `json:"values"`
	EventID   string         `json:"event_id"`
}

// payments returns the rows of window i, amounts multiplied by factor. The last ones
// are of accounts that no other window has: nothing hides it if they are lost.
func payments(i int, factor float64) []write {
	rng := rand.New(rand.NewPCG(uint64(i), 7))
	var rows []write
	for j := range *windowRows {
		account := fmt.Sprintf("a%03d", rng.IntN(accounts))
		switch {
		case j == *windowRows-1:
			account = only(i)
		case j >= *windowRows-passing:
			account = fmt.Sprintf("w%d_%d", i, j)
		}
		rows = append(rows, write{
			View: "payments", Key: map[string]any{"account": account},
			EventTime: windowStart(i).Add(time.Duration(j) * time.Hour / time.Duration(*windowRows)),
			Values: map[string]any{
				"amount":  math.Round(math.Exp(3+.6*rng.NormFloat64())*factor*100) / 100,
				"country": []string{"DE", "DE", "DE", "FR", "FR", "NL"}[rng.IntN(6)],
			},
			EventID: fmt.Sprintf("w%d-%d", i, j),
		})
	}
	return rows
}

func only(i int) string { return fmt.Sprintf("only%d", i) }

func lines(rows []write) []byte {
	var out []byte
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		out = append(append(out, line...), '\n')
	}
	return out
}

// window is an item of `windows`.
type window struct {
	Start   time.Time
	State   string
	Version int
	Rows    int
	Verdict string
}

type verdict struct {
	ID, Kind, State, Decision string
	Version, Rows             int
	Window                    struct{ Start time.Time }
	Reasons                   []struct {
		Rule, Feature, Method, Text    string
		Statistic, Threshold, Severity float64
	}
}

type version struct {
	Version    int
	Kind       string
	Step       string
	State      string
	Rows       int
	ApprovedOf int `json:"approved_of"`
	Window     struct{ Start time.Time }
}

// row is an answer of the rows endpoint for one key.
type row struct {
	Key        map[string]any
	Values     map[string]any
	Statuses   map[string]string
	EventTimes map[string]string `json:"event_times"`
}

func (s *site) define() {
	s.t.Helper()
	s.defineAs(definitions)
}

// defineAs applies definitions, which are the whole of a file.
func (s *site) defineAs(text string) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "features")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bank.yaml"), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if out, code := s.sluice("apply", "-f", dir, "--format", "json"); code != 0 {
		s.t.Fatalf("apply: exit %d: %s", code, out)
	}
}

// push sends a window and closes it.
func (s *site) push(i int, rows []write) error {
	if err := s.post("/api/v1/views/payments/writes", lines(rows), nil); err != nil {
		return fmt.Errorf("writes: %w", err)
	}
	err := s.post("/api/v1/views/payments/watermark", map[string]any{"watermark": windowStart(i + 1)}, nil)
	if err != nil {
		return fmt.Errorf("watermark: %w", err)
	}
	return nil
}

// judged waits until window i is judged and returns its verdict.
func (s *site) judged(i int) (verdict, error) {
	var list struct{ Items []window }
	if err := s.get("/api/v1/views/payments/windows?start="+windowStart(i).Format(time.RFC3339)+"&wait=30s", &list); err != nil {
		return verdict{}, err
	}
	if len(list.Items) != 1 || list.Items[0].State != "judged" {
		return verdict{}, fmt.Errorf("window %d: %+v, want it judged", i, list.Items)
	}
	var v verdict
	err := s.get("/api/v1/verdicts/"+list.Items[0].Verdict, &v)
	return v, err
}

// decide pushes a window and returns its verdict.
func (s *site) decide(i int, factor float64) verdict {
	s.t.Helper()
	if err := s.push(i, payments(i, factor)); err != nil {
		s.t.Fatalf("push window %d: %v", i, err)
	}
	v, err := s.judged(i)
	if err != nil {
		s.fatalf("window %d: %v", i, err)
	}
	return v
}

// served is an answer of the rows endpoint.
type served struct {
	Rows       []row
	Provenance struct {
		Stale    bool
		Fallback string
	}
}

// readAt returns the rows of accounts, from one door.
func readAt(base string, accounts ...string) (served, error) {
	var keys []map[string]any
	for _, a := range accounts {
		keys = append(keys, map[string]any{"account": a})
	}
	var answer served
	err := post(base+"/api/v1/views/payments/rows", map[string]any{"keys": keys}, &answer)
	if err == nil && len(answer.Rows) != len(accounts) {
		err = fmt.Errorf("%d rows for %d accounts", len(answer.Rows), len(accounts))
	}
	return answer, err
}

// expect returns an error unless every door shows the row that only window i wrote,
// or none does.
func (s *site) expect(i int, visible bool) error {
	for n, d := range s.doors {
		answer, err := readAt(*d.Load(), only(i))
		if err != nil {
			return fmt.Errorf("door %d: %w", n, err)
		}
		if got := answer.Rows[0].in() == i; got != visible {
			return fmt.Errorf("door %d: row of window %d visible: %v, want %v", n, i, got, visible)
		}
	}
	return nil
}

// in returns the window of a row's amount; -1 if there is none.
func (r row) in() int {
	at, err := time.Parse(time.RFC3339Nano, r.EventTimes["amount"])
	if err != nil || r.Statuses["amount"] != "PRESENT" {
		return -1
	}
	return int(at.Sub(first) / time.Hour)
}

func (s *site) versions() []version {
	s.t.Helper()
	var all []version
	next := ""
	for {
		var list struct {
			Items []version
			Next  string
		}
		if err := s.get("/api/v1/views/payments/versions?limit=500&after="+next, &list); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, list.Items...)
		if next = list.Next; next == "" {
			return all
		}
	}
}
