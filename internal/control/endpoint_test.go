package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/materialize"
)

func TestApplyEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	p.want("POST", "/api/v1/plan", filesBody(t, payYAML), 200, `{"changes":[{"op":"add","kind":"entity","name":"station"...`)
	p.want("POST", "/api/v1/apply", filesBody(t, payYAML), 200, `{"applied":true,"digest":"...`)
	_, first := p.do("POST", "/api/v1/apply", filesBody(t, payYAML))
	if !strings.Contains(first, `"generation":1,"changes":[]`) {
		t.Errorf("apply of what is in force = %s, want generation 1 and no change", first)
	}
	p.want("POST", "/api/v1/plan", filesBody(t, payYAML), 200, `{"changes":[],"digest":"...`)
	next := strings.Replace(payYAML, "celsius", "kelvin", 1)
	p.want("POST", "/api/v1/plan", filesBody(t, next), 200, `{"changes":[{"op":"change","kind":"view","name":"weather","fields":["features.celsius","features.kelvin"],"breaking":true,"affects":[]}],...`)
	p.want("POST", "/api/v1/apply", filesBody(t, next, "if_generation", 7), 409, `{"error":{"code":"conflict","message":"definitions are of generation 1, not 7","hint":"plan again, then apply"}}`)
	p.want("POST", "/api/v1/apply", filesBody(t, "views: [{name: v}]\nx: 1"), 400,
		`{"error":{"code":"invalid_argument","message":"a.yaml:1: views.v.entities: empty: name at least one entity, whose key the rows have\na.yaml:1: views.v.features: empty: list at least one feature with name and type\na.yaml:2: x: unknown key: want one of alerts_per_week, calendar, entities, project, rules, services, views","hint":"mend every line and send it again; nothing was changed"}}`)
	p.want("POST", "/api/v1/apply", filesBody(t, "views: [{name: v, entities: [u], features: [{name: x, type: bool, expect: {expr: '('}}]}]"), 400,
		`{"error":{"code":"invalid_argument","message":"a.yaml:1: views.v.features.x.expect.expr: expr \"(\": column 2: Syntax error...`)
	p.want("POST", "/api/v1/apply", filesBody(t, "views: [{name: v, entities: [u], owner: refused, features: [{name: x, type: bool}]}]"), 400,
		`{"error":{"code":"invalid_argument","message":"views.v: not by this owner","hint":"mend it and send it again; nothing was changed"}}`)
	p.want("POST", "/api/v1/apply", `{"files":[]}`, 400, `{"error":{"code":"invalid_argument","message":"0 files: want 1 to 1000"...`)
	p.want("POST", "/api/v1/apply", `{"Files":[]}`, 400, `{"error":{"code":"invalid_argument","message":"request: unknown field \"Files\": it is written files"...`)
	p.want("POST", "/api/v1/deadletters/replay", `{"select":{"View":"a"}}`, 400, `{"error":{"code":"invalid_argument","message":"request: unknown field \"View\": it is written view"...`)
	p.want("POST", "/api/v1/apply", `{"fils":[]}`, 400, `{"error":{"code":"invalid_argument","message":"request: json: unknown field \"fils\""...`)
	p.want("POST", "/api/v1/apply", `{"files":7}`, 400, `{"error":{"code":"invalid_argument","message":"files: number does not fit","hint":"send values of the kinds of the reference"}}`)
	p.want("POST", "/api/v1/apply", `{} {}`, 400, `{"error":{"code":"invalid_argument","message":"request: more than one JSON value"...`)
	if _, generation, _ := p.registry.Definitions(t.Context()); generation != 1 {
		t.Errorf("generation is %d after refused applies, want 1", generation)
	}
}

func TestAppliedFails(t *testing.T) {
	p := newPlatform(t, func(d *Deps) {
		d.Applied = func(_ context.Context, _ *feature.Definitions) error {
			return &feature.Error{Code: feature.CodeUnavailable, Message: "no broker"}
		}
	})
	answer := `{"error":{"code":"unavailable","message":"definitions are in force with generation 1, but: no broker","hint":"apply them again; the server's log says more"}}`
	p.want("POST", "/api/v1/apply", filesBody(t, payYAML), 503, answer)
	p.want("POST", "/api/v1/apply", filesBody(t, payYAML), 503, answer)
}

func TestViewsEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	p.want("GET", "/api/v1/views", "", 200, `{"items":[],"next":""}`)
	v := p.apply()
	p.want("GET", "/api/v1/views?limit=1", "", 200, `{"items":[{"project":"shop","mode":"gated","state":"learning","generation":0,"served_version":0,"age_seconds":0,"score":null,"name":"pay","entities":[{"name":"user","type":"string"}],"features":[{"name":"amount","type":"float64"}],"source":{"format":"json","event_time":"event_time"},...`)
	if _, body := p.do("GET", "/api/v1/views?limit=1", ""); !strings.HasSuffix(body, `"next":"pay"}`) {
		t.Errorf("first page = %s, want next pay", body)
	}
	if _, body := p.do("GET", "/api/v1/views?after=pay", ""); !strings.Contains(body, `"name":"weather"`) || !strings.HasSuffix(body, `"next":""}`) {
		t.Errorf("second page = %s, want weather alone", body)
	}
	for i := range learned {
		if info := p.judge(v, minute(i), "publish"); i == learned-1 && info.Version != learned {
			t.Fatalf("version %d, want %d", info.Version, learned)
		}
		vector, err := p.registry.Vector(t.Context(), v.ID)
		if err != nil {
			t.Fatal(err)
		}
		raised := vector.Raise(feature.Version(i+1), nil)
		if _, err := p.registry.Apply(t.Context(), feature.Commit{View: v.ID, IfGeneration: vector.Generation, Vector: &raised, Audit: []feature.Audit{{By: "gate", Action: "certify"}}}); err != nil {
			t.Fatal(err)
		}
	}
	p.want("GET", "/api/v1/views/pay", "", 200, `{"project":"shop","mode":"gated","state":"serving","generation":16,"served_version":8,...`)
	p.board.Update(feature.Progress{Topic: "sluice.writes", Views: map[string]feature.ViewProgress{"pay": {Watermark: minute(0).Start}}}, nil)
	p.want("POST", "/api/v1/clock", `{"now":"2024-01-01T00:01:30Z"}`, 200, `{"now":"2024-01-01T00:01:30Z","set":true}`)
	p.want("GET", "/api/v1/views/pay", "", 200, `{"project":"shop","mode":"gated","state":"serving","generation":16,"served_version":8,"age_seconds":90,...`)
	p.want("POST", "/api/v1/views/pay/actions/freeze", `{"reason":"x"}`, 200, `{"generation":17,...`)
	p.want("GET", "/api/v1/views/pay", "", 200, `{"project":"shop","mode":"gated","state":"frozen",...`)
	p.want("GET", "/api/v1/views/pya", "", 404, `{"error":{"code":"unknown_view","message":"there is no view \"pya\"","hint":"did you mean pay?"}}`)
	p.want("GET", "/api/v1/views/zzzzzzzz", "", 404, `{"error":{"code":"unknown_view","message":"there is no view \"zzzzzzzz\"","hint":"`+"`sluice views`"+` lists those there are"}}`)
}

func TestWritesEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	v := p.apply()
	p.judge(v, minute(0), "publish")
	lines := `{"view":"pay","key":{"user":"a"},"event_time":"2024-01-01T00:00:05Z","values":{"amount":1},"event_id":"e1"}` + "\n\n" +
		`{"user":"b","event_time":"2024-01-01T00:01:05Z","amount":2,"event_id":"e2"}` + "\r\n" + `{broken`
	p.want("POST", "/api/v1/views/pay/writes", lines, 200, `{"view":"pay","sent":3,"offsets":{"sluice.writes/0":[0,2]},"windows":[`+
		`{"start":"2024-01-01T00:00:00Z","end":"2024-01-01T00:01:00Z","version":1,"state":"pass","decision":"publish","verdict":"vd1"},`+
		`{"start":"2024-01-01T00:01:00Z","end":"2024-01-01T00:02:00Z","version":0,"state":"","decision":"","verdict":""}]}`)
	if r := p.log.records; len(r) != 3 || r[0].EventID != "e1" || r[0].View != "" || strings.Contains(string(r[0].Value), "event_id") ||
		r[1].EventID != "e2" || r[1].View != "pay" || string(r[2].Value) != "{broken" || r[2].View != "pay" {
		t.Errorf("appended %+v", r)
	}
	p.want("POST", "/api/v1/views/weather/writes", `{"station":"a","event_time":"2024-01-01T00:00:05Z"}`, 200, `{"view":"weather","sent":1,...`)
	if r := p.log.records[3]; r.View != "" {
		t.Errorf("a flat row on its own topic is marked as view %q's", r.View)
	}
	p.want("POST", "/api/v1/views/pay/writes", "\n \n", 200, `{"view":"pay","sent":0,"offsets":{},"windows":[]}`)
	p.want("POST", "/api/v1/views/pay/writes", "{}\n"+strings.Repeat("x", MaxLine+1), 413, `{"error":{"code":"limit","message":"line 2 has 1048577 bytes, and a record takes at most 1048576; nothing was appended","hint":"make the line shorter, or leave it out"}}`)
	p.want("POST", "/api/v1/views/pay/writes", strings.Repeat("1\n", MaxLines+1), 413, `{"error":{"code":"limit","message":"line 50001: more than 50000 lines; nothing was appended","hint":"send them in parts"}}`)
	p.want("POST", "/api/v1/views/pay/writes", strings.Repeat("x", MaxWrites+1), 413, `{"error":{"code":"too_large","message":"request of more than 16777216 bytes","hint":"send it in parts"}}`)
	p.want("POST", "/api/v1/views/pay/watermark", `{"watermark":"2024-01-01T00:02:10Z"}`, 200, `{"view":"pay","watermark":"2024-01-01T00:02:10Z"}`)
	p.want("POST", "/api/v1/views/pay/watermark", `{}`, 400, `{"error":{"code":"invalid_argument","message":"watermark 0001-01-01T00:00:00Z"...`)
	if len(p.log.records) != 4 || len(p.log.marks) != 1 {
		t.Errorf("%d records, %d watermarks after refused requests, want 4 and 1", len(p.log.records), len(p.log.marks))
	}
	p.log.err = errors.New("broker gone")
	p.want("POST", "/api/v1/views/pay/writes", "{}", 503, `{"error":{"code":"unavailable","message":"append 1 lines to the log of pay: about 0 were","hint":"send them again: lines with an event_id count once"}}`)
	p.want("POST", "/api/v1/views/pay/watermark", `{"watermark":"2024-01-01T00:02:10Z"}`, 503, `{"error":{"code":"unavailable","message":"write a watermark to the log of pay"...`)
}

func TestVersionsEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	v := p.apply()
	p.judge(v, minute(0), "publish")
	p.judge(v, minute(1), "reject")
	p.want("GET", "/api/v1/views/pay/versions", "", 200, `{"view":"pay","generation":2,"floor":0,"visible":[1],"frozen":false,"online":"default","items":[{"version":1,"kind":"window","window":{"start":"2024-01-01T00:00:00Z","end":"2024-01-01T00:01:00Z"},"step":"decided","state":"visible","rows":10,...`)
	_, body := p.do("GET", "/api/v1/views/pay/versions?limit=1", "")
	if !strings.HasSuffix(body, `"next":"1"}`) {
		t.Errorf("first page = %s, want next 1", body)
	}
	p.want("GET", "/api/v1/views/pay/versions?after=2", "", 200, `{"view":"pay","generation":2,"floor":0,"visible":[1],"frozen":false,"online":"default","items":[],"next":""}`)
}

func TestWindowsEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	v := p.apply()
	p.judge(v, minute(0), "publish")
	p.judge(v, minute(1), "reject")
	var page struct {
		Items []materialize.WindowStatus `json:"items"`
		Next  string                     `json:"next"`
	}
	_, body := p.do("GET", "/api/v1/views/pay/windows?limit=1", "")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 1 || page.Items[0].State != "judged" || page.Next != "2024-01-01T00:00:00Z" {
		t.Errorf("first page = %s (%v)", body, err)
	}
	_, body = p.do("GET", "/api/v1/views/pay/windows?after="+page.Next, "")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 1 || page.Items[0].Version != 2 || page.Next != "" {
		t.Errorf("second page = %s (%v)", body, err)
	}
	p.want("GET", "/api/v1/views/pay/windows?start=2024-01-01T00:01:00Z&wait=30s", "", 200, `{"items":[{"start":"2024-01-01T00:01:00Z","end":"2024-01-01T00:02:00Z","state":"judged","version":2,"rows":10,"verdict":"vd2","reason":"","partitions":{...`)
	p.want("GET", "/api/v1/views/pay/windows?start=2024-01-01T00:02:00Z", "", 200, `{"items":[],"next":"","partitions":{...`)
	p.want("GET", "/api/v1/views/pay/windows?start=2024-01-01T00:02:00Z&wait=20ms", "", 408, `{"error":{"code":"unavailable","message":"no news within 20ms","hint":"ask again"}}`)
	p.want("GET", "/api/v1/views/pay/windows?wait=20ms", "", 408, `{"error":{"code":"unavailable","message":"no news within 20ms","hint":"ask again"}}`)
}

// watched tells when a handler has looked.
type watched struct {
	Registry
	looked chan struct{}
}

func (w watched) tell() {
	select {
	case w.looked <- struct{}{}:
	default:
	}
}

func (w watched) Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	defer w.tell()
	return w.Registry.Versions(ctx, view, after, limit)
}

func (w watched) VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error) {
	defer w.tell()
	return w.Registry.VersionOf(ctx, view, start)
}

func (w watched) Verdicts(ctx context.Context, view feature.ViewID, after string, limit int) ([]feature.VerdictRow, string, error) {
	defer w.tell()
	return w.Registry.Verdicts(ctx, view, after, limit)
}

// A wait returns as soon as what it waits for is committed.
func TestWaits(t *testing.T) {
	w := watched{looked: make(chan struct{}, 1)}
	p := newPlatform(t, func(d *Deps) {
		w.Registry, d.Registry = d.Registry, watched{d.Registry, w.looked}
	})
	v := p.apply()
	for i, path := range []string{
		"windows?start=2024-01-01T00:00:00Z&wait=1m", "windows?wait=1m", "windows?after=2024-01-01T00:01:00Z&wait=1m", "verdicts?after=3&wait=1m",
	} {
		committed := make(chan struct{})
		go func() {
			defer close(committed)
			<-w.looked
			p.judge(v, minute(i), "reject")
		}()
		code, body := p.do("GET", "/api/v1/views/pay/"+path, "")
		<-committed
		if code != 200 || !strings.Contains(body, fmt.Sprintf(`"vd%d"`, i+1)) {
			t.Errorf("GET %s = %d %s, want verdict vd%d", path, code, body, i+1)
		}
		select { // what the last look of this round told
		case <-w.looked:
		default:
		}
	}
	p.want("GET", "/api/v1/views/pay/windows?after=2024-01-01T00:02:00Z&wait=1m", "", 200, `{"items":[{"start":"2024-01-01T00:03:00Z",...`)
}

func TestVerdictsEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	v := p.apply()
	p.want("GET", "/api/v1/views/pay/verdicts", "", 200, `{"items":[],"next":""}`)
	p.judge(v, minute(0), "publish")
	p.judge(v, minute(1), "reject")
	_, body := p.do("GET", "/api/v1/views/pay/verdicts", "")
	if !strings.HasSuffix(body, `"next":"2"}`) || strings.Count(body, `"kind":"window"`) != 2 {
		t.Errorf("verdicts = %s, want two and next 2", body)
	}
	p.want("GET", "/api/v1/views/pay/verdicts?after=2", "", 200, `{"items":[],"next":""}`)
	p.want("GET", "/api/v1/views/pay/verdicts?after=2&wait=20ms", "", 408, `{"error":{"code":"unavailable",...`)
	p.want("GET", "/api/v1/verdicts/vd2", "", 200, `{"id":"vd2","kind":"window",...`)
	p.want("GET", "/api/v1/verdicts/vd9", "", 404, `{"error":{"code":"invalid_argument","message":"verdict \"vd9\": not found","hint":"`+"`sluice verdicts VIEW`"+` lists a view's verdicts"}}`)
	p.want("POST", "/api/v1/verdicts/vd2/verify", "", 200, `{"id":"vd2","ok":true,"differences":[]}`)
	p.want("POST", "/api/v1/verdicts/vd9/verify", "", 404, `{"error":{"code":"invalid_argument",...`)
}

