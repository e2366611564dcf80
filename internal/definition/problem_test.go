package definition

import (
	"strings"
	"testing"
)

// view returns a definitions file with one view, with extra keys.
func view(extra string) string {
	return "views:\n- name: v\n  entities: [u]\n  features: [{name: x, type: float64}]\n" + extra
}

func TestProblems(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"too long":              {strings.Repeat(" ", MaxFile+1), "a.yaml: 4194305 bytes, more than 4194304: split it"},
		"many documents":        {strings.Repeat("---\nproject: a\n", maxDocuments+2), "a.yaml: more than 1000 documents: split it"},
		"syntax":                {"views: [", "a.yaml:1: did not find expected node content"},
		"unknown key, near":     {view("  windw: {}"), "a.yaml:5: views.v.windw: unknown key: did you mean window?"},
		"unknown key, of Feast": {"services: [{name: s, features: [], precompute_online: true}]", "a.yaml:1: services.s.precompute_online: unknown key: `precompute: true` of a service lays the rows of its views together, which is one read for an entity (docs/groups.md)"},
		"unknown key, far":      {"colour: red", "a.yaml:1: colour: unknown key: want one of alerts_per_week, calendar, entities, project, rules, services, views"},
		"key twice":             {view("  ttl: 1h\n  ttl: 2h"), "a.yaml:6: views.v.ttl: given twice, first in line 5: keep one"},
		"merge key":             {view("  <<: {ttl: 1h}"), "a.yaml:5: views.v: merge keys and keys that are no text are not read: write the keys out"},
		"not an object":         {"views: [3]", `a.yaml:1: views[0]: "3": want an object with the keys`},
		"not a list":            {"views: {name: v}", "a.yaml:1: views: an object: want a list"},
		"not a text":            {view("  owner: 7"), "a.yaml:5: views.v.owner: 7 is not a text: put it in quotation marks"},
		"control character":     {view("  owner: \"a\\u0007\""), `a.yaml:5: views.v.owner: "a\a" holds a control character: leave it out`},
		"null":                  {view("  ttl:"), "a.yaml:5: views.v.ttl: empty: want a duration such as 5m, 24h or 7d"},
		"duration":              {view("  ttl: 5x"), `a.yaml:5: views.v.ttl: "5x": want a duration such as 30s, 5m, 24h or 7d`},
		"negative duration":     {view("  ttl: -5m"), `a.yaml:5: views.v.ttl: "-5m": want a duration`},
		"negative feature ttl":  {"views: [{name: v, entities: [u], features: [{name: x, type: bool, ttl: -5m}]}]", `a.yaml:1: views.v.features.x.ttl: "-5m": want a duration`},
		"importance 0":          {"views: [{name: v, entities: [u], features: [{name: x, type: bool, importance: 0}]}]", `a.yaml:1: views.v.features.x.importance: 0: want a number above 0 and at most 1000; 1 is what`},
		"importance too great":  {"views: [{name: v, entities: [u], features: [{name: x, type: bool, importance: 1e9}]}]", `a.yaml:1: views.v.features.x.importance: 1e+09: want a number above 0`},
		"importance no number":  {"views: [{name: v, entities: [u], features: [{name: x, type: bool, importance: high}]}]", `a.yaml:1: views.v.features.x.importance: "high": want a number`},
		"not_finite":            {"views: [{name: v, entities: [u], features: [{name: x, type: float32, not_finite: rejct}]}]", `a.yaml:1: views.v.features.x.not_finite: "rejct": want pass, null, reject: what becomes of NaN, Infinity and -Infinity: did you mean reject?`},
		"not_finite empty":      {"views: [{name: v, entities: [u], features: [{name: x, type: float32, not_finite: ~}]}]", `a.yaml:1: views.v.features.x.not_finite: empty: want a text`},
		"not_finite of texts":   {"views: [{name: v, entities: [u], features: [{name: x, type: list<string>, not_finite: null}]}]", `a.yaml:1: views.v.features.x.not_finite: a list<string> is always finite: leave it out`},
		"whole number":          {view("  publish: {hold: 1.5}"), `a.yaml:5: views.v.publish.hold: "1.5": want a whole number`},
		"number":                {view("  features: [{name: y, type: int32, expect: {min: .nan}}]"), "given twice"},
		"type":                  {"views: [{name: v, entities: [u], features: [{name: x, type: decimal}]}]", `a.yaml:1: views.v.features.x.type: type "decimal": want int32, int64, float32, float64,`},
		"no name":               {"views: [{entities: [u], features: [{name: x, type: bool}]}]", "a.yaml:1: views[0]: a view needs a name"},
		"bad view name":         {"views: [{name: Big, entities: [u], features: [{name: x, type: bool}]}]", `name "Big": want a lower-case letter, then`},
		"no entities":           {"views: [{name: v, features: [{name: x, type: bool}]}]", "a.yaml:1: views.v.entities: empty: name at least one entity"},
		"no features":           {"views: [{name: v, entities: [u]}]", "a.yaml:1: views.v.features: empty: list at least one feature"},
		"no type":               {"views: [{name: v, entities: [u], features: [{name: x}]}]", "a.yaml:1: views.v.features.x.type: missing: give a type such as float64 or string"},
		"view twice":            {view("- name: v\n  entities: [u]\n  features: [{name: x, type: bool}]"), "a.yaml:5: views.v: the view is declared twice, first at a.yaml:2: keep one"},
		"feature twice":         {"views: [{name: v, entities: [u], features: [{name: x, type: bool}, {name: x, type: bool}]}]", "views.v.features.x: declared twice: keep one"},
		"feature is join key":   {"views: [{name: v, entities: [x], features: [{name: x, type: bool}]}]", "views.v.features.x: x is a join key of the view: choose another name"},
		"reserved name":         {"views: [{name: v, entities: [u], features: [{name: op, type: bool}]}]", "views.v.features.op: op has a meaning of its own in records: choose another name"},
		"float join key":        {"views: [{name: v, entities: [{name: u, type: float64}], features: [{name: x, type: bool}]}]", "views.v.entities.u.type: float64: a join key is string, int32"},
		"join key, two types":   {view("- name: w\n  entities: [{name: u, type: int64}]\n  features: [{name: x, type: bool}]"), "a.yaml:6: views.w.entities.u: type int64, but string elsewhere: an entity has one type"},
		"min above max":         {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {min: 5, max: 3}}]}]", "views.v.features.x.expect.min: 5 is above max, which is 3: swap them"},
		"min of a string":       {"views: [{name: v, entities: [u], features: [{name: x, type: string, expect: {min: 5}}]}]", "views.v.features.x.expect.min: a string has no order: leave it out, or use in or expr"},
		"in of another type":    {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {in: [1, b]}}]}]", `views.v.features.x.expect.in: "b" is no int32`},
		"in of a list":          {"views: [{name: v, entities: [u], features: [{name: x, type: list<string>, expect: {in: [b]}}]}]", "a list<string> is not compared with a list of values: use expr"},
		"in empty":              {"views: [{name: v, entities: [u], features: [{name: x, type: string, expect: {in: []}}]}]", "views.v.features.x.expect.in: empty: it would refuse every value"},
		"nulls":                 {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {nulls: 5}}]}]", "views.v.features.x.expect.nulls: 5: want a share of the rows, 0 to 1"},
		"bad":                   {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {bad: -0.1}}]}]", "views.v.features.x.expect.bad: -0.1: want a share of the rows, 0 to 1"},
		"pattern":               {"views:\n- name: v\n  entities: [u]\n  features:\n  - name: x\n    type: string\n    expect: {min_x: 1}\n  - {name: y, type: string, expect: {pattern: '(a'}}", "a.yaml:8: views.v.features.y.expect.pattern: \"(a\" is no RE2 expression"},
		"expression":            {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {expr: 'x >'}}]}]", `a.yaml:1: views.v.features.x.expect.expr: expr "x >": column 4: Syntax error`},
		"length":                {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {length: {max: 3}}}]}]", "a.yaml:1: views.v.features.x.expect.length: a int32 has no length"},
		"length, no number":     {"views: [{name: v, entities: [u], features: [{name: x, type: string, expect: {length: {max: 3.5}}}]}]", `a.yaml:1: views.v.features.x.expect.length.max: "3.5": want a whole number`},
		"token, no bool":        {"views: [{name: v, entities: [u], features: [{name: x, type: string, expect: {token: 1}}]}]", `a.yaml:1: views.v.features.x.expect.token: "1": want true or false`},
		"mean, no object":       {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {mean: 3}}]}]", `a.yaml:1: views.v.features.x.expect.mean: "3": want an object with the keys max, min`},
		"quantiles":             {"views: [{name: v, entities: [u], features: [{name: x, type: int32, expect: {quantiles: {'50': {max: 3}}}}]}]", `a.yaml:1: views.v.features.x.expect.quantiles.50: "50": want a rank from 0 to 1`},
		"own expression":        {view("  expect:\n  - {name: ok, expr: x > 1.0}\n  - {name: paid, expr: y > 1}"), "a.yaml:7: views.v.expect.paid.expr: expr \"y > 1\": column 1: undeclared reference to 'y'"},
		"own, no name":          {view("  expect: [{expr: x > 1.0}]"), "a.yaml:5: views.v.expect[0]: an expectation needs a name"},
		"own, twice":            {view("  expect: [{name: a, late: 0.1}, {name: a, late: 0.2}]"), "a.yaml:5: views.v.expect.a: declared twice: keep one"},
		"own, nothing":          {view("  expect: [{name: a}]"), "a.yaml:5: views.v.expect.a: 0 of expr, unique, monotonic, completeness, rows and late are given: want one"},
		"own, reserved":         {view("  expect: [{name: share, late: 0.1}]"), "a.yaml:5: views.v.expect.share: share has a meaning of its own in verdicts"},
		"own, unknown key":      {view("  expect: [{name: a, uniqe: [x]}]"), "a.yaml:5: views.v.expect.a.uniqe: unknown key: did you mean unique?"},
		"completeness twice":    {view("  expect: [{name: a, completeness: 0.9}, {name: b, completeness: 0.8}]"), "a.yaml:5: views.v.expect.b.completeness: a says so already: keep one"},
		"compliance":            {view("  compliance: SECRET"), `a.yaml:5: views.v.compliance: "SECRET": want PUBLIC, INTERNAL, CONFIDENTIAL or RESTRICTED`},
		"topic":                 {view("  source: {topic: a b}"), `a.yaml:5: views.v.source.topic: "a b": a topic has 1 to 249 letters`},
		"our own topic":         {view("  source: {topic: sluice.dead}"), "a.yaml:5: views.v.source.topic: sluice.dead is Sluice's own"},
		"format":                {view("  source: {format: avro}"), `a.yaml:5: views.v.source.format: "avro": the formats that exist are: json`},
		"map of nothing":        {view("  source: {map: {xx: y}}"), `a.yaml:5: views.v.source.map.xx: "xx" is neither a join key nor a feature of the view`},
		"window":                {view("  window: {size: 500ms}"), "a.yaml:5: views.v.window.size: 500ms: want at least 1s"},
		"idle":                  {view("  window: {idle: 0s}"), "a.yaml:5: views.v.window.idle: 0s: want a positive duration"},
		"mode":                  {view("  publish: {mode: open}"), `a.yaml:5: views.v.publish.mode: "open": want gated or optimistic`},
		"probation":             {view("  publish: {probation: {windows: 4}}"), "views.v.publish.probation.windows: 4: with it 5 versions could be visible above the last certified one, and at most 4 may: want at most 3"},
		"no probation":          {view("  publish: {probation: {windows: 0, fail: 0}}"), "views.v.publish.probation.windows: 0: want 1 to 3"},
		"probation fail":        {view("  publish: {probation: {windows: 2, fail: 3}}"), "views.v.publish.probation.fail: 3: want 1 to probation.windows, which is 2"},
		"hold":                  {view("  publish: {hold: 4}"), "views.v.publish.hold: 4: with it 5 held versions could become visible at once, and at most 4 may: want at most 3"},
		"no hold":               {view("  publish: {hold: 0}"), "views.v.publish.hold: 0: want 1 to 3"},
		"lateness":              {view("  window: {size: 5m, lateness: 1h}"), "views.v.window.lateness: 1h: with windows of 5m 13 would be open at once, and at most 4 may: want at most 15m"},
		"lateness optimistic":   {view("  publish: {mode: optimistic}\n  window: {size: 5m, lateness: 5m}"), "views.v.window.lateness: 5m: optimistic windows of 5m with probation.windows 3 could make 5 versions visible, and at most 4 may"},
		"rollbacks":             {view("  publish: {max_rollbacks_per_hour: -1}"), "views.v.publish.max_rollbacks_per_hour: -1: want 0 or more"},
		"stale rollback":        {view("  publish: {on_stale_rollback: stop}"), `views.v.publish.on_stale_rollback: "stop": want serve, freeze or refuse`},
		"freshness":             {view("  freshness: {warn: 2h, page: 1h}"), "a.yaml:5: views.v.freshness.page: 1h is below warn, which is 2h: want warn <= page <= critical"},
		"baseline":              {view("  baseline: {from: moving}"), `views.v.baseline.from: "moving": want trailing, pinned or dataset`},
		"short baseline":        {view("  baseline: {windows: 7}"), "views.v.baseline.windows: 7: a window is judged against at least 8"},
		"dataset":               {view("  baseline: {from: dataset}"), `views.v.baseline.dataset: "" with from: dataset`},
		"season":                {view("  baseline: {season: [month]}"), `views.v.baseline.season: "month": want hour_of_day or day_of_week`},
		"slice of nothing":      {view("  slices: [y]"), `a.yaml:5: views.v.slices.y: "y" is neither a join key nor a feature of the view`},
		"slice of a float":      {view("  slices: [x]"), "a.yaml:5: views.v.slices.x: type float64: a slice is a string, bool, int32 or int64"},
		"slice twice":           {view("  slices: [u, u]"), "views.v.slices.u: declared twice: keep one"},
		"five slices":           {view("  slices: [u, a, b, c, d]"), "a.yaml:5: views.v.slices: 5 slices, and a view takes 4"},
		"service, no view":      {view("services: [{name: s, features: ['w:x']}]"), `a.yaml:5: services.s.features: "w:x": there is no view "w"`},
		"service, near":         {"views: [{name: payments, entities: [u], features: [{name: amount, type: bool}]}]\nservices: [{name: s, features: ['payments:amonut']}]", `view payments has no feature "amonut": did you mean amount?`},
		"service, no path":      {view("services: [{name: s, features: ['v:x.a']}]"), `"v:x.a": x is float64, and only json features have paths`},
		"service, no feature":   {view("services: [{name: s, features: ['v:amount']}]"), `services.s.features: "v:amount": view v has no feature "amount"`},
		"service, no colon":     {view("services: [{name: s, features: [v]}]"), `services.s.features: "v": want view:feature`},
		"service, priority":     {view("services: [{name: s, features: ['v:amount'], priority: critcal}]"), `services.s.priority: "critcal": want critical, default, sheddable`},
		"service, empty":        {view("services: [{name: s}]"), "services.s.features: empty: list features as view:feature"},
		"budget of none":        {"alerts_per_week: 0", `a.yaml:1: alerts_per_week: 0: want a number above 0, such as 1, and at most 10080: how many incidents a week may be false alarms`},
		"budget is a text":      {"alerts_per_week: few", `a.yaml:1: alerts_per_week: "few": want a number`},
		"two budgets":           {"alerts_per_week: 1\n---\nalerts_per_week: 2", `a.yaml:3: alerts_per_week: the budget is declared twice, first at a.yaml:1: keep one`},
		"two projects":          {"project: a\n---\nproject: b", `a.yaml:3: project: "b", but another file says "a": one folder is one project`},
		"rules missing":         {"rules: other.yaml", "a.yaml:1: rules: other.yaml: no such file: create it, or leave `rules` out"},
		"rules here":            {"rules: [{name: x}]", "a.yaml:1: rules: this is a file of rules: name it in a definitions file, `rules: a.yaml`"},
		"absolute rules":        {"rules: /etc/rules.yaml", `a.yaml:1: rules: "/etc/rules.yaml": want a path relative to this file`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]File{{"a.yaml", tc.text}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse(%s)\n got %v\nwant %s", tc.text[:min(len(tc.text), 500)], err, tc.want)
			}
		})
	}
}

