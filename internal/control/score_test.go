package control

import (
	"testing"
	"time"

	"sluice/feature"
)

// The score of a view and of a service is that of the newest judged window, and of who
// reads it; before anything was measured there is none.
func TestScores(t *testing.T) {
	p := newPlatform(t, nil)
	p.want("GET", "/api/v1/services", "", 200, `{"items":[],"next":""}`)
	v := p.apply()
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":0,"measured":false,"reads_per_hour":0,"impact":0,"parts":[]}`)
	p.judgeBy(v, minute(0), "publish", "window", []feature.Score{{Feature: "amount", Severity: 1}, {Method: "volume"}})
	err := p.registry.AddExposure(t.Context(), []feature.Exposure{{View: v.ID, Version: 1, Reads: 300, First: minute(0).End, Last: minute(0).End.Add(30 * time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	p.want("GET", "/api/v1/views?limit=1", "", 200, `{"items":[{"project":"shop","mode":"gated","state":"learning","generation":1,"served_version":1,"age_seconds":0,"score":25,"name":"pay",...`)
	impact := `"score":25,"measured":true,"reads_per_hour":600,"impact":150,"parts":[{"view":"pay","feature":"amount","severity":1,"drift":0.5,"importance":1,"services":1,"weight":`
	p.want("GET", "/api/v1/views/pay", "", 200, `{"project":"shop","mode":"gated","state":"learning","generation":1,"served_version":1,"age_seconds":0,"score":25,"impact":{`+impact+`2,"share":1},...`)
	p.want("GET", "/api/v1/services", "", 200, `{"items":[{"project":"shop","name":"fraud","features":["pay:amount"],`+impact+`1,"share":1},...`)
	p.judgeBy(v, minute(1), "publish", "window", []feature.Score{{Feature: "amount", Severity: 3}})
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":90,...`)
	p.judgeBy(v, minute(2), "publish", "probation", []feature.Score{{Feature: "amount"}})
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":90,...`)
	p.want("GET", "/api/v1/services/frau", "", 404, `{"error":{"code":"unknown_service","message":"there is no service \"frau\"","hint":"did you mean fraud?"}}`)
}
