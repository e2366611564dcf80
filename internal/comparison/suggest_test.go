package comparison

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/quality"
	"sluice/store/tabular"
)

func suggest(t *testing.T, file *tabular.Contents, view string) string {
	t.Helper()
	text, err := Suggest(Describe(file), view)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Names that YAML takes for something else are texts in what is suggested.
func TestSuggestedNamesAreTexts(t *testing.T) {
	names := []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "e5", "x1"}
	contents := file(t, "a.csv", strings.Join(names, ",")+"\n"+strings.Repeat(",1", len(names))[1:]+"\n")
	for _, view := range names {
		suggested := suggest(t, contents, view)
		defs, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: suggested}})
		if err != nil {
			t.Fatalf("%v in\n%s", err, suggested)
		}
		if defs.Views[0].Name != view || len(defs.Views[0].Features) != len(names) {
			t.Fatalf("view %s of %d features, want %s of %d", defs.Views[0].Name, len(defs.Views[0].Features), view, len(names))
		}
		for i, f := range defs.Views[0].Features {
			if f.Name != names[i] {
				t.Errorf("feature %q, want %q", f.Name, names[i])
			}
		}
	}
	for _, word := range yamlWords { // as readers of older YAML want it, too
		if text := suggest(t, contents, "v"); !strings.Contains(text, fmt.Sprintf("{name: %q,", word)) {
			t.Errorf("no quotes about %s in\n%s", word, text)
		}
	}
}

// Without a column to suggest there is no view.
func TestNothingToSuggest(t *testing.T) {
	for name, tc := range map[string]struct{ name, text, want string }{
		"a header alone":        {"a.csv", "x,y\n", "no rows"},
		"no lines":              {"a.jsonl", "", "no rows"},
		"rows without a column": {"a.jsonl", "{}\n", "no column with values"},
		"nulls":                 {"a.csv", "x,y\n,\n", "no column with values"},
		"names of no feature":   {"a.csv", "X,a b\n1,2\n", "no column with values"},
	} {
		t.Run(name, func(t *testing.T) {
			if text, err := Suggest(Describe(file(t, tc.name, tc.text)), "v"); !errors.Is(err, ErrNothing) || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("Suggest = %q, %v, want ErrNothing with %q", text, err, tc.want)
			}
		})
	}
}

// Lists and objects are suggested as what the tap takes; texts that it refuses are not
// suggested, and told of.
func TestSuggestedTypes(t *testing.T) {
	lines := strings.Repeat(`{"tags":["a",null],"scores":[1,2.5],"doc":{"a":1},"mixed":[1,"a"],"texts":"[1]","word":"ok"}`+"\n", 60) +
		strings.Repeat(`{"tags":[],"scores":null,"doc":[1],"mixed":[],"texts":"[1]","word":"`+"\xff"+`"}`+"\n", 60)
	suggested := suggest(t, file(t, "a.jsonl", lines), "v")
	for _, want := range []string{
		"{name: tags, type: list<string>, expect: {nulls: 0.01}}", "{name: scores, type: list<float64>}", "{name: doc, type: json,",
		"{name: mixed, type: json,", `{name: texts, type: string, expect: {in: ["[1]"],`,
		`{name: word, type: string, expect: {in: ["ok"], nulls: 0.01}}  # WARNING: 60 of 120 texts are no UTF-8`,
	} {
		if !strings.Contains(suggested, want) {
			t.Errorf("no %s in\n%s", want, suggested)
		}
	}
	if _, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: suggested}}); err != nil {
		t.Fatalf("%v in\n%s", err, suggested)
	}
}

// No number that may be a payment card's is shown of a column of them, of any form: as a
// frequent value, the least, the largest or a quantile, in a description and a comparison.
func TestCardsThatAreNumbers(t *testing.T) {
	text := "card\n" + strings.Repeat("4111111111111111\n", 20) + strings.Repeat("5555555555554444\n", 20)
	described := Describe(file(t, "a.csv", text))
	compared := Compare(file(t, "a.csv", text), file(t, "b.csv", text))
	mixed := Compare(file(t, "a.csv", text), file(t, "b.csv", text+"word\n"))
	for name, of := range map[string]any{"description": described, "comparison": compared, "comparison as categories": mixed} {
		form, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		for _, digits := range []string{"41111111", "55555555", "4.11111", "5.55555"} {
			if strings.Contains(string(form), digits) {
				t.Errorf("%s in the %s %s", digits, name, form)
			}
		}
	}
	if suggested := suggest(t, file(t, "a.csv", text), "v"); !strings.Contains(suggested, "{name: card, type: int64") {
		t.Errorf("no type that a token may have in\n%s", suggested)
	}
}

