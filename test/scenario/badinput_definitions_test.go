package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// badDefinition is a set of files that must be refused.
type badDefinition struct {
	files map[string]string // the first problem is in bad.yaml
	says  []string          // file:line where there is one, what, what to do
}

const goodView = "project: bank\nviews:\n  - name: cards\n    entities: [account]\n    features:\n      - {name: amount, type: float64}\n"

// viewOf is a file with one view, whose features and further keys are given.
func viewOf(features, more string) map[string]string {
	return map[string]string{"bad.yaml": "views:\n  - name: cards\n    entities: [account]\n    features:\n" + features + more}
}

func oneFile(text string) map[string]string { return map[string]string{"bad.yaml": text} }

// bomb is a YAML text of aliases that stand for 10^9 values.
func bomb() string {
	text := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text + "views: *a8\n"
}

func badDefinitionCases() map[string]badDefinition {
	const amount = "      - {name: amount, type: float64}\n"
	return map[string]badDefinition{
		"unknown key at the top":      {oneFile("project: bank\nvyews: []\n"), []string{"bad.yaml:2:", "vyews", "views"}},
		"unknown key of a view":       {viewOf(amount, "    windw: {size: 1h}\n"), []string{"bad.yaml:6:", "windw", "window"}},
		"unknown key of a feature":    {viewOf("      - {name: amount, type: float64, expects: {min: 0}}\n", ""), []string{"bad.yaml:5:", "expects", "expect"}},
		"key given twice":             {viewOf(amount, "    ttl: 1h\n    ttl: 2h\n"), []string{"bad.yaml:7:", "ttl"}},
		"no YAML":                     {oneFile("views: [\n"), []string{"bad.yaml:"}},
		"tabs":                        {oneFile("views:\n\t- name: cards\n"), []string{"bad.yaml:"}},
		"binary":                      {oneFile("\x00\x01\xff\xfe"), []string{"bad.yaml"}},
		"a scalar":                    {oneFile("views"), []string{"bad.yaml:1:"}},
		"views is an object":          {oneFile("views: {name: cards}\n"), []string{"bad.yaml:1:", "views"}},
		"name in capitals":            {oneFile(strings.Replace(goodView, "cards", "Cards", 1)), []string{"bad.yaml:3:", "Cards", "lower-case"}},
		"name with colon and braces":  {oneFile(strings.Replace(goodView, "cards", `"{cards}:x"`, 1)), []string{"bad.yaml:3:", "lower-case"}},
		"name with control character": {oneFile(strings.Replace(goodView, "cards", `"\e[2J"`, 1)), []string{"bad.yaml:3:", "control character"}},
		"name of 64 letters":          {oneFile(strings.Replace(goodView, "cards", strings.Repeat("x", 64), 1)), []string{"bad.yaml:3:", "lower-case"}},
		"no name":                     {oneFile("views:\n  - {entities: [account], features: [{name: a, type: bool}]}\n"), []string{"bad.yaml:2:", "name"}},
		"no entity":                   {oneFile("views:\n  - {name: cards, features: [{name: a, type: bool}]}\n"), []string{"bad.yaml:2:", "entities"}},
		"no feature":                  {oneFile("views:\n  - {name: cards, entities: [account]}\n"), []string{"bad.yaml:2:", "features"}},
		"unknown type":                {viewOf("      - {name: amount, type: float46}\n", ""), []string{"bad.yaml:5:", "float46", "float64"}},
		"no type":                     {viewOf("      - {name: amount}\n", ""), []string{"bad.yaml:5:", "amount", "type"}},
		"list of documents":           {viewOf("      - {name: amount, type: list<json>}\n", ""), []string{"bad.yaml:5:", "list<json>"}},
		"float as join key":           {oneFile("views:\n  - {name: cards, entities: [{name: k, type: float64}], features: [{name: a, type: bool}]}\n"), []string{"bad.yaml:2:", "float64", "join key"}},
		"entity of two types":         {oneFile("entities:\n  - {name: account, type: int64}\n" + strings.Replace(goodView, "[account]", "[{name: account, type: string}]", 1)), []string{"bad.yaml:6:", "int64", "string"}},
		"view twice":                  {map[string]string{"a.yaml": goodView, "bad.yaml": goodView}, []string{"bad.yaml:3:", "cards", "a.yaml:3"}},
		"feature twice":               {viewOf(amount+amount, ""), []string{"bad.yaml:", "amount", "twice"}},
		"feature named as the key":    {viewOf("      - {name: account, type: string}\n", ""), []string{"bad.yaml:5:", "join key"}},
		"reserved feature":            {viewOf("      - {name: event_id, type: string}\n", ""), []string{"bad.yaml:5:", "event_id"}},
		"service of an unknown feature": {oneFile(goodView + "services:\n  - {name: model, features: [\"cards:amuont\"]}\n"),
			[]string{"bad.yaml:8:", "amuont", "did you mean amount?"}},
		"service of an unknown view": {oneFile(goodView + "services:\n  - {name: model, features: [\"crads:amount\"]}\n"),
			[]string{"bad.yaml:8:", "crads", "did you mean cards?"}},
		"service without features": {oneFile(goodView + "services:\n  - {name: model}\n"), []string{"bad.yaml:8:", "features"}},
		"duration without unit":    {viewOf(amount, "    ttl: 5\n"), []string{"bad.yaml:6:", "ttl", "5"}},
		"duration of no unit":      {viewOf(amount, "    window: {size: 5 fortnights}\n"), []string{"bad.yaml:6:", "size", "fortnights"}},
		"negative duration":        {viewOf(amount, "    window: {size: 1h, lateness: -1s}\n"), []string{"bad.yaml:6:", "lateness", "-1s"}},
		"duration that overflows":  {viewOf(amount, "    ttl: 9999999999999h\n"), []string{"bad.yaml:6:", "ttl"}},
		"window of nothing":        {viewOf(amount, "    window: {size: 0s}\n"), []string{"bad.yaml:6:", "size"}},
		"min above max":            {viewOf("      - {name: amount, type: float64, expect: {min: 5, max: 1}}\n", ""), []string{"bad.yaml:5:", "min", "max"}},
		"min of a string":          {viewOf("      - {name: amount, type: string, expect: {min: 5}}\n", ""), []string{"bad.yaml:5:", "min", "string"}},
		"min is no number":         {viewOf("      - {name: amount, type: float64, expect: {min: .nan}}\n", ""), []string{"bad.yaml:5:", "min"}},
		"share above 1":            {viewOf("      - {name: amount, type: float64, expect: {nulls: 5}}\n", ""), []string{"bad.yaml:5:", "nulls", "0 to 1"}},
		"value of a wrong type":    {viewOf("      - {name: amount, type: int64, expect: {in: [1, two]}}\n", ""), []string{"bad.yaml:5:", "two", "int64"}},
		"unknown mode":             {viewOf(amount, "    publish: {mode: open}\n"), []string{"bad.yaml:6:", "mode", "gated or optimistic"}},
		"unknown format":           {viewOf(amount, "    source: {topic: t, format: xml}\n"), []string{"bad.yaml:6:", "xml", "json"}},
		"Sluice's own topic":       {viewOf(amount, "    source: {topic: sluice.profiles}\n"), []string{"bad.yaml:6:", "sluice.profiles"}},
		"topic of no name":         {viewOf(amount, "    source: {topic: \"a b/../c\"}\n"), []string{"bad.yaml:6:", "topic"}},
		"rules file missing":       {oneFile(goodView + "rules: none.yaml\n"), []string{"bad.yaml:7:", "none.yaml", "no such file"}},
		"rules with unknown key":   {map[string]string{"bad.yaml": goodView + "rules: r.yaml\n", "r.yaml": "rules:\n  - {name: r, view: cards, feature: amount, method: psi, treshold: 1}\n"}, []string{"r.yaml:2:", "treshold", "threshold"}},
		"rules of unknown method":  {map[string]string{"bad.yaml": goodView + "rules: r.yaml\n", "r.yaml": "rules:\n  - {name: r, view: cards, feature: amount, method: magic, threshold: 1}\n"}, []string{"r.yaml:2:", "magic", "psi"}},
		"rules of an unknown view": {map[string]string{"bad.yaml": goodView + "rules: r.yaml\n", "r.yaml": "rules:\n  - {name: r, view: crads, feature: amount, method: psi, threshold: 1}\n"}, []string{"r.yaml", "crads", "did you mean cards?"}},
		"rules of no view":         {map[string]string{"bad.yaml": goodView + "rules: r.yaml\n", "r.yaml": "rules:\n  - {name: r, view: \"cadr*\", feature: amount, method: psi, threshold: 1}\n"}, []string{"r.yaml", "cadr*", "the nearest is cards"}},
		"rules that are no YAML":   {map[string]string{"bad.yaml": goodView + "rules: r.yaml\n", "r.yaml": "rules: [\n"}, []string{"r.yaml"}},
		"aliases that explode":     {oneFile(bomb()), []string{"bad.yaml"}},
		"alias of itself":          {oneFile("views: &v\n  - *v\n"), []string{"bad.yaml"}},
		"nested deeply":            {oneFile("views: " + nested(20_000)), []string{"bad.yaml"}},
		"file of 5 MB":             {oneFile("#" + strings.Repeat("x", 5<<20)), []string{"bad.yaml", "4194304"}},
		"two projects":             {map[string]string{"a.yaml": goodView, "bad.yaml": "project: shop\n"}, []string{"bad.yaml:1:", "shop", "bank"}},
	}
}