// TestVerdictStatistics: a verdict is shown whether or not it rests on counts, and
// whatever became of them.
func TestVerdictStatistics(t *testing.T) {
	p := newPlatform(t, nil)
	v := p.apply()
	for i := range 3 {
		p.judge(v, minute(i), "publish")
	}
	for path, has := range map[string]bool{"vd1": false, "vd2": false, "vd3": true, "vd3?statistics=false": false} {
		status, body := p.do("GET", "/api/v1/verdicts/"+path, "")
		var v struct {
			ID         string            `json:"id"`
			Statistics []json.RawMessage `json:"statistics"`
		}
		if err := json.Unmarshal([]byte(body), &v); status != 200 || err != nil || !strings.HasPrefix(path, v.ID) || (len(v.Statistics) == 1) != has {
			t.Errorf("%s = %d %s (%v), want statistics: %v", path, status, body, err, has)
		}
	}
	p.want("GET", "/api/v1/verdicts/vd1?statistics=no", "", 400, `{"error":{"code":"invalid_argument",...`)
}

func TestVerifyDiffers(t *testing.T) {
	p := newPlatform(t, func(d *Deps) {
		d.Verify = func(context.Context, string) ([]string, error) { return []string{"state: pass, recomputed fail"}, nil }
	})
	p.judge(p.apply(), minute(0), "publish")
	p.want("POST", "/api/v1/verdicts/vd1/verify", "", 200, `{"id":"vd1","ok":false,"differences":["state: pass, recomputed fail"]}`)
}

func TestActionsEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	p.judge(p.apply(), minute(0), "publish")
	p.want("POST", "/api/v1/views/pay/actions/freeze", `{"by":"eve","reason":"x","if_generation":9}`, 409, `{"error":{"code":"conflict","message":"freeze pay: the view changed meanwhile"...`)
	p.want("POST", "/api/v1/views/pay/actions/freeze", `{"by":"eve","reason":"x","if_generation":1}`, 200, `{"generation":2,"visible":[1],"audit":"...`)
	p.want("POST", "/api/v1/views/pay/actions/thaw", ``, 200, `{"generation":3,"visible":[1],"audit":"...`)
	p.want("POST", "/api/v1/views/pay/actions/thwa", `{}`, 404, `{"error":{"code":"invalid_argument","message":"action \"thwa\": not found","hint":"did you mean thaw?"}}`)
	p.want("POST", "/api/v1/views/pay/actions/rollback", `{"reason":"x"}`, 400, `{"error":{"code":"invalid_argument","message":"rollback pay: no version is named","hint":"`+"`sluice versions pay`"+` lists them"}}`)
	p.want("POST", "/api/v1/views/pay/actions/rollback", `{"version":1}`, 400, `{"error":{"code":"invalid_argument","message":"rollback without a reason"...`)
	p.want("POST", "/api/v1/views/pay/actions/rollback", `{"version":1,"reason":"x"}`, 200, `{"generation":4,"visible":[],"audit":"...`)
	p.want("POST", "/api/v1/views/pay/actions/freeze", `{"reason":"`+strings.Repeat("x", maxReason+1)+`"}`, 400, `{"error":{"code":"invalid_argument","message":"reason and by: at most 4096 bytes are kept"...`)
	p.want("POST", "/api/v1/views/pay/actions/freeze", strings.Repeat(" ", maxBody+1), 413, `{"error":{"code":"too_large","message":"request of more than 1048576 bytes"...`)
	p.want("GET", "/api/v1/views/pay/baseline", "", 200, `{"view":"pay","layout":"","windows":0,...`)
	p.want("POST", "/api/v1/views/pay/baseline/accept", `{"reason":"x"}`, 400, `{"error":{"code":"invalid_argument","message":"baseline accept pay: no version is named"...`)
	p.want("POST", "/api/v1/views/pay/baseline/accpet", `{}`, 404, `{"error":{"code":"invalid_argument","message":"baseline \"accpet\": not found","hint":"did you mean accept?"}}`)
	p.want("POST", "/api/v1/views/pay/baseline/set", `{"version":1,"reason":"quiet","by":"eve"}`, 200, `{"view":"pay",...`)
	p.want("GET", "/api/v1/views/pay/baseline/history", "", 200, `{"items":[{"number":1,"kind":"pinned","version":1,...`)
	p.want("POST", "/api/v1/views/pay/baseline/revert", `{}`, 400, `{"error":{"code":"invalid_argument","message":"a baseline is changed without a reason"...`)
	p.want("POST", "/api/v1/views/pay/baseline/revert", `{"reason":"no","by":"eve"}`, 200, `{"view":"pay",...`)
	p.want("POST", "/api/v1/views/pay/baseline/revert", `{"reason":"no"}`, 409, `{"error":{"code":"conflict","message":"no decision about the baseline of pay is in force"...`)
	_, body := p.do("GET", "/api/v1/audit", "")
	if !strings.Contains(body, `"by":"eve","action":"freeze"`) || !strings.Contains(body, `"by":"anonymous","action":"thaw"`) {
		t.Errorf("audit = %s, want freeze by eve and thaw by anonymous", body)
	}
}

