package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/quality/sketch"
)

const datasetView = `
project: shop
views:
  - name: payments
    entities: [user]
    source: {topic: payments, map: {country: land}}
    features:
      - {name: amount, type: float64}
      - {name: country, type: string}
    window: {size: 1m, lateness: 0s}
`

// TestDatasetColumns: a data set that lacks the column of a feature is refused with its name. Its
// windows would say that the feature is always null, and no fault of its values would show.
func TestDatasetColumns(t *testing.T) {
	defs, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: datasetView}})
	if err != nil {
		t.Fatal(err)
	}
	view := &defs.Views[0]
	for name, tc := range map[string]struct {
		file, header, row string
		want              []string // of the error; none: there is none
	}{
		"all":                 {"a.csv", "land,event_time,user,amount,more\n", "NL,%s,u,1.5,x\n", nil},
		"nulls":               {"a.csv", "user,event_time,amount,land\n", "u,%s,,NL\n", nil},
		"one is missing":      {"a.csv", "user,event_time,land\n", "u,%s,NL\n", []string{"no column for 1 of 2 features of the view: amount: a baseline needs"}},
		"another name":        {"a.csv", "user,event_time,amuont,land\n", "u,%s,1.5,NL\n", []string{`amount, did you mean "amuont"?`}},
		"mapped":              {"a.csv", "user,event_time,amount,country\n", "u,%s,1.5,NL\n", []string{"land (of feature country)"}},
		"both":                {"a.csv", "user,event_time\n", "u,%s\n", []string{"for 2 of 2 features", "amount; land (of feature country)"}},
		"lines without it":    {"a.jsonl", "", `{"user":"u","event_time":%q,"land":"NL"}` + "\n", []string{"1 of 2 features of the view: amount"}},
		"lines with nulls":    {"a.jsonl", "", `{"user":"u","event_time":%q,"land":"NL","amount":null}` + "\n", nil},
		"another type":        {"a.csv", "user,event_time,amount,land\n", "u,%s,much,NL\n", []string{"300 of 300 rows cannot be read", `column amount: want a number`}},
		"no join key":         {"a.csv", "event_time,amount,land\n", "%s,1,NL\n", []string{"join key user is missing"}},
		"no time":             {"a.csv", "user,at,amount,land\n", "u,%s,1,NL\n", []string{`event time is missing; send an RFC 3339 time in "event_time"`}},
		"separated otherwise": {"a.csv", "user;event_time;amount;land\n", "u;%s;1,5;NL\n", []string{"semicolons, not commas"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := tc.header
			for i := range 300 {
				text += fmt.Sprintf(tc.row, time.Date(2024, 1, 1, 0, i/100, 0, 0, time.UTC).Format(time.RFC3339))
			}
			view := *view
			view.Baseline = feature.Baseline{From: "dataset", Dataset: filepath.Join(t.TempDir(), tc.file)}
			if err := os.WriteFile(view.Baseline.Dataset, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := datasets{}.read(t.Context(), &view, sketch.Unbinned(&view))
			if len(tc.want) == 0 {
				if err != nil || got.Rows != 300 || len(got.Windows) != 3 {
					t.Fatalf("%d rows in %d windows, %v; want 300 in 3", got.Rows, len(got.Windows), err)
				}
				return
			}
			if err == nil {
				t.Fatalf("it is read; want an error with %q", tc.want)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q", err, want)
				}
			}
			if !errors.Is(err, errDataset) && name != "separated otherwise" {
				t.Errorf("%v is not errDataset", err)
			}
		})
	}
}