// defined returns the definitions' generation and views, as the API shows them.
func (h *house) defined(t *testing.T) string {
	t.Helper()
	a := h.call(http.MethodPost, "/api/v1/apply", mustJSON(map[string]any{"files": []map[string]string{{"name": "a.yaml", "text": badDefinitions}}}))
	var form struct{ Generation int }
	if err := json.Unmarshal([]byte(a.body), &form); err != nil || a.status != http.StatusOK {
		t.Fatalf("apply of what is in force: %s (%v)", a, err)
	}
	return fmt.Sprint(form.Generation, h.call(http.MethodGet, "/api/v1/views", "").body, h.call(http.MethodGet, "/api/v1/audit", "").body)
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestBadDefinitions applies every class of bad definitions, by the API and by
// the command line. Each problem is named, and nothing is changed.
func TestBadDefinitions(t *testing.T) {
	h := openHouse(t)
	h.apply(badDefinitions)
	before := h.defined(t)
	for name, tc := range badDefinitionCases() {
		t.Run(name, func(t *testing.T) {
			h.refusesFiles(t, "/api/v1/plan", tc)
			h.refusesFiles(t, "/api/v1/apply", tc)
		})
	}
	if after := h.defined(t); after != before {
		t.Errorf("definitions after bad ones are\n%s\nwant them as before\n%s", after, before)
	}
	t.Run("expressions", func(t *testing.T) { h.badExpressions(t) })
	t.Run("requests", func(t *testing.T) { h.badApplies(t) })
	t.Run("command", func(t *testing.T) { h.badApplyCommands(t) })
	if after := h.defined(t); after != before {
		t.Errorf("definitions after bad commands are\n%s\nwant them as before\n%s", after, before)
	}
	t.Run("removing", func(t *testing.T) { h.removes(t) })
	t.Run("breaking", func(t *testing.T) { h.breakingPlan(t) })
	if after := h.defined(t); after != before {
		t.Errorf("definitions after a plan are\n%s\nwant them as before\n%s", after, before)
	}
}

func (h *house) refusesFiles(t *testing.T, path string, tc badDefinition) {
	t.Helper()
	var files []map[string]string
	for name, text := range tc.files {
		files = append(files, map[string]string{"name": name, "text": text})
	}
	begun := time.Now()
	a := h.call(http.MethodPost, path, mustJSON(map[string]any{"files": files}))
	p, ok := a.problem()
	if !ok || a.status != 400 || p.Code != "invalid_argument" || p.Hint == "" {
		t.Errorf("%s: %s, want 400 invalid_argument with a hint", path, a)
	}
	for _, part := range tc.says {
		if !strings.Contains(p.Message, part) {
			t.Errorf("%s: message %.600q does not say %q", path, p.Message, part)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%s took %s, want an answer at once", path, took)
	}
}

// badExpressions applies expressions that only the reader of writes can judge.
func (h *house) badExpressions(t *testing.T) {
	for name, tc := range map[string]struct{ expr, says string }{
		"no syntax":         {"amount >", "expr"},
		"unknown feature":   {"amuont > 0.0", "amuont"},
		"no truth":          {"amount + 1.0", "bool"},
		"unknown function":  {"shell(amount)", "shell"},
		"wrong type":        {"amount.startsWith('x')", "expr"},
		"nested too deeply": {strings.Repeat("(", 1000) + "true" + strings.Repeat(")", 1000), "expr"},
		"too long":          {strings.Repeat("true || ", 1000) + "true", "4096"},
	} {
		t.Run(name, func(t *testing.T) {
			files := viewOf("      - {name: amount, type: float64, expect: {expr: "+quote(tc.expr)+"}}\n", "")
			h.refusesFiles(t, "/api/v1/apply", badDefinition{files, []string{"cards", tc.says}})
		})
	}
}

// badApplies sends requests that carry no definitions.
func (h *house) badApplies(t *testing.T) {
	good := map[string]any{"name": "a.yaml", "text": goodView}
	for name, tc := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"empty":            {"", 400, "invalid_argument"},
		"no JSON":          {"files", 400, "invalid_argument"},
		"no files":         {`{"files":[]}`, 400, "invalid_argument"},
		"unknown key":      {`{"fiels":[]}`, 400, "invalid_argument"},
		"two values":       {`{"files":[]}{}`, 400, "invalid_argument"},
		"file twice":       {mustJSON(map[string]any{"files": []any{good, good}}), 400, "invalid_argument"},
		"stale generation": {mustJSON(map[string]any{"files": []any{good}, "if_generation": 77}), 409, "conflict"},
		"1,001 files":      {`{"files":[` + strings.TrimSuffix(strings.Repeat(`{"name":"a","text":""},`, 1001), ",") + `]}`, 400, "invalid_argument"},
		"too large":        {mustJSON(map[string]any{"files": []any{map[string]any{"name": "a.yaml", "text": "#" + strings.Repeat("x", 17<<20)}}}), 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/api/v1/plan", "/api/v1/apply"} {
				a := h.call(http.MethodPost, path, tc.body)
				if p, ok := a.problem(); !ok || a.status != tc.status || p.Code != tc.code || p.Hint == "" {
					t.Errorf("%s: %s, want %d %s with a hint", path, a, tc.status, tc.code)
				}
			}
		})
	}
}

