package scenario

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	feastserving "sluice/api/feast/serving"
)

// roles are what a token may do, lowest first, and the names of their tokens here.
var roles = []string{"reader", "writer", "operator"}

func holder(role string) string { return "the_" + role }

func secret(role string) string { return "secret of " + role }

// tokensFile has a token for each role.
func tokensFile() string {
	text := ""
	for _, role := range roles {
		sum := sha256.Sum256([]byte(secret(role)))
		text += fmt.Sprintf("- {name: %s, role: %s, sha256: %s}\n", holder(role), role, hex.EncodeToString(sum[:]))
	}
	return text
}

// guardedRoutes are the endpoints with the lowest role that may use them.
var guardedRoutes = map[string]string{
	"GET /api/v1/status":                              "reader",
	"GET /api/v1/views":                               "reader",
	"GET /api/v1/views/typed":                         "reader",
	"POST /api/v1/views/typed/writes":                 "writer",
	"POST /api/v1/views/typed/watermark":              "writer",
	"POST /api/v1/views/typed/rows":                   "reader",
	"GET /api/v1/views/typed/versions":                "reader",
	"GET /api/v1/views/typed/windows":                 "reader",
	"GET /api/v1/views/typed/verdicts":                "reader",
	"GET /api/v1/views/typed/features/f64/history":    "reader",
	"GET /api/v1/views/typed/baseline":                "reader",
	"POST /api/v1/views/typed/baseline/set":           "operator",
	"POST /api/v1/views/typed/baseline/accept":        "operator",
	"POST /api/v1/views/typed/actions/approve":        "operator",
	"POST /api/v1/views/typed/actions/reject":         "operator",
	"POST /api/v1/views/typed/actions/rollback":       "operator",
	"POST /api/v1/views/typed/actions/freeze":         "operator",
	"POST /api/v1/views/typed/actions/thaw":           "operator",
	"GET /api/v1/verdicts/vd_none":                    "reader",
	"POST /api/v1/verdicts/vd_none/verify":            "reader",
	"GET /api/v1/accounting":                          "reader",
	"GET /api/v1/audit":                               "reader",
	"GET /api/v1/alerts":                              "reader",
	"GET /api/v1/deadletters":                         "reader",
	"GET /api/v1/deadletters/sluice.writes/0/0":       "reader",
	"GET /api/v1/clock":                               "reader",
	"POST /api/v1/clock":                              "operator",
	"POST /api/v1/plan":                               "reader",
	"POST /api/v1/apply":                              "operator",
	"GET /api/v1/rules/check":                         "reader",
	"POST /api/v1/rules/check":                        "reader",
	"GET /api/v1/nothing":                             "reader",
	"DELETE /api/v1/views/typed":                      "reader",
	"POST /get-online-features":                       "reader",
	"POST /push":                                      "writer",
	"POST /write-to-online-store":                     "writer",
	"POST /api/v1//views/typed/../typed/actions/thaw": "operator",
}

// allows reports whether a role may do what needs another.
func allows(role, need string) bool {
	rank := map[string]int{"": 0, "reader": 1, "writer": 2, "operator": 3}
	return rank[role] >= rank[need]
}

// TestTokens asks a server that knows tokens, with every role, for every endpoint.
func TestTokens(t *testing.T) {
	h := openHouse(t)
	h.apply(badDefinitions)
	h.stop(syscall.SIGTERM)
	h.open("--auth.tokens_file="+h.write("tokens.yaml", tokensFile()), "--clock=wall")
	for route, need := range guardedRoutes {
		t.Run(route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			for _, role := range append([]string{""}, roles...) {
				h.token = map[bool]string{true: secret(role), false: ""}[role != ""]
				h.guards(t, method, path, role, need)
			}
		})
	}
	t.Run("tokens", func(t *testing.T) { h.badTokens(t) })
	t.Run("open", func(t *testing.T) {
		h.token = ""
		for _, path := range []string{"/ready", "/healthz", "/metrics", "/health"} {
			if a := h.call(http.MethodGet, path, ""); a.status != http.StatusOK {
				t.Errorf("GET %s without a token: %s, want 200", path, a)
			}
		}
	})
	t.Run("grpc", func(t *testing.T) { h.guardedCalls(t) })
	t.Run("by", func(t *testing.T) { h.namedInAudit(t) })
	t.Run("command", func(t *testing.T) { h.guardedCommands(t) })
	t.Run("wall clock", func(t *testing.T) { h.wallClock(t) })
}

// wallClock asks a server on the wall clock to be elsewhere in time.
func (h *house) wallClock(t *testing.T) {
	h.token = secret("operator")
	a := h.call(http.MethodPost, "/api/v1/clock", `{"now":"2030-01-01T00:00:00Z"}`)
	if p, ok := a.problem(); !ok || a.status != 400 || p.Code != "invalid_argument" || !strings.Contains(p.Hint, "-clock=manual") {
		t.Errorf("set the wall clock: %s, want 400 invalid_argument with a hint that names -clock=manual", a)
	}
	ahead := timed(quote(time.Now().UTC().Add(time.Hour).Format(time.RFC3339)))
	h.writes(t, "typed", ahead)
	h.until("dead letter of the record ahead of the wall clock", 10*time.Second, func() error {
		a := h.call(http.MethodGet, "/api/v1/deadletters?reason=future&kind=quarantined", "")
		if !strings.Contains(a.body, "ahead of the clock") {
			return errors.New(a.String())
		}
		return nil
	})
}