// The name behind a token goes before what the request says.
func TestByOfToken(t *testing.T) {
	p := newPlatform(t, func(d *Deps) {
		d.Authorize = func(string, auth.Role) (string, error) { return "alice", nil }
	})
	p.apply()
	p.want("POST", "/api/v1/views/pay/actions/freeze", `{"by":"eve","reason":"x"}`, 200, `{"generation":1,...`)
	_, body := p.do("GET", "/api/v1/audit", "")
	if strings.Contains(body, "eve") || strings.Count(body, `"by":"alice"`) != 2 {
		t.Errorf("audit = %s, want apply and freeze by alice", body)
	}
}

func TestListEndpoints(t *testing.T) {
	p := newPlatform(t, nil)
	p.judge(p.apply(), minute(0), "reject")
	_, body := p.do("GET", "/api/v1/audit?limit=1", "")
	if !strings.Contains(body, `"action":"apply"`) || !strings.HasSuffix(body, `"next":"1"}`) {
		t.Errorf("first page of audit = %s", body)
	}
	p.want("GET", "/api/v1/audit?after=2", "", 200, `{"items":[],"next":""}`)
	p.want("GET", "/api/v1/alerts", "", 200, `{"items":[{"id":"alvd1","at":"2024-01-01T00:01:00Z","kind":"fail","view":"pay","version":1,"verdict":"","text":"","resolved_at":null}],"next":""}`)
	p.want("GET", "/api/v1/accounting", "", 200, `{"items":[],"next":""}`)
	p.want("GET", "/api/v1/accounting?after=", "", 200, `{"items":[],"next":""}`)
	p.want("GET", "/api/v1/accounting?after=sluice.writes/0", "", 400, `{"error":{"code":"invalid_argument","message":"after \"sluice.writes/0\"","hint":"leave it out...`)
	p.board.Update(feature.Progress{Topic: "sluice.writes", Offset: 6, Counts: feature.Counts{Received: 5, Accepted: 4, Late: 1, Duplicate: 1}}, nil)
	p.want("GET", "/api/v1/accounting", "", 200, `{"items":[{"topic":"sluice.writes","partition":0,"received":5,"accepted":4,"late":1,"quarantined":0,"dead_lettered":0,"duplicate":1,"next_offset":6}],"next":""}`)
	p.want("GET", "/api/v1/views/pay/features/amount/history?limit=1", "", 200, `{"items":[{"window":{"start":"2024-01-01T00:00:00Z","end":"2024-01-01T00:01:00Z"},"n":3,"nulls":0,"mean":null,"sd":null,"quantiles":{},"severity":0,"method":"","statistic":0,"threshold":0}],"next":"2024-01-01T00:00:00Z"}`)
	p.want("GET", "/api/v1/views/pay/features/amonut/history", "", 404, `{"error":{"code":"unknown_feature","message":"view pay has no feature \"amonut\"","hint":"did you mean amount?"}}`)
	p.want("GET", "/api/v1/views/pay/features/amount/history?from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z", "", 400, `{"error":{"code":"invalid_argument","message":"from 2024-01-02T00:00:00Z is after to 2024-01-01T00:00:00Z","hint":"swap them"}}`)
	p.want("GET", "/api/v1/rules/check", "", 200, `{"items":[{"rule":"...`)
	p.want("POST", "/api/v1/rules/check", `{"rules":"rules: [{name: mine, method: calibrated, view: pay}]"}`, 200, `{"items":[{"rule":"mine","view":"pay","level":0.001,"reachable":false,"smallest_shift_sd":0,"reachable_level":0,"method":"","mode":"","windows":0,"rows":0,"alerts_per_week":0,"selects":["amount"]}],"next":"","warnings":[]}`)
	p.want("POST", "/api/v1/rules/check", `{"rules":"rules: [{name: mine, method: calibrated, type: bytes}]"}`, 200, `{"items":[{"rule":"mine","view":"pay","level":0.001,"reachable":false,"smallest_shift_sd":0,"reachable_level":0,"method":"","mode":"","windows":0,"rows":0,"alerts_per_week":0,"selects":[]}],"next":"","warnings":["rule mine selects nothing: no view has all of view: *, feature: *, type: bytes"]}`)
	p.want("POST", "/api/v1/rules/backtest", `{"rules":"rules: [{name: mine, method: calibrated, view: pay}]","days":7}`, 200, `{"from":"0001-01-01T00:00:00Z","to":"0001-01-01T00:00:00Z","windows":7...`)
	p.want("POST", "/api/v1/rules/backtest", `{"days":91}`, 400, `{"error":{"code":"invalid_argument","message":"days: 91; want 1 to 90","hint":"records are kept for so long"}}`)
	p.want("POST", "/api/v1/rules/backtest", `{}`, 200, `{"from":"0001-01-01T00:00:00Z"...`)
	for _, days := range []string{"0", "-1"} {
		refused := `{"error":{"code":"invalid_argument","message":"days: ` + days + `; want 1 to 90","hint":"records are kept for so long"}}`
		p.want("POST", "/api/v1/rules/backtest", `{"days":`+days+`}`, 400, refused)
		p.want("GET", "/api/v1/rules/ladder?days="+days, "", 400, refused)
	}
	p.want("GET", "/api/v1/rules/ladder", "", 200, `{"items":[{"rule":"...`)
	p.want("GET", "/api/v1/rules/ladder?days=30", "", 200, `{"items":[{"rule":"...`)
	p.want("GET", "/api/v1/rules/ladder?days=soon", "", 400, `{"error":{"code":"invalid_argument","message":"days: \"soon\"","hint":"use a whole number"}}`)
	p.want("POST", "/api/v1/rules/check", `{"rules":"rules: [{name: mine, method: calibrated, view: pya}]"}`, 400, `{"error":{"code":"invalid_argument","message":"rules: rule mine: there is no view \"pya\": did you mean pay?","hint":"mend every line"}}`)
	p.want("GET", "/api/v1/status", "", 200, `{"version":"dev","target":"all","clock":{"now":"0001-01-01T00:00:00Z","set":false},"checks":[{"name":"log","ok":true,"text":""},{"name":"rows","ok":false,"text":"disk is full"}]}`)
}

