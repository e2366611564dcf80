package comparison

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/store/tabular"
	"sluice/tap"
)

// What rows are found by, when they were and what they do is no feature: every row of the
// file is one that the suggested view takes.
func TestSuggestedRoles(t *testing.T) {
	for name, tc := range map[string]struct {
		header, row string // %d is the number of the row
		want        []string
		features    string
	}{
		"named key, time, event id": {
			"amount,account_id,event_time,event_id", "%[1]d.5,a%02[1]d,2026-01-01T00:00:00Z,e%[1]d",
			[]string{"- {name: account_id, type: string}  # the join key", "entities: [account_id]", "# account_id: the join key", "# event_time: the event time", "# event_id: names a write"}, "amount"},
		"another time": {
			"user,ts,seen,amount", "u%[1]d,2026-01-01T00:00:%02[1]dZ,2025-01-01T00:00:00Z,%[1]d",
			[]string{`source: {event_time: "ts"}`, "entities: [user]"}, "seen amount"},
		"whole numbers": {
			"event_time,merchant,amount", "1767225600,%d,1.5", []string{"{name: merchant, type: int64}"}, "amount"},
		"a key of its own name": {"key,event_time,x", "k%d,2026-01-01T00:00:00Z,1", []string{"entities: [key]"}, "x"},
		"operations": {
			"id,event_time,op,x", "k%d,2026-01-01T00:00:00Z,write,1", []string{"# op: says what a row does"}, "x"},
		"a flag first": {
			"flag,id,event_time,x", "true,k%d,2026-01-01T00:00:00Z,1", []string{"entities: [id]"}, "flag x"},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString(tc.header + "\n")
			for i := range 30 {
				fmt.Fprintf(&text, tc.row+"\n", i)
			}
			path := filepath.Join(t.TempDir(), "a.csv")
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			suggested := suggest(t, read(t, path), "v")
			for _, want := range tc.want {
				if !strings.Contains(suggested, want) {
					t.Errorf("no %q in\n%s", want, suggested)
				}
			}
			if strings.Contains(suggested, "WARNING") {
				t.Errorf("a warning in\n%s", suggested)
			}
			defs, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: suggested}})
			if err != nil {
				t.Fatalf("%v in\n%s", err, suggested)
			}
			view := &defs.Views[0]
			var features []string
			for _, f := range view.Features {
				features = append(features, f.Name)
			}
			if got := strings.Join(features, " "); got != tc.features {
				t.Errorf("features %s, want %s", got, tc.features)
			}
			lines, err := tap.NewLines(view)
			if err != nil {
				t.Fatal(err)
			}
			types := map[string]feature.Type{view.Entities[0].Name: view.Entities[0].Type}
			for _, f := range view.Features {
				types[f.Name] = f.Type
			}
			in, err := tabular.OpenTyped(path, types)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			for range 30 {
				line, _, err := in.Next()
				if err != nil {
					t.Fatal(err)
				}
				if _, refused, err := lines.Read(line); err != nil || refused != tap.NotRefused {
					t.Fatalf("%s is refused (%d, %v) by\n%s", line, refused, err, suggested)
				}
			}
		})
	}
}

// Where a file has no join key, no time, or an op that is none, it says so.
func TestSuggestedRolesThatAreMissing(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no key":         {"event_time,x\n2026-01-01T00:00:00Z,1.5\n2026-01-01T00:00:00Z,2.5\n", "{name: key, type: string}  # WARNING: the file has no column"},
		"no time":        {"id,x\na,1.5\nb,2.5\n", "# WARNING: no column says in every row when its event was"},
		"no such time":   {"id,event_time,x\na,yesterday,1.5\nb,today,2.5\n", "# WARNING: event_time is not an RFC 3339 time"},
		"time with gaps": {"id,event_time,x\na,,1.5\nb,2026-01-01T00:00:00Z,2.5\n", "# WARNING: event_time is not an RFC 3339 time"},
		"milliseconds":   {"id,event_time,x\na,1746057600000,1.5\nb,1746057600001,2.5\n", "# WARNING: event_time is beyond the year 9999 in seconds"},
		"no values":      {"id,event_time,x,gone\na,2026-01-01T00:00:00Z,1.5,\nb,2026-01-01T00:00:00Z,2.5,\n", "# - {name: gone, type: float64}  # nothing but nulls. WARNING: rows with this column are refused"},
		"no name":        {"id,event_time,x,A b\na,2026-01-01T00:00:00Z,1.5,1\nb,2026-01-01T00:00:00Z,2.5,2\n", "# not the name of a feature. WARNING: rows with this column are refused"},
		"another op":     {"id,event_time,x,op\na,2026-01-01T00:00:00Z,1.5,upsert\nb,2026-01-01T00:00:00Z,2.5,upsert\n", "# op: WARNING: op says what a row does"},
		"an op of cards": {"id,event_time,x,op\na,2026-01-01T00:00:00Z,1.5,4111111111111111\nb,2026-01-01T00:00:00Z,2.5,write\n", "# op: WARNING: op says what a row does"},
	} {
		t.Run(name, func(t *testing.T) {
			suggested := suggest(t, file(t, "a.csv", tc.text), "v")
			if !strings.Contains(suggested, tc.want) {
				t.Errorf("no %q in\n%s", tc.want, suggested)
			}
			if _, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: suggested}}); err != nil {
				t.Errorf("%v in\n%s", err, suggested)
			}
		})
	}
}

// A share of nulls is held by windows of a hundred rows as well, in which it varies.
func TestSuggestedNulls(t *testing.T) {
	for share, want := range map[float64]float64{0: 0.01, 0.01: 0.04, 0.03: 0.09, 0.1: 0.2, 0.2: 0.4, 0.49: 0.98} {
		if got := suggestedNulls(share); got != want {
			t.Errorf("suggestedNulls(%v) = %v, want %v", share, got, want)
		}
	}
}

// The window that is suggested has rows enough to be judged.
func TestSuggestedWindow(t *testing.T) {
	for name, tc := range map[string]struct {
		rows, seconds int // and how far apart they are
		want          string
	}{
		"enough in five minutes": {3000, 1, ""},
		"one a minute":           {3000, 60, "window: {size: 6h}  # of about 360 rows each"},
		"one in five minutes":    {3000, 300, "window: {size: 24h}  # of about 288 rows each"},
		"one a day":              {300, 86400, ""},
		"few":                    {30, 60, ""},
		"all at once":            {3000, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			text.WriteString("id,event_time,x\n")
			for i := range tc.rows {
				fmt.Fprintf(&text, "k%d,%s,1\n", i, time.Unix(int64(1767225600+i*tc.seconds), 0).UTC().Format(time.RFC3339))
			}
			suggested := suggest(t, file(t, "a.csv", text.String()), "v")
			if tc.want == "" && strings.Contains(suggested, "window:") || !strings.Contains(suggested, tc.want) {
				t.Errorf("want %q in\n%s", tc.want, suggested)
			}
			if _, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: suggested}}); err != nil {
				t.Errorf("%v in\n%s", err, suggested)
			}
		})
	}
}
