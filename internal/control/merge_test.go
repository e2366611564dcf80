package control

import (
	"strings"
	"testing"
)

// With add, definitions come beside those in force.
func TestApplyAdds(t *testing.T) {
	p := newPlatform(t, nil)
	p.apply()
	before, _, err := p.registry.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	probe := "project: sluice\nviews: [{name: probe, entities: [u], features: [{name: x, type: float64}]}]"
	p.want("POST", "/api/v1/plan", filesBody(t, probe, "add", true), 200, `{"changes":[{"op":"add","kind":"entity","name":"u",...`)
	p.want("POST", "/api/v1/apply", filesBody(t, probe, "add", true), 200, `{"applied":true,...`)
	after, generation, err := p.registry.Definitions(t.Context())
	if err != nil || generation != 2 || len(after.Views) != len(before.Views)+1 || after.Project != before.Project || after.Rules != before.Rules || len(after.Services) != len(before.Services) {
		t.Fatalf("definitions are %+v (generation %d, %v), want one view more", after, generation, err)
	}
	if v := after.View("probe"); v.Project != "sluice" || v.ID == 0 {
		t.Errorf("the new view is %+v, want it of its own project", v)
	}
	if _, body := p.do("POST", "/api/v1/apply", filesBody(t, probe, "add", true)); !strings.Contains(body, `"generation":2,"changes":[]`) {
		t.Errorf("adding what is there = %s, want no change", body)
	}
	p.want("POST", "/api/v1/apply", filesBody(t, strings.Replace(probe, "probe", "pay", 1), "add", true), 409, `{"error":{"code":"conflict","message":"view pay is of project shop, not sluice; nothing was changed"...`)
}