// A file keeps what is suggested of it: forms, lengths and tokens; card numbers get a
// warning, and are not shown.
func TestFileKeepsItsSuggestions(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,card,iban,pan,note,code\n")
	rows := make([][]string, 0, 300)
	for i := range 300 {
		row := []string{fmt.Sprintf("tok_%08x", i*7919), fmt.Sprintf("NL%02d BANK %010d", i%90, i*31), "4111111111111111x", strings.Repeat("n", i%40), fmt.Sprintf("%c-%03d", 'A'+i%26, i)}
		rows = append(rows, row)
		text.WriteString(fmt.Sprintf("%d,", i%90) + strings.Join(row, ",") + "\n")
	}
	suggested := suggest(t, file(t, "a.csv", text.String()), "v")
	for _, want := range []string{
		`token: true, pattern: "tok_[0-9a-z]{8}"`, `pattern: "[0-9A-Z]{4} BANK [0-9]{10}"`, `pattern: "[A-Z]-[0-9]{3}", unique: true`, "note, type: string, expect: {length: {max: 78}",
		"# WARNING: 300 of 300 values may be payment card numbers",
		"entities:\n  - {name: id, type: int64}  #",
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

// What is not finite breaks the bounds that are suggested, unless it is null.
func TestFileWithoutFiniteNumbersKeepsItsSuggestions(t *testing.T) {
	var text strings.Builder
	for i := range 60 {
		value := fmt.Sprint(i)
		switch i % 20 {
		case 3:
			value = `"NaN"`
		case 4:
			value = `"Infinity"`
		}
		fmt.Fprintf(&text, "{\"id\":\"k%d\",\"event_time\":\"2026-01-01T00:00:00Z\",\"odd\":%s,\"even\":%d.5}\n", i, value, i)
	}
	suggested := suggest(t, file(t, "a.jsonl", text.String()), "v")
	if !strings.Contains(suggested, `{name: odd, type: float64, not_finite: "null", expect: {min: 0, nulls: 0.2}}`) || !strings.Contains(suggested, `{name: even, type: float64, expect:`) {
		t.Fatalf("suggested\n%s", suggested)
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
	odd := view.FeatureAt("odd")
	for _, x := range []float64{math.NaN(), math.Inf(1), 3} {
		w := &feature.Write{View: view, Values: make([]feature.Value, len(view.Features))}
		w.Values[odd] = feature.Float64Value(x)
		view.Features[odd].Admit(&w.Values[odd])
		if _, reason, ok := checker.Check(w); !ok {
			t.Errorf("%v breaks its suggestion: %s", x, reason)
		}
	}
}

// A float64 of whole numbers beyond 2^53 would refuse the very rows it is suggested from.
func TestWideNumbersAreSuggestedAsIntegers(t *testing.T) {
	for name, tc := range map[string]struct{ file, text, want string }{
		"integers":           {"a.csv", "id\n9007199254740993\n1\n-9223372036854775808\n", "{name: id, type: int64,"},
		"exact ones":         {"a.csv", "id\n9007199254740992\n-9007199254740992\n", "{name: id, type: float64,"},
		"with a fraction":    {"a.csv", "id\n9007199254740993\n1.5\n", "{name: id, type: float64, expect: {min: 0, nulls: 0.01}}  # WARNING: whole numbers beyond 2^53"},
		"with an exponent":   {"a.csv", "id\n9007199254740993\n1e3\n", "{name: id, type: float64, expect: {min: 0, nulls: 0.01}}  # WARNING: whole numbers beyond 2^53"},
		"beyond int64":       {"a.csv", "id\n9223372036854775808\n1\n", "{name: id, type: float64, expect: {min: 0, nulls: 0.01}}  # WARNING: whole numbers beyond 2^53"},
		"floats that large":  {"a.csv", "id\n1e300\n9.5e17\n", "{name: id, type: float64,"},
		"with NaN":           {"a.csv", "id\n9007199254740993\nNaN\n", "{name: id, type: float64, not_finite: \"null\", expect: {min: 0}}  # WARNING: whole numbers beyond 2^53"},
		"in lists":           {"a.jsonl", `{"id":[1,9007199254740993]}` + "\n" + `{"id":[]}` + "\n", "{name: id, type: list<int64>,"},
		"in lists, too wide": {"a.jsonl", `{"id":[1,9223372036854775808]}` + "\n", "type: list<float64>, expect: {nulls: 0.01}}  # WARNING: whole numbers beyond 2^53"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := suggest(t, file(t, tc.file, tc.text), "v"); !strings.Contains(got, tc.want) {
				t.Errorf("%q gave\n%s\nwant %s", tc.text, got, tc.want)
			}
		})
	}
}
