package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFutureAtTheDoors pushes rows whose event times lie ahead of the clock: doors that read
// them refuse them by the tap's bound; the one that appends lines as they stand takes them,
// and they are dead letters that name the bound.
func TestFutureAtTheDoors(t *testing.T) {
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
	push := func(path, view, when string) (int, string) {
		body := `{"` + view + `":"payments","to":"online","df":{"user":["a","b"],"card":[1,2],"amount":[1.0,2.0],"country":["DE","FR"],"event_time":["2024-01-01T00:59:00Z","` + when + `"]}}`
		answer, err := http.Post(at.Server+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	for path, view := range map[string]string{"/push": "push_source_name", "/write-to-online-store": "feature_view_name"} {
		for when, want := range map[string]string{
			"2024-01-01T01:05:00Z": "", "2024-01-01T01:05:01Z": "row 1: event time 2024-01-01T01:05:01Z is more than 5m0s ahead of the clock, 2024-01-01T01:00:00Z",
			"2200-01-01T00:00:00Z": "ahead of the clock",
		} {
			status, got := push(path, view, when)
			if taken := want == ""; taken != (status == http.StatusOK) || !taken && (status != http.StatusUnprocessableEntity || !strings.Contains(got, want)) {
				t.Errorf("%s of %s = %d %s, want %q", path, when, status, got, want)
			}
		}
	}
	if err := at.post(t.Context(), "/api/v1/views/payments/writes", map[string]any{
		"view": "payments", "key": map[string]any{"user": "a", "card": 1}, "event_time": "2200-01-01T00:00:00Z", "values": map[string]any{"amount": 1, "country": "DE"},
	}, nil); err != nil {
		t.Errorf("a line is refused: %v, want it taken as it stands", err)
	}
	eventually(t, func() error {
		list := s.run(0, "deadletters list --view payments")
		if n := strings.Count(list, "future"); n != 1 || !strings.Contains(list, "is more than 5m0s ahead of the clock") {
			return fmt.Errorf("dead letters are %s, want the line alone", list)
		}
		return nil
	})
}
