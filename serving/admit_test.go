package serving

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sluice/feature"
	"sluice/internal/admission"
	"sluice/internal/auth"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/serving/refusal"
)

// slowRows answers when it is told to. Closing free lets all through.
type slowRows struct {
	Rows
	asked chan struct{} // one a read
	free  chan struct{}
}

func (r *slowRows) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	r.asked <- struct{}{}
	select {
	case <-r.free:
		return r.Rows.Read(ctx, view, keys, dst)
	case <-ctx.Done():
		return dst, ctx.Err()
	}
}

// busy returns a server that works on one read, which one does already, and lets wait
// others wait. done frees it and waits for the one.
func busy(t *testing.T, wait int, change ...func(*Config, *Deps)) (f *fixture, done func()) {
	t.Helper()
	rows := &slowRows{asked: make(chan struct{}, 100), free: make(chan struct{})}
	f = newFixture(t, append(change, func(c *Config, d *Deps) {
		rows.Rows, d.Rows = d.Rows, rows
		c.Admission.Least, c.Admission.Most, c.Admission.Start, c.Admission.Waiting, c.Admission.Wait = 1, 1, 1, wait, time.Minute
	})...)
	var group sync.WaitGroup
	group.Go(func() {
		if code, text := f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"a"}]}`); code != 200 {
			t.Errorf("the read that was let in: %d %s", code, text)
		}
	})
	<-rows.asked
	return f, func() {
		close(rows.free)
		group.Wait()
	}
}

const (
	rowsBody  = `{"keys":[{"user_id":"a"}]}`
	feastBody = `{"features":["users:f00"],"entities":{"user_id":["a"]}}`
)

// TestShed asks a server that has no room, at every door. The answer says that the
// request may be sent again, which that to one of too many entities does not.
func TestShed(t *testing.T) {
	f, done := busy(t, 0)
	defer done()
	for name, tc := range map[string]struct{ path, body, says string }{
		"rows":  {"/api/v1/views/users/rows", rowsBody, `"code":"limit"`},
		"Feast": {"/get-online-features", feastBody, `"type":"limit"`},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, tc.path, strings.NewReader(tc.body))
			f.HTTP().ServeHTTP(w, r)
			if w.Code != 429 || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), tc.says) || !strings.Contains(w.Body.String(), "overloaded") {
				t.Errorf("%s: %d %v %s, want 429 with Retry-After 1 that says %s", tc.path, w.Code, w.Header(), w.Body, tc.says)
			}
			large := strings.Replace(strings.Replace(tc.body, `["a"]`, `["`+strings.Repeat(`a","`, 1000)+`a"]`, 1), `[{"user_id":"a"}]`, "["+strings.Repeat(`{"user_id":"a"},`, 1000)+`{"user_id":"a"}]`, 1)
			w = httptest.NewRecorder()
			f.HTTP().ServeHTTP(w, httptest.NewRequest(http.MethodPost, tc.path, strings.NewReader(large)))
			if w.Code != 413 || w.Header().Get("Retry-After") != "" || !strings.Contains(w.Body.String(), "more than the limit of 1000") {
				t.Errorf("%s of 1,001 entities: %d %v %.300s, want 413 and no Retry-After", tc.path, w.Code, w.Header(), w.Body)
			}
		})
	}
	t.Run("gRPC", func(t *testing.T) {
		client := feastserving.NewServingServiceClient(f.dial(t))
		var trailer metadata.MD
		_, err := client.GetOnlineFeatures(t.Context(), usersRequest(1), grpc.Trailer(&trailer))
		info, retry := detailsOf(err)
		if status.Code(err) != codes.ResourceExhausted || info.GetReason() != "limit" || retry.GetRetryDelay().AsDuration() != time.Second || !slices.Equal(trailer.Get("grpc-retry-pushback-ms"), []string{"1000"}) {
			t.Errorf("gRPC: %v, retry %v, trailer %v, want RESOURCE_EXHAUSTED limit, to be tried again in a second", err, retry, trailer)
		}
		_, err = client.GetOnlineFeatures(t.Context(), usersRequest(1001), grpc.Trailer(&trailer))
		info, retry = detailsOf(err)
		if status.Code(err) != codes.ResourceExhausted || info.GetReason() != "limit" || retry != nil || trailer.Get("grpc-retry-pushback-ms") != nil {
			t.Errorf("gRPC of 1,001 entities: %v, retry %v, want RESOURCE_EXHAUSTED limit, not to be tried again", err, retry)
		}
	})
}

func usersRequest(n int) *feastserving.GetOnlineFeaturesRequest {
	return &feastserving.GetOnlineFeaturesRequest{
		Kind: &feastserving.GetOnlineFeaturesRequest_Features{Features: &feastserving.FeatureList{Val: []string{"users:f00"}}},
		Entities: map[string]*feasttypes.RepeatedValue{"user_id": {Val: slices.Repeat([]*feasttypes.Value{
			{Val: &feasttypes.Value_StringVal{StringVal: "a"}}}, n)}},
	}
}

func detailsOf(err error) (info *errdetails.ErrorInfo, retry *errdetails.RetryInfo) {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.RetryInfo:
			retry = d
		}
	}
	return info, retry
}

// TestPriorityOfServices: a read of a critical service takes the place of one that
// waits, and a client can step back but not forward.
func TestPriorityOfServices(t *testing.T) {
	if got := []string{admission.Critical.String(), admission.Default.String(), admission.Sheddable.String()}; !slices.Equal(got, feature.ServicePriorities) {
		t.Fatalf("package admission has %q, package feature %q", got, feature.ServicePriorities)
	}
	f, done := busy(t, 1)
	f.registry.change(func() {
		f.registry.generation++
		f.registry.defs.Services = []feature.Service{
			{Name: "fraud", Features: []string{"users:f00"}, Priority: "critical"}, {Name: "report", Features: []string{"users:f00"}, Priority: "sheddable"},
		}
	})
	if err := f.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	service := func(name string) string {
		return `{"feature_service":"` + name + `","entities":{"user_id":["a"]}}`
	}
	codes := make(chan int, 9)
	waits := func(body string, header ...string) {
		go func() {
			code, _ := f.post(t, "/get-online-features", body, header...)
			codes <- code
		}()
	}
	waiting := func() {
		for {
			if _, _, n := f.door.limiter.Limit(); n == 1 {
				return
			}
		}
	}
	waits(service("report"))
	waiting()
	if code, text := f.post(t, "/get-online-features", feastBody, headerPriority, "sheddable"); code != 429 {
		t.Errorf("a default read that steps back, behind a sheddable one: %d %s, want 429", code, text)
	}
	waits(feastBody) // takes the report's place
	if code := <-codes; code != 429 {
		t.Errorf("the report: %d, want 429 once a default read comes", code)
	}
	waiting()
	if code, text := f.post(t, "/get-online-features", feastBody, headerPriority, "critical"); code != 429 {
		t.Errorf("a default read that says it is critical: %d %s, want 429", code, text)
	}
	if code, text := f.post(t, "/get-online-features", service("fraud"), headerPriority, "default"); code != 429 {
		t.Errorf("a critical service at priority default: %d %s, want 429", code, text)
	}
	waits(service("fraud"))
	if code := <-codes; code != 429 {
		t.Errorf("the default read: %d, want 429 once a critical one comes", code)
	}
	waiting()
	done()
	if code := <-codes; code != 200 {
		t.Errorf("the critical read: %d, want 200", code)
	}
	if code, text := f.post(t, "/get-online-features", feastBody, headerPriority, "urgent"); code != 422 || !strings.Contains(text, "critical, default or sheddable") {
		t.Errorf("priority urgent: %d %s, want 422", code, text)
	}
}

// TestTimeoutHeader: a read ends when its client does not wait any more.
func TestTimeoutHeader(t *testing.T) {
	f, done := busy(t, 9)
	defer done()
	for _, header := range []string{headerTimeout, headerEnvoy} {
		begun := time.Now()
		if code, text := f.post(t, "/api/v1/views/users/rows", rowsBody, header, "20"); code < 429 || time.Since(begun) > 10*time.Second {
			t.Errorf("%s of 20 ms: %d %s after %s, want an error at once", header, code, text, time.Since(begun))
		}
		for _, bad := range []string{"0", "-1", "soon", "1.5", "3600001", "99999999999999"} {
			if code, text := f.post(t, "/api/v1/views/users/rows", rowsBody, header, bad); code != 400 || !strings.Contains(text, "milliseconds") {
				t.Errorf("%s of %s: %d %s, want 400", header, bad, code, text)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := feastserving.NewServingServiceClient(f.dial(t)).GetOnlineFeatures(ctx, usersRequest(1)); status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.ResourceExhausted {
		t.Errorf("gRPC with 20 ms: %v, want the deadline", err)
	}
}

// TestRatesOfDoors: tokens have rates, and so have projects, for reads and pushes.
func TestRatesOfDoors(t *testing.T) {
	f := newFixture(t, func(c *Config, d *Deps) {
		c.TokenRates = map[string]float64{"batch": 2, admission.AnyName: 100}
		c.ProjectRates = map[string]float64{"credit": 3}
		d.Authorize = func(token string, _ auth.Role) (string, error) { return token, nil }
		d.Project = func(name string) string {
			return map[string]string{"one": "credit", "two": "credit", "batch": "reports"}[name]
		}
	})
	push := `{"push_source_name":"users","to":"online","df":{"user_id":["a"],"at":["2026-11-23T11:59:00Z"],"zero":[1]}}`
	for _, tc := range []struct {
		token, path, body string
		status            int
		says              string
	}{
		{"batch", "/get-online-features", feastBody, 200, ""}, {"batch", "/push", push, 200, ""},
		{"batch", "/push", push, 429, "token batch is over its limit of 2 requests/s"},
		{"batch", "/get-online-features", feastBody, 429, "serve.token_rates"},
		{"one", "/get-online-features", feastBody, 200, ""}, {"two", "/api/v1/views/users/rows", rowsBody, 200, ""}, {"one", "/push", push, 200, ""},
		{"two", "/get-online-features", feastBody, 429, "project credit is over its limit of 3 requests/s"},
		{"three", "/get-online-features", feastBody, 200, ""},
	} {
		code, text := f.post(t, tc.path, tc.body, "Authorization", "Bearer "+tc.token)
		if code != tc.status || !strings.Contains(text, tc.says) || !json.Valid([]byte(text)) && text != "" {
			t.Errorf("%s by %s: %d %s, want %d that says %q", tc.path, tc.token, code, text, tc.status, tc.says)
		}
	}
	stream := `{"keys":[{"user_id":"a"}],"features":["users:f00"]}`
	if code, text := f.post(t, "/api/v1/rows/stream", stream, "Authorization", "Bearer batch"); code != 429 || !strings.Contains(text, "token batch is over its limit") {
		t.Errorf("a stream over HTTP beyond the rate: %d %s, want 429", code, text)
	}
	reads, err := sluicev1.NewFeatureServiceClient(f.dial(t)).StreamFeatures(
		metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer batch"), ownRequest(columnsOf{"user_id": texts("a")}, sluicev1.Policy_POLICY_SERVE, "users:f00"))
	if err == nil {
		_, err = reads.Recv()
	}
	if status.Code(err) != codes.ResourceExhausted || len(reads.Trailer().Get("grpc-retry-pushback-ms")) != 1 {
		t.Errorf("a stream over gRPC beyond the rate: %v, trailer %v, want RESOURCE_EXHAUSTED and how long to wait", err, reads.Trailer())
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("New takes an empty configuration")
	}
	config := DefaultConfig()
	config.TokenRates, config.Admission.Waiting = map[string]float64{"x": -1}, -1
	if _, err := New(config, Deps{Rows: f.rows, Source: f.registry}); err == nil || !strings.Contains(err.Error(), "waiting") || !strings.Contains(err.Error(), "rate of") {
		t.Errorf("New with a negative rate and queue: %v, want both named", err)
	}
}

// TestNoLimit: max_running 0 lets everybody in.
func TestNoLimit(t *testing.T) {
	f := newFixture(t, func(c *Config, _ *Deps) { c.Admission.Most = 0 })
	if code, text := f.post(t, "/get-online-features", feastBody); code != 200 {
		t.Errorf("without a limit: %d %s", code, text)
	}
	if shed := (*refusal.Shed)(nil); errors.As(f.door.charge(t.Context()), &shed) {
		t.Error("without rates somebody is charged")
	}
}
