package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/client"
)

// TestStreamGoesOn cuts the connection in the middle of a stream: no row is lost, none
// comes twice.
func TestStreamGoesOn(t *testing.T) {
	link := listen(t)
	c := dial(t, client.Config{GRPC: link.address(), Timeout: time.Minute})
	keys, at := keysOf(10_000), 0
	for part, err := range c.Stream(t.Context(), client.Request{View: "payments", Features: []string{"small", "about"}, Keys: keys}) {
		if err != nil {
			t.Fatal(err)
		}
		if at == 0 {
			link.budget.Store(60_000)
		}
		ordered(t, part.Rows, len(part.Rows), at)
		at += len(part.Rows)
	}
	if at != len(keys) {
		t.Errorf("%d rows, want %d", at, len(keys))
	}
	if left := link.budget.Load(); left != -1 {
		t.Errorf("the connection was not cut: %d bytes were left", left)
	}
}

// TestLastGood cuts the platform off: what was read is answered, marked; what was not is
// Unavailable; and an end of the trouble is seen.
func TestLastGood(t *testing.T) {
	link := listen(t)
	c := dial(t, client.Config{GRPC: link.address(), Keep: client.Keep{Rows: 100, LastGood: time.Hour}, Retry: client.Retry{Attempts: 2, Base: time.Millisecond}})
	ask := client.Request{View: "payments", Features: []string{"small"}, Keys: keysOf(2)}
	read := func(keys []client.Key, policy client.Policy) (*client.Rows, error) {
		ask.Keys, ask.Policy = keys, policy
		return c.Rows(t.Context(), ask)
	}
	if _, err := read(keysOf(2), client.PolicyServe); err != nil {
		t.Fatal(err)
	}
	link.set(true)
	rows, err := read(keysOf(3), client.PolicyServe)
	if err != nil {
		t.Fatal(err)
	}
	ordered(t, rows.Rows[:2], 2, 0)
	if got := rows.Rows[2]; got.Status("small") != client.Unavailable || got.Value("small") != nil || got.Key["user"] != "u2" {
		t.Errorf("a row that was never read: %v %s", got.Values(), got.Status("small"))
	}
	for i, row := range rows.All() {
		if p := row.Provenance("small"); !p.Stale || p.Fallback != "client" || p.Cached != (i < 2) {
			t.Errorf("row %d: %+v", i, p)
		}
	}
	for name, policy := range map[string]client.Policy{"null": client.PolicyNull, "refuse": client.PolicyRefuse} {
		if _, err := read(keysOf(1), policy); code(err) != "unavailable" {
			t.Errorf("policy %s: %v", name, err)
		}
	}
	if _, err := read([]client.Key{{"user": "never"}}, client.PolicyServe); code(err) != "unavailable" {
		t.Errorf("nothing was read before: %v", err)
	}
	link.set(false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = until(ctx, func() error {
		rows, err := read(keysOf(1), client.PolicyServe)
		if err == nil && rows.Provenance["payments"].Fallback != "" {
			err = errors.New("still an earlier read")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFresh answers from what is kept, without a call.
func TestFresh(t *testing.T) {
	link := listen(t)
	c := dial(t, client.Config{GRPC: link.address(), Keep: client.Keep{Rows: 2, Fresh: time.Hour}, Retry: client.Retry{Attempts: 1}})
	ask := client.Request{View: "payments", Features: []string{"small"}, Keys: keysOf(3)}
	if _, err := c.Rows(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	link.set(true)
	ask.Keys = []client.Key{{"user": "u1"}, {"user": "u2"}}
	rows, err := c.Rows(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	ordered(t, rows.Rows, 2, 1)
	if p := rows.Provenance["payments"]; !p.Cached || p.Stale || p.Fallback != "" {
		t.Errorf("provenance %+v", p)
	}
	ask.Keys = keysOf(1) // the least recently used row of three: two are kept
	if _, err := c.Rows(t.Context(), ask); code(err) != "unavailable" {
		t.Errorf("a row that had to go: %v", err)
	}
}

// TestRetried counts the tries that each error gets.
func TestRetried(t *testing.T) {
	pause := &errdetails.RetryInfo{RetryDelay: durationpb.New(30 * time.Millisecond)}
	pushback := func(ctx context.Context, ms string) error {
		return grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", ms))
	}
	for name, tc := range map[string]struct {
		err   error
		push  string
		tries int64
		want  client.Error
	}{
		"unreachable behind a proxy": {failure(codes.Unavailable), "", 3, client.Error{Code: "unavailable", Message: "no (try later)"}},
		"lease":                      {failure(codes.Unavailable, info("unavailable")), "", 3, client.Error{Code: "unavailable", Message: "no", Hint: "try later"}},
		"shed":                       {failure(codes.ResourceExhausted, info("limit"), pause), "", 3, client.Error{Code: "limit", Message: "no", Hint: "try later"}},
		"pushback":                   {failure(codes.ResourceExhausted, info("limit")), "20", 3, client.Error{Code: "limit", Message: "no", Hint: "try later"}},
		"no other try":               {failure(codes.Unavailable, info("unavailable")), "-1", 1, client.Error{Code: "unavailable", Message: "no", Hint: "try later"}},
		"too many rows":              {failure(codes.ResourceExhausted, info("limit")), "", 1, client.Error{Code: "limit", Message: "no", Hint: "try later"}},
		"mistake":                    {failure(codes.InvalidArgument, info("type")), "", 1, client.Error{Code: "type", Message: "no", Hint: "try later"}},
		"refused":                    {failure(codes.FailedPrecondition, info("unavailable")), "", 1, client.Error{Code: "unavailable", Message: "no", Hint: "try later"}},
		"its failure":                {failure(codes.Internal), "", 1, client.Error{Code: "internal", Message: "no (try later)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, address := script(t, func(ctx context.Context, _ int64) error {
				if tc.push != "" {
					if err := pushback(ctx, tc.push); err != nil {
						return err
					}
				}
				return tc.err
			})
			c := dial(t, client.Config{GRPC: address, Timeout: time.Minute, Retry: client.Retry{Attempts: 3, Base: time.Millisecond}})
			begun := time.Now()
			_, err := c.Rows(t.Context(), client.Request{View: "v", Keys: keysOf(1)})
			var e *client.Error
			if !errors.As(err, &e) || e.Code != tc.want.Code || e.Message != tc.want.Message || tc.want.Hint != "" && e.Hint != tc.want.Hint {
				t.Errorf("%#v, want %#v", err, tc.want)
			}
			if got := s.calls.Load(); got != tc.tries {
				t.Errorf("%d tries, want %d", got, tc.tries)
			}
			if took := time.Since(begun); name == "shed" && took < 60*time.Millisecond {
				t.Errorf("two pauses of 30 ms took %s", took)
			}
			if errors.Is(err, client.ErrRefused) != (name == "refused") {
				t.Errorf("%v is refused: %t", err, errors.Is(err, client.ErrRefused))
			}
		})
	}
}

// TestBudget lets a server be down for many calls: tries beyond the first are few.
func TestBudget(t *testing.T) {
	s, address := script(t, func(context.Context, int64) error { return failure(codes.Unavailable) })
	c := dial(t, client.Config{GRPC: address, Timeout: time.Minute, Retry: client.Retry{Attempts: 4, Base: time.Microsecond, Ratio: .1, Burst: 5}})
	const calls = 200
	for range calls {
		if _, err := c.Rows(t.Context(), client.Request{View: "v", Keys: keysOf(1)}); code(err) != "unavailable" {
			t.Fatal(err)
		}
	}
	if extra := s.calls.Load() - calls; extra < 20 || extra > 25 {
		t.Errorf("%d more tries than the %d calls, want 5 saved up and 0.1 a call", extra, calls)
	}
}

// TestBatchIsOneCall lets many readers ask at once.
func TestBatchIsOneCall(t *testing.T) {
	s, address := script(t, func(context.Context, int64) error { return failure(codes.Unavailable) })
	c := dial(t, client.Config{GRPC: address, Timeout: time.Minute, Retry: client.Retry{Attempts: 1}, Batch: client.Batch{Window: time.Minute, Most: 50}})
	var wait sync.WaitGroup
	for _, key := range keysOf(100) {
		wait.Go(func() {
			if _, err := c.Row(t.Context(), client.Request{View: "v", Keys: []client.Key{key}}); code(err) != "unavailable" {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := s.calls.Load(); got != 2 {
		t.Errorf("%d calls for 100 reads, want one for 50", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := c.Row(ctx, client.Request{View: "v", Keys: keysOf(1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a reader that left: %v", err)
	}
}

// TestDeadline lets no answer come: one deadline covers all tries, of ours or the caller's.
func TestDeadline(t *testing.T) {
	s, address := script(t, func(ctx context.Context, _ int64) error {
		<-ctx.Done()
		return ctx.Err()
	})
	ask := client.Request{View: "v", Keys: keysOf(1)}
	c := dial(t, client.Config{GRPC: address, Timeout: 300 * time.Millisecond, Retry: client.Retry{TryTimeout: 50 * time.Millisecond, Base: time.Millisecond}})
	begun := time.Now()
	_, err := c.Rows(t.Context(), ask)
	if code(err) != "unavailable" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 10*time.Second || s.calls.Load() < 2 {
		t.Errorf("%d tries in %s", s.calls.Load(), took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	patient := dial(t, client.Config{GRPC: address, Timeout: time.Minute})
	if _, err := patient.Rows(ctx, ask); !errors.Is(err, context.Canceled) {
		t.Errorf("after the caller left: %v", err)
	}
}

// TestTLS sends a token over TLS on both ports, and only to a server whose certificate is
// trusted.
func TestTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"view":"`+r.Header.Get("Authorization")+`","next":""}`)
	}))
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	s, address := script(t, func(ctx context.Context, _ int64) error {
		got, _ := metadata.FromIncomingContext(ctx)
		if token := got.Get("authorization"); len(token) != 1 || token[0] != "Bearer secret" {
			return status.Errorf(codes.Unauthenticated, "token %q", token)
		}
		return failure(codes.InvalidArgument, info("type")) // it arrived
	}, grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0])))
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	config := client.Config{HTTP: web.URL, GRPC: address, Token: "secret", TLS: &tls.Config{RootCAs: trusted, ServerName: "example.com"}, Retry: client.Retry{Attempts: 1}}
	c := dial(t, config)
	if _, err := c.Rows(t.Context(), client.Request{View: "v", Keys: keysOf(1)}); code(err) != "type" {
		t.Errorf("gRPC: %v", err)
	}
	if got, err := c.Versions(t.Context(), "v"); err != nil || got.View != "Bearer secret" {
		t.Errorf("HTTP: %+v, %v", got, err)
	}
	config.TLS = &tls.Config{ServerName: "example.com"}
	c, before := dial(t, config), s.calls.Load()
	if _, err := c.Rows(t.Context(), client.Request{View: "v", Keys: keysOf(1)}); code(err) != "unavailable" || s.calls.Load() != before {
		t.Errorf("gRPC, not trusted: %v", err)
	}
	if _, err := c.Versions(t.Context(), "v"); code(err) != "unavailable" {
		t.Errorf("HTTP, not trusted: %v", err)
	}
}

// TestDropped asks a port that takes connections and closes them, and one that nobody
// listens to.
func TestDropped(t *testing.T) {
	link := listen(t)
	link.set(true)
	c := dial(t, client.Config{GRPC: link.address(), HTTP: "http://" + link.address(), Retry: client.Retry{Attempts: 3, Base: time.Millisecond}})
	if _, err := c.Rows(t.Context(), client.Request{View: "v", Keys: keysOf(1)}); code(err) != "unavailable" || !strings.Contains(err.Error(), "sluice run") {
		t.Errorf("gRPC: %v", err)
	}
	if _, err := c.Versions(t.Context(), "v"); code(err) != "unavailable" || !strings.Contains(err.Error(), "sluice run") {
		t.Errorf("HTTP: %v", err)
	}
}
