package control

import (
	"fmt"
	"strings"
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
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":0,"measured":false,"reads_per_hour":0,"reads_of":"views","impact":0,"parts":[]}`)
	p.judgeBy(v, minute(0), "publish", "window", []feature.Score{{Feature: "amount", Severity: 1}, {Method: "volume"}})
	at := minute(0).End
	p.readBy(v, at, feature.FeatureReads{Rows: 240}, feature.FeatureReads{Feature: v.Features[0].ID, Rows: 60})
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":25,"measured":true,"reads_per_hour":0,"reads_of":"views",...`)
	if _, err := p.registry.SetClock(t.Context(), at.Add(30*time.Minute), feature.Audit{Action: "clock"}); err != nil {
		t.Fatal(err)
	}
	p.want("GET", "/api/v1/views?limit=1", "", 200, `{"items":[{"project":"shop","mode":"gated","state":"learning","generation":1,"served_version":1,"age_seconds":0,"score":10,"name":"pay",...`)
	period := fmt.Sprintf(`"reads_from":%q,"reads_to":%q,`, at.Format(time.RFC3339), at.Add(30*time.Minute).Format(time.RFC3339))
	part := `"parts":[{"view":"pay","feature":"amount","severity":1,"drift":0.5,"importance":1,"services":1,`
	p.want("GET", "/api/v1/views/pay", "", 200, `{"project":"shop","mode":"gated","state":"learning","generation":1,"served_version":1,"age_seconds":0,"score":10,"impact":{"score":10,"measured":true,"reads_per_hour":480,"reads_of":"view",`+
		period+`"impact":48,`+part+`"reads_per_hour":120,"read_share":0.25,"weight":0.5,"share":1},...`)
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":10,"measured":true,"reads_per_hour":480,"reads_of":"views",...`)
	// Once it names itself, its own reads count.
	p.readBy(v, at, feature.FeatureReads{Rows: 240}, feature.FeatureReads{Feature: v.Features[0].ID, Rows: 60}, feature.FeatureReads{Service: "fraud", Rows: 60}, feature.FeatureReads{Service: "fraud", Feature: v.Features[0].ID, Rows: 60})
	p.want("GET", "/api/v1/services", "", 200, `{"items":[{"project":"shop","name":"fraud","features":["pay:amount"],"score":25,"measured":true,"reads_per_hour":120,"reads_of":"service",`+
		period+`"impact":30,`+part+`"reads_per_hour":120,"read_share":1,"weight":1,"share":1},...`)
	if _, body := p.do("GET", "/api/v1/views/pay", ""); !strings.Contains(body, fmt.Sprintf(`"reads":{"from":%q,"to":%q,"per_hour":600,"features":{"amount":240},"services":{"fraud":{"per_hour":120,"features":{"amount":120}}}}`, at.Format(time.RFC3339), at.Add(30*time.Minute).Format(time.RFC3339))) {
		t.Errorf("the view answers %s, want its reads by feature and service", body)
	}
	p.judgeBy(v, minute(1), "publish", "window", []feature.Score{{Feature: "amount", Severity: 3}})
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":90,...`)
	p.judgeBy(v, minute(2), "publish", "probation", []feature.Score{{Feature: "amount"}})
	p.want("GET", "/api/v1/services/fraud", "", 200, `{"project":"shop","name":"fraud","features":["pay:amount"],"score":90,...`)
	p.want("GET", "/api/v1/services/frau", "", 404, `{"error":{"code":"unknown_service","message":"there is no service \"frau\"","hint":"did you mean fraud?"}}`)
}

// readBy records who read a view from a moment on, in place of what was recorded of its
// hour before.
func (p *platform) readBy(v *feature.View, at time.Time, reads ...feature.FeatureReads) {
	p.t.Helper()
	hour := feature.WindowSpec{Size: feature.ReadershipSpan}.Of(at)
	if err := p.registry.PutReadership(p.t.Context(), []feature.Readership{{View: v.ID, Window: hour, Process: "p", First: at, Reads: reads}}); err != nil {
		p.t.Fatal(err)
	}
}
