package definition

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
)

// documented returns the definitions of docs/expectations.md.
func documented(t *testing.T) (page, definitions string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/expectations.md")
	if err != nil {
		t.Fatal(err)
	}
	page = string(text)
	_, rest, _ := strings.Cut(page, "```yaml\n")
	definitions, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/expectations.md has no definitions")
	}
	return page, definitions
}

// The page names every key, its example is valid, and its form reads back as it was.
func TestExpectationsPage(t *testing.T) {
	page, text := documented(t)
	for _, typ := range []reflect.Type{reflect.TypeFor[feature.Expect](), reflect.TypeFor[feature.Expectation]()} {
		for i := range typ.NumField() {
			key, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(page, "`"+key+"`") || key != "name" && !strings.Contains(page, key+":") && key != "completeness" {
				t.Errorf("docs/expectations.md does not show %s", key)
			}
		}
	}
	defs, err := Parse([]File{{Name: "a.yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	form, err := json.Marshal(FormOf(&defs))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse([]File{{Name: "a.yaml", Text: string(form)}})
	if err != nil || Digest(again) != Digest(defs) {
		t.Errorf("the form reads back as %v %+v", err, again)
	}
}

func TestPlanOfExpectations(t *testing.T) {
	parse := func(text string) feature.Definitions {
		defs, err := Parse([]File{{Name: "a.yaml", Text: view(text)}})
		if err != nil {
			t.Fatal(err)
		}
		return defs
	}
	plain, two := parse(""), parse("  expect: [{name: a, late: 0.1}, {name: b, late: 0.2}]")
	for name, tc := range map[string]struct {
		next feature.Definitions
		want []string
	}{
		"gone":     {plain, []string{"expect.a", "expect.b"}},
		"changed":  {parse("  expect: [{name: a, late: 0.1}, {name: b, late: 0.3}]"), []string{"expect.b"}},
		"come":     {parse("  expect: [{name: a, late: 0.1}, {name: b, late: 0.2}, {name: c, expr: x > 1}]"), []string{"expect.c"}},
		"moved":    {parse("  expect: [{name: b, late: 0.2}, {name: a, late: 0.1}]"), []string{"expect"}},
		"the same": {two, nil},
	} {
		t.Run(name, func(t *testing.T) {
			changes := Plan(two, tc.next).Changes
			if tc.want == nil && len(changes) == 0 {
				return
			}
			if len(changes) != 1 || !slices.Equal(changes[0].Fields, tc.want) || changes[0].Breaking {
				t.Errorf("Plan = %+v, want fields %v", changes, tc.want)
			}
		})
	}
}