func TestClockEndpoint(t *testing.T) {
	p := newPlatform(t, nil)
	p.want("GET", "/api/v1/clock", "", 200, `{"now":"0001-01-01T00:00:00Z","set":false}`)
	p.want("POST", "/api/v1/clock", `{"now":"2024-01-01T00:00:00+01:00"}`, 200, `{"now":"2023-12-31T23:00:00Z","set":true}`)
	p.want("POST", "/api/v1/clock", `{"now":"2023-01-01T00:00:00Z"}`, 409, `{"error":{"code":"conflict","message":"set clock to 2023-01-01T00:00:00Z: it is at 2023-12-31T23:00:00Z","hint":"the clock never goes back: set a later time"}}`)
	if rows, _, err := p.registry.AuditLog(t.Context(), "", 0); err != nil || len(rows) != 1 || rows[0].Action != "clock" || rows[0].By != "anonymous" || string(rows[0].After) != `{"now":"2023-12-31T23:00:00Z"}` {
		t.Errorf("audit log %+v, %v, want the one move of the clock", rows, err)
	}
	p.want("POST", "/api/v1/clock", `{}`, 400, `{"error":{"code":"invalid_argument","message":"no time is given"...`)
	p.want("POST", "/api/v1/clock", `{"now":"noon"}`, 400, `{"error":{"code":"invalid_argument","message":"request: parsing time...`)
}

