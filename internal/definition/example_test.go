package definition

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality"
	"sluice/quality/sketch"
)

// The example of a bank's card payments: exactly the rows that the file names are
// refused, for the reasons that it gives, no reason shows a card number, and the window
// is past its bounds for the cards and the values that are missing with them.
func TestCardsExample(t *testing.T) {
	files, err := ReadDir("../../examples/cards/cards.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defs, err := Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	view := &defs.Views[0]
	for i := range view.Features {
		view.Features[i].ID = uint32(i + 1) // as the registry does
	}
	checker, err := quality.NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open("../../examples/cards/payments.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	p := sketch.NewProfile(view, sketch.Unbinned(view), sketch.HashKey{1})
	refused := 0
	for i, row := range rows[1:] {
		w := exampleWrite(t, view, row)
		w.Offset = int64(i)
		at, reason, ok := checker.Check(w)
		if want := row[8]; ok != (want == "") || !strings.HasPrefix(reason, want) || strings.Contains(reason, "4111") || strings.Contains(reason, "378282") {
			t.Errorf("row %d: Check = %q, want %q", i+1, reason, want)
		}
		if ok {
			p.Add(w)
			continue
		}
		refused++
		p.RefuseBy(w, at)
	}
	if refused != 7 {
		t.Errorf("%d rows were refused, want 7", refused)
	}
	var broken []string
	for _, s := range quality.Expectations(view, p, 1) {
		if s.Severity > 1 {
			broken = append(broken, fmt.Sprintf("%s %s", s.Feature, s.Summary))
		}
	}
	if want := []string{"card "}; !slices.Equal(broken, want) {
		t.Errorf("broken in the window: %q, want %q", broken, want)
	}
}

// exampleWrite makes a write of a row of payments.csv.
func exampleWrite(t *testing.T, view *feature.View, row []string) *feature.Write {
	t.Helper()
	at, err := time.Parse(time.RFC3339, row[1])
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) feature.Value {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return feature.Float64Value(v)
	}
	key, err := feature.NewKey(view, []feature.Value{feature.StringValue(row[0])})
	if err != nil {
		t.Fatal(err)
	}
	return &feature.Write{View: view, Key: key, EventTime: at, Topic: "payments", Values: []feature.Value{
		number(row[2]), feature.BoolValue(row[3] == "true"), number(row[4]), feature.StringValue(row[5]), feature.StringValue(row[6]), feature.StringValue(row[7]),
	}}
}