const paymentsView = "- {name: payments, owner: risk-team, tags: {tier: critical}, entities: [u], features: [{name: amount_eur, type: float64}]}\n"

func TestProblemsOfRules(t *testing.T) {
	for name, tc := range map[string]struct{ rules, want string }{
		"unknown key":     {"rules:\n- {name: a, method: psi, threshold: 1, colour: red}", "rules.yaml:2: rules: "},
		"no such view":    {"rules:\n- {name: a, view: vv, method: psi, threshold: 1}", `rules.yaml: rules: rule a: there is no view "vv"`},
		"no such feature": {"rules:\n- {name: a, view: v, feature: y, method: psi, threshold: 1}", `rules.yaml: rules: rule a: no view of it has a feature "y"`},
		"near view":       {"rules:\n- {name: a, view: payment, method: psi, threshold: 1}", `rules.yaml: rules: rule a: there is no view "payment": did you mean payments?`},
		"no glob of it":   {"rules:\n- {name: a, view: x*, method: psi, threshold: 1}", `rules.yaml: rules: rule a: there is no view that "x*" matches` + "\n"},
		"glob, begins":    {"rules:\n- {name: a, view: pyam*, method: psi, threshold: 1}", `rules.yaml: rules: rule a: there is no view that "pyam*" matches: the nearest is payments`},
		"glob, ends":      {"rules:\n- {name: a, view: '*mnets', method: psi, threshold: 1}", `rules.yaml: rules: rule a: there is no view that "*mnets" matches: the nearest is payments`},
		"glob of feature": {"rules:\n- {name: a, view: pay*, feature: amuont*, method: psi, threshold: 1}", `rules.yaml: rules: rule a: no view of it has a feature that "amuont*" matches: the nearest is amount_eur`},
		"near owner":      {"rules:\n- {name: a, owner: risk-taem, method: psi, threshold: 1}", `rules.yaml: rules: rule a: no view has an owner "risk-taem": did you mean risk-team?`},
		"glob of owner":   {"rules:\n- {name: a, owner: rsik*, method: psi, threshold: 1}", `rules.yaml: rules: rule a: no view has an owner that "rsik*" matches: the nearest is risk-team`},
		"near tag":        {"rules:\n- {name: a, tags: {teir: critical}, method: psi, threshold: 1}", `rules.yaml: rules: rule a: no view has a tag "teir": did you mean tier?`},
		"near value":      {"rules:\n- {name: a, tags: {tier: critcal}, method: psi, threshold: 1}", `rules.yaml: rules: rule a: no view has a tag tier of "critcal": did you mean critical?`},
		"near type":       {"rules:\n- {name: a, type: flaot64, method: psi, threshold: 1}", `rules.yaml:2: rules: rule "a": type: "flaot64" is no type of a feature: did you mean float64?`},
		"syntax":          {"rules: [", "rules.yaml:1: rules: did not find expected node content"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]File{{"a.yaml", view(paymentsView + "rules: rules.yaml")}, {"rules.yaml", tc.rules}})
			if err == nil || !strings.HasPrefix(err.Error()+"\n", tc.want) {
				t.Errorf("Parse with rules %s\n got %v\nwant %s", tc.rules, err, tc.want)
			}
		})
	}
	for name, rules := range map[string]string{
		"all": `rules: [{name: a, method: psi, threshold: 1}]`, "glob": `rules: [{name: a, view: "v*", feature: "x*", method: psi, threshold: 1}]`, "named": `rules: [{name: a, view: v, feature: x, method: psi, threshold: 1}]`,
		"glob of some": `rules: [{name: a, view: "pay*", feature: "*_eur", method: psi, threshold: 1}]`, "selectors": `rules: [{name: a, owner: "risk-*", tags: {tier: critical}, type: "float*", method: psi, threshold: 1}]`, "of none together": `rules: [{name: a, view: v, owner: risk-team, method: psi, threshold: 1}]`,
		"inner glob": `rules: [{name: a, view: "p*s", feature: amount_eur, method: psi, threshold: 1}]`,
	} {
		if _, err := Parse([]File{{"a.yaml", view(paymentsView + "rules: rules.yaml")}, {"rules.yaml", rules}}); err != nil {
			t.Errorf("Parse with rules %s: %v", name, err)
		}
	}
}