// badApplyCommands uses the command line, which exits with 1 for bad definitions
// and with 2 for bad usage.
func (h *house) badApplyCommands(t *testing.T) {
	bad := filepath.Dir(h.write("bad/bad.yaml", goodView+"services:\n  - {name: model, features: [\"cards:amuont\"]}\n"))
	expr := filepath.Dir(h.write("expr/bad.yaml", viewOf("      - {name: amount, type: float64, expect: {expr: \"amount >\"}}\n", "")["bad.yaml"]))
	empty := filepath.Join(h.dir, "files", "empty")
	if err := os.MkdirAll(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	huge := h.write("huge/huge.yaml", goodView+"#"+strings.Repeat("x", 5<<20))
	exploding := h.write("bomb/bad.yaml", bomb())
	for name, tc := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"bad file":         {[]string{"-f", bad}, 1, []string{"bad.yaml:8:", "did you mean amount?"}},
		"bad expression":   {[]string{"-f", expr}, 1, []string{"cards", "expr"}},
		"empty folder":     {[]string{"-f", empty}, 1, []string{empty, "no *.yaml file"}},
		"no folder":        {[]string{"-f", empty + "/none"}, 1, []string{"none", "no such file"}},
		"file of 5 MB":     {[]string{"-f", huge}, 1, []string{"huge.yaml", "4194304"}},
		"exploding":        {[]string{"-f", exploding}, 1, []string{"bad.yaml"}},
		"unknown flag":     {[]string{"-f", bad, "--dry"}, 2, []string{"--dry", "--help"}},
		"argument":         {[]string{bad}, 2, []string{"--help"}},
		"unknown format":   {[]string{"-f", bad, "--format", "xml"}, 2, []string{"xml"}},
		"server of no URL": {[]string{"-f", h.write("good/a.yaml", goodView), "--server", "http://[::1"}, 2, []string{"--server"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{"plan", "apply"} {
				args := append([]string{command, "--server", *h.base.Load()}, tc.args...)
				o := once(t, args...)
				if o.code != tc.code || o.out != "" {
					t.Errorf("sluice %s: %s, want exit %d and no output", command, o, tc.code)
				}
				for _, part := range tc.says {
					if !strings.Contains(o.errout, part) {
						t.Errorf("sluice %s: %s, want %q in its errors", command, o, part)
					}
				}
			}
		})
	}
}