// guards asks once. Bodies are empty, so that what is allowed is refused for
// another reason, or changes nothing that other cases need.
func (h *house) guards(t *testing.T, method, path, role, need string) {
	t.Helper()
	a := h.call(method, path, "")
	want := 0
	switch {
	case role == "":
		want = http.StatusUnauthorized
	case !allows(role, need):
		want = http.StatusForbidden
	}
	if want == 0 {
		if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || a.status >= 500 {
			t.Errorf("%s %s as %s: %s, want it let through", method, path, role, a)
		}
		return
	}
	code := map[int]string{401: "unauthenticated", 403: "forbidden"}[want]
	p, ok := a.problem()
	if class, text := feastProblem(a.body); !strings.HasPrefix(path, "/api/") { // Feast's doors have Feast's form
		p, ok = problem{code, text, text}, class == "FeastPermissionError"
	}
	if !ok || a.status != want || p.Code != code || p.Hint == "" {
		t.Errorf("%s %s as %q: %s, want %d %s with a hint", method, path, role, a, want, code)
	}
	if want == 403 && (!strings.Contains(p.Message, holder(role)) || !strings.Contains(p.Message, need)) {
		t.Errorf("%s %s as %s: message %q does not name who asks and the role needed, %s", method, path, role, p.Message, need)
	}
}

// badTokens sends headers that hold no token of the file.
func (h *house) badTokens(t *testing.T) {
	sum := sha256.Sum256([]byte(secret("operator")))
	for name, header := range map[string]string{
		"another token":     "Bearer guess",
		"another scheme":    "Basic " + secret("operator"),
		"no scheme":         secret("operator"),
		"empty token":       "Bearer ",
		"part of the token": "Bearer " + secret("operator")[:8],
		"more than it":      "Bearer " + secret("operator") + "x",
		"its digest":        "Bearer " + hex.EncodeToString(sum[:]),
		"its name":          "Bearer " + holder("operator"),
		"a long one":        "Bearer " + strings.Repeat("x", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodGet, *h.base.Load()+"/api/v1/views?token="+strings.ReplaceAll(secret("operator"), " ", "+"), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", header)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("views with Authorization %.40q: %s, want 401 with WWW-Authenticate", header, resp.Status)
			}
		})
	}
}

// guardedCalls asks the gRPC door with every role.
func (h *house) guardedCalls(t *testing.T) {
	conn := h.dial(t)
	read := own(1, "id", textValue("a"), "typed:f64")
	push := encoded(&feastserving.PushRequest{StreamFeatureView: "none"})
	for method, tc := range map[string]struct {
		request []byte
		need    string
		allowed codes.Code // what the call comes to if it is let through
	}{
		callOwn:                        {read, "reader", codes.OK},
		callFeast:                      {feastRead(1, "id", textValue("a"), "typed:f64"), "reader", codes.OK},
		callRead:                       {feastRead(1, "id", textValue("a"), "typed:f64"), "reader", codes.OK},
		callInfo:                       {nil, "reader", codes.OK},
		callPush:                       {push, "writer", codes.InvalidArgument}, // Feast knows no push source of that name
		callWrite:                      {encoded(&feastserving.WriteToOnlineStoreRequest{FeatureViewName: "none"}), "writer", codes.NotFound},
		"/grpc.health.v1.Health/Check": {nil, "", codes.OK},
	} {
		t.Run(method, func(t *testing.T) {
			for _, role := range append([]string{""}, roles...) {
				h.token = map[bool]string{true: secret(role), false: ""}[role != ""]
				want := tc.allowed
				switch {
				case allows(role, tc.need):
				case role == "":
					want = codes.Unauthenticated
				default:
					want = codes.PermissionDenied
				}
				if s := h.invoke(t, conn, method, tc.request); s.Code() != want {
					t.Errorf("%s as %q: %s %q, want %s", method, role, s.Code(), s.Message(), want)
				}
			}
		})
	}
}

// namedInAudit does what is noted, in another's name.
func (h *house) namedInAudit(t *testing.T) {
	h.token = secret("operator")
	h.apply(strings.Replace(badDefinitions, "project: bad", "project: bad # mallory did not\n", 1) + "  - {name: more, features: [\"typed:i64\"]}\n")
	for _, action := range []string{"freeze", "thaw"} {
		if a := h.call(http.MethodPost, "/api/v1/views/typed/actions/"+action, `{"by":"mallory","reason":"r"}`); a.status != http.StatusOK {
			t.Errorf("%s: %s, want 200", action, a)
		}
	}
	var log struct {
		Items []struct{ By, Action string }
	}
	a := h.call(http.MethodGet, "/api/v1/audit", "")
	if err := json.Unmarshal([]byte(a.body), &log); err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, i := range log.Items {
		found[i.By+" "+i.Action]++
	}
	for _, action := range []string{"apply", "freeze", "thaw"} {
		if found["mallory "+action] > 0 || found[holder("operator")+" "+action] == 0 {
			t.Errorf("audit of %s is %v, want it by %s, and nothing by mallory", action, found, holder("operator"))
		}
	}
}

// guardedCommands uses the command line with and without a token.
func (h *house) guardedCommands(t *testing.T) {
	for name, tc := range map[string]struct {
		token string
		args  []string
		code  int
		says  string
	}{
		"no token":         {"", []string{"views"}, 1, "Authorization: Bearer"},
		"a reader":         {secret("reader"), []string{"views"}, 0, ""},
		"a reader freezes": {secret("reader"), []string{"freeze", "typed", "--reason", "r"}, 1, "operator"},
		"a writer freezes": {secret("writer"), []string{"freeze", "typed", "--reason", "r"}, 1, holder("writer")},
	} {
		t.Run(name, func(t *testing.T) {
			h.token = tc.token
			if o := h.command(t, tc.args...); o.code != tc.code || !strings.Contains(o.errout, tc.says) {
				t.Errorf("sluice %v: %s, want exit %d that says %q", tc.args, o, tc.code, tc.says)
			}
		})
	}
}