func TestProblemsAllAtOnce(t *testing.T) {
	_, err := Parse([]File{{"a.yaml", view("  ttl: x\n  mode: y\n  compliance: z\n  window: {size: 0s}")}, {"b.yaml", "{"}})
	problems, ok := err.(Problems)
	if !ok || len(problems) != 5 {
		t.Fatalf("Parse = %v, want five problems", err)
	}
	for i, want := range []string{"a.yaml:5: views.v.ttl:", "a.yaml:6: views.v.mode:", "a.yaml:7: views.v.compliance:", "a.yaml:8: views.v.window.size:", "b.yaml:1:"} {
		if got := problems[i].Error(); !strings.HasPrefix(got, want) {
			t.Errorf("problem %d is %q, want %q...", i, got, want)
		}
	}
}

func TestAliasBomb(t *testing.T) {
	text := "views:\n- &v\n  name: v\n  entities: [u]\n  features: &f [" + strings.Repeat("{name: x, type: bool}, ", 5000) + "]\n" + strings.Repeat("- {name: w, entities: [u], features: *f}\n", 200)
	_, err := Parse([]File{{"a.yaml", text}})
	if err == nil || !strings.Contains(err.Error(), "expands to more than 500000 values: split it") {
		t.Errorf("Parse of an alias bomb = %.200v, want it refused", err)
	}
}

func TestValidate(t *testing.T) {
	defs, err := Parse([]File{{"a.yaml", view("")}})
	if err != nil {
		t.Fatal(err)
	}
	if err := Validate(&defs); err != nil {
		t.Errorf("Validate of what Parse accepted = %v", err)
	}
	defs.Views = append(defs.Views, defs.Views[0])
	defs.Entities[0].Type = 0
	want := "entities.u.type: type(0): a join key is string, int32, int64, bytes, bool or timestamp\nviews.v: declared twice: keep one"
	if err := Validate(&defs); err == nil || err.Error() != want {
		t.Errorf("Validate = %v, want %s", err, want)
	}
}
