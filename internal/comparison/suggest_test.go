package comparison

import (
	"fmt"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/quality"
)

// A file keeps what is suggested of it: forms, lengths and tokens; card numbers get a
// warning, and are not shown.
func TestFileKeepsItsSuggestions(t *testing.T) {
	var text strings.Builder
	text.WriteString("card,iban,pan,note,code\n")
	rows := make([][]string, 0, 300)
	for i := range 300 {
		row := []string{fmt.Sprintf("tok_%08x", i*7919), fmt.Sprintf("NL%02d BANK %010d", i%90, i*31), "4111111111111111x", strings.Repeat("n", i%40), fmt.Sprintf("%c-%03d", 'A'+i%26, i)}
		rows = append(rows, row)
		text.WriteString(strings.Join(row, ",") + "\n")
	}
	suggested := Suggest(Describe(file(t, "a.csv", text.String())), "v")
	for _, want := range []string{
		`token: true, pattern: "tok_[0-9a-z]{8}"`, `pattern: "[0-9A-Z]{4} BANK [0-9]{10}"`, `pattern: "[A-Z]-[0-9]{3}", unique: true`, "note, type: string, expect: {length: {max: 78}",
		"# WARNING: 300 of 300 values may be payment card numbers",
	} {
		if !strings.Contains(suggested, want) {
			t.Errorf("no %s in\n%s", want, suggested)
		}
	}
	if strings.Contains(suggested, "4111") {
		t.Errorf("a card number in\n%s", suggested)
	}
	defs, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: suggested}})
	if err != nil {
		t.Fatalf("%v in\n%s", err, suggested)
	}
	view := &defs.Views[0]
	checker, err := quality.NewChecker(view)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		w := &feature.Write{View: view}
		for _, text := range row {
			w.Values = append(w.Values, feature.StringValue(text))
		}
		if _, reason, ok := checker.Check(w); !ok {
			t.Fatalf("the file breaks its suggestion: %s\n%s", reason, suggested)
		}
	}
}
