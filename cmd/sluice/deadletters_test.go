package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/control"
)

// TestDeadLetters is the life of refused rows: listed, shown, replayed in vain, mended,
// and replayed.
func TestDeadLetters(t *testing.T) {
	platform(t)
	dir := t.TempDir()
	define := func(bound string) {
		t.Helper()
		text := strings.Replace(strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1), "max: 1000", "max: "+bound, 1)
		if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	define("1000")
	s := session{t}
	s.run(0, "apply -f "+dir)
	large := rows(t, dir, "large.jsonl", 0, func(i int) float64 { return 990 + float64(i%25) })
	s.run(0, "push payments "+large)
	var list struct{ Items []control.DeadLetter }
	eventually(t, func() error {
		if err := json.Unmarshal([]byte(s.run(0, "deadletters list --view payments --kind quarantined --since 1h --format json")), &list); err != nil {
			return err
		}
		if len(list.Items) != 56 {
			return fmt.Errorf("%d dead letters, want 56", len(list.Items))
		}
		return nil
	})
	s.run(0, "deadletters list --view payments --since 2124-01-01T00:00:00Z", "RECORD")
	if out := s.run(0, "deadletters list --reason decode"); strings.Contains(out, "payments") {
		t.Errorf("list of another reason = %s, want none", out)
	}
	one := recordOf(&list.Items[0])
	s.run(0, "deadletters show "+one, one+" quarantined for expect", `"country":"DE"`, "widen `expect`")
	s.run(1, "deadletters show sluice.writes/0/99999", "!not found")
	s.run(2, "deadletters replay --reason x", "!or say --all")
	s.run(2, "deadletters replay --all", "!--reason is missing")
	s.run(2, "deadletters replay --all --kind odd --reason x", "!want quarantined or dead_lettered")
	s.run(2, "deadletters replay --all --since yesterday --reason x", "!how long ago")
	s.run(2, "deadletters replay --all --reason x", "!send 56 records again: nobody can be asked here: say --yes")
	s.run(0, "deadletters replay --view payments --code expect --dry-run", "56 would be replayed, 0 already")
	define("2000")
	s.run(0, "apply -f "+dir+" --reason mended")
	s.run(0, "deadletters replay "+one+" --yes --reason mended", "1 replayed, 0 already replayed before, 0 failed")
	s.run(0, "deadletters replay --view payments --yes --reason mended", "55 replayed, 1 already replayed before, 0 failed")
	s.run(0, "deadletters replay --view payments --reason mended", "0 would be replayed, 56 already")
	s.run(0, "deadletters show "+one, "It was sent again as sluice.writes/")
	s.run(0, "audit", "eve  replay", "mended")
	eventually(t, func() error {
		var accounting struct{ Items []feature.Counts }
		if err := json.Unmarshal([]byte(apiText(t, "/api/v1/accounting")), &accounting); err != nil {
			return err
		}
		var all feature.Counts
		for _, c := range accounting.Items {
			all.Received, all.Accepted, all.Quarantined = all.Received+c.Received, all.Accepted+c.Accepted, all.Quarantined+c.Quarantined
		}
		if want := (feature.Counts{Received: 156, Accepted: 100, Quarantined: 56}); all != want {
			return fmt.Errorf("counts %+v, want %+v", all, want)
		}
		return nil
	})
}

// eventually waits until ok returns nil.
func eventually(t *testing.T, ok func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		err := ok()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal(err)
		}
	}
}

// apiText returns what the platform answers to a request.
func apiText(t *testing.T, path string) string {
	t.Helper()
	var raw json.RawMessage
	at := connection{Server: os.Getenv("SLUICE_SERVER")}
	if err := at.get(t.Context(), path, &raw); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What a stranger sent cannot do anything to a terminal.
func TestSafeBytes(t *testing.T) {
	for name, tc := range map[string]struct{ bytes, want string }{
		"text":    {`{"a":1}`, "{\"a\":1}\n"},
		"escapes": {"\x1b[2J\r\n", "\\x1b[2J\\r\\n\n"},
		"binary":  {"\xff\x00a", "00000000  ff 00 61                                          |..a|\n"},
		"nothing": {"", "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := safeBytes([]byte(tc.bytes)); got != tc.want {
				t.Errorf("safeBytes(%q) = %q, want %q", tc.bytes, got, tc.want)
			}
		})
	}
}

func TestShowCutLetter(t *testing.T) {
	var b bytes.Buffer
	d := shownLetter{DeadLetter: control.DeadLetter{Topic: "t", Reason: "other", Bytes: []byte("x"), Size: 7}}
	if err := d.print(&b); err != nil || !strings.Contains(b.String(), "The first 1 of 7 bytes") || !strings.Contains(b.String(), "view -, feature -") {
		t.Errorf("print = %s (%v), want that the letter is cut", b.String(), err)
	}
}

func TestConfirm(t *testing.T) {
	for name, tc := range map[string]struct {
		yes    bool
		answer string
		want   error
	}{
		"said before": {true, "", nil},
		"yes":         {false, "y\n", nil},
		"in full":     {false, " YES \n", nil},
		"no":          {false, "n\n", errDeclined},
		"nothing":     {false, "", errDeclined},
		"no newline":  {false, "y", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			err := confirm(&env{stderr: &b}, tc.yes, strings.NewReader(tc.answer), "do %d things", 2)
			if !errors.Is(err, tc.want) || tc.yes != (b.Len() == 0) {
				t.Errorf("confirm after %q = %v, asked %q, want %v", tc.answer, err, b.String(), tc.want)
			}
		})
	}
}
