package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/internal/backtest"
	"sluice/internal/definition"
	"sluice/materialize"
	"sluice/rules"
	"sluice/store/registry"
)

const payYAML = `
project: shop
views:
  - name: pay
    entities: [user]
    features: [{name: amount, type: float64}]
    window: {size: 1m, lateness: 10s}
  - name: weather
    entities: [station]
    source: {topic: weather}
    features: [{name: celsius, type: float64}]
services: [{name: fraud, features: ["pay:amount"]}]
`

// memoryLog keeps what is appended.
type memoryLog struct {
	mu      sync.Mutex
	records []Record
	marks   []time.Time
	err     error
}

func (l *memoryLog) Append(_ context.Context, _ *feature.View, records []Record) ([]feature.Span, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := int64(len(l.records))
	if l.err != nil {
		return nil, l.err
	}
	l.records = append(l.records, records...)
	return []feature.Span{{Topic: "sluice.writes", First: first, Last: int64(len(l.records)) - 1}}, nil
}

func (l *memoryLog) Watermark(_ context.Context, _ *feature.View, t time.Time) error {
	l.marks = append(l.marks, t)
	return l.err
}

// manualClock is a clock that is kept in the registry.
type manualClock struct{ store *registry.Registry }

func (c manualClock) Now() (time.Time, bool) {
	now, err := c.store.Clock(context.Background())
	return now, err == nil && !now.IsZero()
}

func (c manualClock) Set(ctx context.Context, t time.Time, why feature.Audit) (time.Time, error) {
	return c.store.SetClock(ctx, t, why)
}

// platform is an API over a registry of its own.
type platform struct {
	t        *testing.T
	deps     Deps
	registry *registry.Registry
	board    *materialize.Board
	log      *memoryLog
	handler  http.Handler
	letters  memoryLetters
}

func newPlatform(t *testing.T, change func(*Deps)) *platform {
	t.Helper()
	store, err := registry.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p := &platform{t: t, registry: store, log: &memoryLog{}, board: materialize.NewBoard("sluice.writes", func(string) int { return 1 })}
	clock := manualClock{store}
	p.deps = Deps{
		Registry: store, Board: p.board, Clock: clock, Log: p.log, DefaultTopic: "sluice.writes", Version: "dev", Target: "all",
		Actions: materialize.NewActions(materialize.Deps{Registry: store, Clock: clock}, nil),
		Letters: &p.letters,
		Verify:  func(context.Context, string) ([]string, error) { return nil, nil },
		Statistics: func(_ context.Context, row feature.VerdictRow) ([]byte, error) {
			switch row.ID {
			case "vd1":
				return nil, errors.New("corrupt")
			case "vd2":
				return nil, nil
			}
			return []byte(`[{"feature":"amount"}]`), nil
		},
		History: func(context.Context, *feature.View, string, time.Time, time.Time) ([]HistoryItem, error) {
			return []HistoryItem{{Window: minute(0), N: 3}, {Window: minute(1), N: 4}}, nil
		},
		CheckRules: func(_ context.Context, defs *feature.Definitions, list []rules.Rule) ([]RuleCheck, error) {
			if len(defs.Views) == 0 {
				return nil, nil
			}
			return []RuleCheck{{Rule: list[0].Name, View: defs.Views[0].Name, Level: .001, Selects: list[0].Features(&defs.Views[0])}}, nil
		},
		Backtest: func(_ context.Context, defs *feature.Definitions, list []rules.Rule, days int) (backtest.Report, error) {
			return backtest.Report{Windows: days, Items: []backtest.Line{{Rule: list[0].Name, Mode: list[0].Mode, Windows: 400, Days: float64(days)}}}, nil
		},
		CheckView: func(v *feature.View) error {
			if v.Owner == "refused" {
				return errors.New("not by this owner")
			}
			return nil
		},
		Checks: []Check{{"log", func(context.Context) error { return nil }}, {"rows", func(context.Context) error { return errors.New("disk is full") }}},
	}
	if change != nil {
		change(&p.deps)
	}
	api, err := New(p.deps)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api.Register(mux)
	p.handler = mux
	return p
}

// minute returns the n-th window of view pay.
func minute(n int) feature.Window {
	start := time.Date(2024, 1, 1, 0, n, 0, 0, time.UTC)
	return feature.Window{Start: start, End: start.Add(time.Minute)}
}

