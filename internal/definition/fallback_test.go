package definition

import (
	"encoding/json"
	"strings"
	"testing"
)

const defaultYAML = `project: p
entities: [{name: user, type: string}]
views:
  - name: v
    entities: [user]
    features: [{name: f, type: TYPE, default: VALUE}]
`

// TestDefault reads defaults of every type, and back from the form that is shown.
func TestDefault(t *testing.T) {
	for name, tc := range map[string]struct {
		typ, value string
		want       string // JSON; or part of the problem
		refused    bool
	}{
		"whole":               {"int64", "9007199254740993", "9007199254740993", false},
		"whole beyond int32":  {"int32", "2147483648", "is no int32", true},
		"fraction":            {"float64", "2.5", "2.5", false},
		"whole as a float":    {"float32", "3", "3", false},
		"fraction as a whole": {"int64", "2.5", "is no int64", true},
		"text":                {"string", "none", `"none"`, false},
		"text of digits":      {"string", `"7"`, `"7"`, false},
		"number as a text":    {"string", "7", "is no string", true},
		"text as a number":    {"float64", `"7"`, "is no float64", true},
		"bool":                {"bool", "false", "false", false},
		"time":                {"timestamp", "2026-01-01T00:00:00Z", `"2026-01-01T00:00:00Z"`, false},
		"day as a time":       {"timestamp", "2026-01-01", "is no timestamp", true},
		"bytes":               {"bytes", "AAE=", `"AAE="`, false},
		"no base64":           {"bytes", "A", "is no bytes", true},
		"list":                {"list<float64>", "[1, 2.5]", "[1,2.5]", false},
		"empty list":          {"list<string>", "[]", "[]", false},
		"list of others":      {"list<string>", "[a, 1]", `element 1: "1" is no string`, true},
		"scalar as a list":    {"list<int64>", "1", "is no list", true},
		"document":            {"json", "{b: [1, x], a: true}", `{"a":true,"b":[1,"x"]}`, false},
		"null":                {"float64", "null", "null is given already", true},
		"not a number":        {"float64", ".nan", "cannot be written", true},
		"too long":            {"string", strings.Repeat("x", maxDefault+1), "at most 4096", true},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.NewReplacer("TYPE", tc.typ, "VALUE", tc.value).Replace(defaultYAML)
			defs, err := Parse([]File{{Name: "v.yaml", Text: text}})
			if tc.refused {
				if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "views.v.features.f.default") {
					t.Errorf("default %s of %s: %v, want the key and %q", tc.value, tc.typ, err, tc.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(defs.Views[0].Features[0].Default); got != tc.want {
				t.Errorf("default %s of %s is %s, want %s", tc.value, tc.typ, got, tc.want)
			}
			form, err := json.Marshal(FormOf(&defs))
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse([]File{{Name: "v.yaml", Text: string(form)}})
			if err != nil || string(again.Views[0].Features[0].Default) != tc.want {
				t.Errorf("its form is read as %+v, %v", again.Views, err)
			}
			other, err := Parse([]File{{Name: "v.yaml", Text: strings.Replace(text, ", default: "+tc.value, "", 1)}})
			if err != nil {
				t.Fatal(err)
			}
			if changes := Plan(other, defs).Changes; len(changes) != 1 || len(changes[0].Fields) != 1 || changes[0].Fields[0] != "features.f.default" || changes[0].Breaking {
				t.Errorf("a default that comes is planned as %+v", changes)
			}
		})
	}
}