// removes applies files that no longer have a view, or none at all: what is in force
// is not lost by a file that is missing.
func (h *house) removes(t *testing.T) {
	for name, text := range map[string]string{"other view": strings.Replace(goodView, "project: bank\n", "", 1), "nothing": "# all is commented out\n"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Dir(h.write("less/"+strings.ReplaceAll(name, " ", "_")+"/a.yaml", text))
			if o := h.command(t, "plan", "-f", dir); o.code != 0 || !strings.Contains(o.out, "--allow-remove") {
				t.Errorf("plan: %s, want exit 0 and the flag that apply needs", o)
			}
			o := h.command(t, "apply", "-f", dir)
			if o.code != 1 || !strings.Contains(o.errout, "would remove") || !strings.Contains(o.errout, "typed (versions: ") || !strings.Contains(o.errout, "--allow-remove") {
				t.Errorf("apply: %s, want exit 1, the views that go and the flag", o)
			}
		})
	}
}

// breakingPlan plans a change that readers and writers may fail by.
func (h *house) breakingPlan(t *testing.T) {
	next := strings.Replace(badDefinitions, "{name: f64, type: float64}", "{name: f64, type: string}", 1)
	next = strings.Replace(next, "  - {name: model", "  - {name: other", 1)
	dir := filepath.Dir(h.write("next/a.yaml", next))
	o := h.command(t, "plan", "-f", dir, "--format", "json")
	var plan struct {
		Changes []struct {
			Op, Kind, Name  string
			Fields, Affects []string
			Breaking        bool
		}
		Digest string
	}
	if err := json.Unmarshal([]byte(o.out), &plan); err != nil || o.code != 0 || plan.Digest == "" || len(plan.Changes) != 3 {
		t.Fatalf("plan: %s, want 3 changes and a digest (%v)", o, err)
	}
	got := map[string]string{}
	for _, c := range plan.Changes {
		got[c.Kind+" "+c.Name] = fmt.Sprint(c.Op, c.Fields, c.Breaking, c.Affects)
	}
	for key, want := range map[string]string{
		"view typed":    "change[features.f64.type] true [model other]",
		"service model": "remove[] true [model]",
		"service other": "add[] false [other]",
	} {
		if strings.ReplaceAll(got[key], " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("plan of %s is %s, want %s", key, got[key], want)
		}
	}
}