func TestBadParameters(t *testing.T) {
	p := newPlatform(t, nil)
	p.apply()
	for name, tc := range map[string]struct{ path, message string }{
		"limit":   {"/api/v1/views?limit=0", `limit \"0\"`},
		"cursor":  {"/api/v1/audit?after=x", `after \"x\"`},
		"version": {"/api/v1/views/pay/versions?after=-1", `after \"-1\"`},
		"start":   {"/api/v1/views/pay/windows?start=now", `start \"now\"`},
		"wait":    {"/api/v1/views/pay/verdicts?wait=1h", `wait \"1h\"`},
		"from":    {"/api/v1/views/pay/features/amount/history?from=x", `from \"x\"`},
	} {
		t.Run(name, func(t *testing.T) {
			p.want(http.MethodGet, tc.path, "", 400, `{"error":{"code":"invalid_argument","message":"`+tc.message+`","hint":"...`)
		})
	}
}

// The errors of a registry become the contract's.
func TestExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		code   feature.Code
		status int
	}{
		"conflict": {fmt.Errorf("save: %w", feature.ErrConflict), feature.CodeConflict, 409},
		"expired":  {fmt.Errorf("read: %w", feature.ErrExpired), feature.CodeExpired, 410},
		"frozen":   {fmt.Errorf("act: %w", &feature.Error{Code: feature.CodeFrozen}), feature.CodeFrozen, 409},
		"missing":  {fmt.Errorf("read: %w", notFound("verdict", "x", "")), feature.CodeInvalidArgument, 404},
		"away":     {fmt.Errorf("read: %w", feature.ErrUnavailable), feature.CodeUnavailable, 503},
		"full":     {fmt.Errorf("act: %w: %w", feature.ErrUnavailable, feature.ErrFull), feature.CodeUnavailable, 503},
		"unsure":   {fmt.Errorf("act: %w: %w", feature.ErrUnavailable, feature.ErrUncertain), feature.CodeUnavailable, 503},
	} {
		t.Run(name, func(t *testing.T) {
			known, status := explain(tc.err)
			if known == nil || known.Code != tc.code || status != tc.status {
				t.Errorf("explain(%v) = %+v, %d, want %s, %d", tc.err, known, status, tc.code, tc.status)
			}
		})
	}
	if known, _ := explain(fmt.Errorf("act: %w: %w", feature.ErrUnavailable, feature.ErrFull)); known == nil || !strings.Contains(known.Message, "the disk of the registry is full") {
		t.Errorf("explain of a full disk = %+v, want that it is the registry's", known)
	}
	if known, _ := explain(errors.New("disk")); known != nil {
		t.Errorf("explain of another error = %+v, want nil", known)
	}
}

// TestVersionsSayWhoRead: how often readers saw each version, and null where none did.
func TestVersionsSayWhoRead(t *testing.T) {
	p := newPlatform(t, nil)
	v := p.apply()
	first, second := p.judge(v, minute(0), "publish"), p.judge(v, minute(1), "publish")
	err := p.registry.AddExposure(t.Context(), feature.ExposureReport{Process: "p", Number: 1, Reads: []feature.Exposure{{View: v.ID, Version: second.Version, Reads: 12, First: minute(1).Start, Last: minute(1).End}}})
	if err != nil {
		t.Fatal(err)
	}
	type item struct {
		Version   feature.Version `json:"version"`
		Reads     *uint64         `json:"reads"`
		FirstRead *time.Time      `json:"first_read"`
		LastRead  *time.Time      `json:"last_read"`
	}
	var page struct{ Items []item }
	_, body := p.do("GET", "/api/v1/views/pay/versions", "")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 2 {
		t.Fatalf("versions = %s, %v", body, err)
	}
	if got := page.Items[0]; got.Version != first.Version || got.Reads == nil || *got.Reads != 0 || got.FirstRead != nil || got.LastRead != nil {
		t.Errorf("a version that nobody read: %s", body)
	}
	if got := page.Items[1]; got.Reads == nil || *got.Reads != 12 || got.FirstRead == nil || !got.FirstRead.Equal(minute(1).Start) || !got.LastRead.Equal(minute(1).End) {
		t.Errorf("a version that was read: %s", body)
	}
}
