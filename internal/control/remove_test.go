package control

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/definition"
)

// Views are removed only by a request that says so; a plan shows what goes with
// them.
func TestRemovalIsConfirmed(t *testing.T) {
	p := newPlatform(t, nil)
	v := p.apply()
	p.judge(v, minute(0), "publish")
	p.judge(v, minute(1), "reject")
	p.judge(v, minute(2), "publish")
	const weather = "project: shop\nviews: [{name: weather, entities: [station], source: {topic: weather}, features: [{name: celsius, type: float64}]}]"

	_, body := p.do("POST", "/api/v1/plan", filesBody(t, weather))
	var plan definition.Changes
	if err := json.Unmarshal([]byte(body), &plan); err != nil {
		t.Fatalf("plan = %s: %v", body, err)
	}
	var removes *definition.Removal
	for _, c := range plan.Changes {
		if c.RemovesView() {
			removes = c.Removes
		} else if c.Removes != nil {
			t.Errorf("change %+v, want no removal", c)
		}
	}
	if want := (definition.Removal{Versions: 2, Rows: 20, ServedVersion: 3}); removes == nil || *removes != want {
		t.Errorf("plan = %s, want the removal of %+v", body, want)
	}

	const hint = `put them back into the files; or, if they are to go, add --allow-remove --if-generation 1 (in a request: allow_remove and if_generation)`
	p.want("POST", "/api/v1/apply", filesBody(t, weather), 400,
		`{"error":{"code":"invalid_argument","message":"this would remove 1 of 2 views, which are then no longer judged and served: pay (versions: 2, rows: 20); nothing was changed","hint":"`+hint+`"}}`)
	p.want("POST", "/api/v1/apply", filesBody(t, "# nothing"), 400,
		`{"error":{"code":"invalid_argument","message":"this would remove 2 of 2 views, which are then no longer judged and served: pay (versions: 2, rows: 20), weather (versions: 0, rows: 0); nothing was changed",...`)
	if defs, generation, err := p.registry.Definitions(t.Context()); len(defs.Views) != 2 || generation != 1 || err != nil {
		t.Errorf("after refused applies: %d views of generation %d, %v, want 2 of 1", len(defs.Views), generation, err)
	}
	if code, body := p.do("POST", "/api/v1/apply", filesBody(t, weather, "allow_remove", true, "if_generation", 1)); code != 200 || !strings.Contains(body, `"generation":2`) || !strings.Contains(body, `"removes":{"versions":2,"rows":20,"served_version":3}`) {
		t.Errorf("apply with allow_remove = %d %s", code, body)
	}
	p.want("GET", "/api/v1/views/pay", "", 404, `{"error":{"code":"unknown_view",...`)
	p.want("POST", "/api/v1/apply", filesBody(t, weather), 200, `{"applied":true,...`)
}

func TestManyRemovalsAreCounted(t *testing.T) {
	p := newPlatform(t, nil)
	var b strings.Builder
	for i := range maxNamed + 2 {
		fmt.Fprintf(&b, "- {name: v%d, entities: [u], features: [{name: x, type: bool}]}\n", i)
	}
	if code, body := p.do("POST", "/api/v1/apply", filesBody(t, "views:\n"+b.String())); code != 200 {
		t.Fatalf("apply = %d %s", code, body)
	}
	if code, body := p.do("POST", "/api/v1/apply", filesBody(t, "")); code != 400 || !strings.Contains(body, "this would remove 12 of 12 views") || !strings.Contains(body, " and 2 more; nothing was changed") {
		t.Errorf("apply of nothing = %d %s", code, body)
	}
}