// do sends a request and returns status and body.
func (p *platform) do(method, path, body string, header ...string) (int, string) {
	p.t.Helper()
	req := httptest.NewRequestWithContext(p.t.Context(), method, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, req)
	text, err := io.ReadAll(rec.Result().Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return rec.Code, strings.TrimSpace(string(text))
}

// want sends a request and compares the answer with a text, or with its start if
// that ends with an ellipsis.
func (p *platform) want(method, path, body string, status int, answer string) {
	p.t.Helper()
	code, got := p.do(method, path, body)
	same := got == answer
	if start, open := strings.CutSuffix(answer, "..."); open {
		same = strings.HasPrefix(got, start)
	}
	if code != status || !same {
		p.t.Errorf("%s %s %.200s = %d %s\nwant %d %s", method, path, body, code, got, status, answer)
	}
}

func filesBody(t *testing.T, text string, extra ...any) string {
	t.Helper()
	body := map[string]any{"files": []definition.File{{Name: "a.yaml", Text: text}}}
	for i := 0; i+1 < len(extra); i += 2 {
		body[extra[i].(string)] = extra[i+1]
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// apply puts payYAML in force and returns view pay.
func (p *platform) apply() *feature.View {
	p.t.Helper()
	if code, body := p.do("POST", "/api/v1/apply", filesBody(p.t, payYAML)); code != 200 {
		p.t.Fatalf("apply = %d %s", code, body)
	}
	defs, _, err := p.registry.Definitions(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return defs.View("pay")
}

// judge opens the version of a window and commits a verdict on it.
func (p *platform) judge(v *feature.View, w feature.Window, decision string) feature.VersionInfo {
	p.t.Helper()
	return p.judgeBy(v, w, decision, "window", nil)
}

// judgeBy does so with a verdict of a kind that holds scores.
func (p *platform) judgeBy(v *feature.View, w feature.Window, decision, kind string, scores []feature.Score) feature.VersionInfo {
	p.t.Helper()
	ctx := context.WithoutCancel(p.t.Context())
	info, err := p.registry.OpenVersion(ctx, v, w, w.End)
	if err != nil {
		p.t.Error(err)
		return info
	}
	vector, err := p.registry.Vector(ctx, v.ID)
	if err != nil {
		p.t.Error(err)
		return info
	}
	id := fmt.Sprintf("vd%d", info.Version)
	state := rules.Fail
	info.Step, info.State, info.Verdict, info.Rows = feature.StepDecided, feature.StateRejected, id, 10
	next := vector
	if decision == "publish" {
		state, info.State = rules.Pass, feature.StateVisible
		next, _ = vector.With(info.Version)
	}
	body, err := json.Marshal(rules.Verdict{ID: id, Kind: kind, View: v.Name, Version: info.Version, Window: w, State: state, Decision: decision, Scores: scores})
	if err != nil {
		p.t.Error(err)
		return info
	}
	_, err = p.registry.Apply(ctx, feature.Commit{
		View: v.ID, IfGeneration: vector.Generation, Vector: &next, Versions: []feature.VersionInfo{info}, Now: w.End,
		Verdicts: []feature.VerdictRow{{ID: id, Kind: kind, Window: w, Version: info.Version, State: string(state), Decision: decision, At: w.End, Body: body}},
		Audit:    []feature.Audit{{At: w.End, By: "gate", Action: decision, View: v.Name, Version: info.Version}},
		Alerts:   []feature.Alert{{ID: "al" + id, At: w.End, Kind: "fail", View: v.Name, Version: info.Version}},
	})
	if err != nil {
		p.t.Error(err)
	}
	return info
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	_, err := New(Deps{})
	for _, name := range []string{"registry", "actions", "board", "clock", "log", "dead letters", "verify", "history", "check rules", "default topic"} {
		if err == nil || !strings.Contains(err.Error(), "control: "+name+" is missing") {
			t.Errorf("New of nothing = %v, want it to name %s", err, name)
		}
	}
}

// Every route answers 401 without a token, 403 below its role, and lets its role
// through.
func TestRoles(t *testing.T) {
	p := newPlatform(t, func(d *Deps) {
		d.Authorize = func(token string, need auth.Role) (string, error) {
			if token == "" {
				return "", &feature.Error{Code: feature.CodeUnauthenticated, Message: "no token"}
			}
			role, err := auth.ParseRole(token)
			if err != nil || role < need {
				return "", &feature.Error{Code: feature.CodeForbidden, Message: "not allowed"}
			}
			return token, nil
		}
	})
	api, err := New(p.deps)
	if err != nil {
		t.Fatal(err)
	}
	paths := strings.NewReplacer("{view}", "pay", "{feature}", "amount", "{what}", "set", "{action}", "freeze", "{id}", "x", "{topic}", "t", "{partition}", "0", "{offset}", "0")
	for _, route := range api.Routes() {
		path := paths.Replace(route.Path)
		if code, _ := p.do(route.Method, path, ""); code != 401 {
			t.Errorf("%s %s without token = %d, want 401", route.Method, path, code)
		}
		for _, role := range []auth.Role{auth.Reader, auth.Writer, auth.Operator} {
			code, body := p.do(route.Method, path, "", "Authorization", "Bearer "+role.String())
			if allowed := code != 403 && code != 401; allowed != (role >= route.Need) {
				t.Errorf("%s %s as %s = %d %s, needs %s", route.Method, path, role, code, body, route.Need)
			}
		}
	}
}

// What goes wrong inside is logged, and not shown.
func TestInternalError(t *testing.T) {
	p := newPlatform(t, nil)
	p.registry.Close()
	p.want("GET", "/api/v1/views", "", 500, `{"error":{"code":"internal","message":"internal error","hint":"see the server's log"}}`)
}
