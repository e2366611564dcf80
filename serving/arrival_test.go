package serving

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
)

// TestManyHeaders sends more headers than are taken, and as many.
func TestManyHeaders(t *testing.T) {
	f := newFixture(t)
	f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
	server := NewHTTPServer(f.config, f.HTTP())
	client := sluicev1.NewFeatureServiceClient(f.dial(t))
	for name, tc := range map[string]struct {
		n      int
		status int
		code   codes.Code
		says   string
	}{
		"few":      {80, 200, codes.OK, ""},
		"too many": {101, 431, codes.ResourceExhausted, "serve.max_headers sets the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/views/users/rows", strings.NewReader(readA))
			ctx := t.Context()
			for i := range tc.n {
				r.Header.Add(fmt.Sprintf("X-%d", i/2), "x")
				ctx = metadata.AppendToOutgoingContext(ctx, fmt.Sprintf("x-%d", i/2), "x")
			}
			w := httptest.NewRecorder()
			server.Handler.ServeHTTP(w, r)
			if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.says) {
				t.Errorf("over HTTP = %d %s, want %d that says %q", w.Code, w.Body, tc.status, tc.says)
			}
			_, err := client.GetFeatures(ctx, ownRequest(columnsOf{"user_id": texts("a")}, 0, "users:f00"))
			if status.Code(err) != tc.code || !strings.Contains(status.Convert(err).Message(), tc.says) {
				t.Errorf("over gRPC = %v, want %v that says %q", err, tc.code, tc.says)
			}
		})
	}
}

// TestLongHeads sends heads of as many bytes as are taken, and of one more, over both HTTP
// doors: the refusal names the limit and its setting, in the shape of the path's errors.
func TestLongHeads(t *testing.T) {
	f := newFixture(t)
	f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
	own, plain := f.doors(t)
	const feast, rows = "/get-online-features", "/api/v1/views/users/rows"
	bodies := map[string]string{feast: `{"features":["users:f00"],"entities":{"user_id":["a"]}}`, rows: readA}
	shapes := map[string]string{feast: `{"detail":[{`, rows: `{"error":{"code":"limit"`}
	for path, body := range bodies {
		bare := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX: \r\n\r\n", path, len(body))
		room := f.config.MaxHeader - len(bare)
		for name, addr := range map[string]string{"own": own, "net/http": plain} {
			if got := posted(t, addr, path, body, "X: "+strings.Repeat("x", room)); !strings.HasPrefix(got, "200") {
				t.Errorf("%s, door %s: a head of the largest size is answered with %s", path, name, got)
			}
			got := posted(t, addr, path, body, "X: "+strings.Repeat("x", room+1))
			for _, want := range []string{"431 ", shapes[path], "16385 bytes of headers are more than the limit of 16384", "serve.max_header sets the limit"} {
				if !strings.Contains(got, want) {
					t.Errorf("%s, door %s: a head of a byte more is answered with %s, want %q", path, name, got, want)
				}
			}
			if got := posted(t, addr, path, body, slices.Repeat([]string{"X: y"}, 120)...); !strings.HasPrefix(got, "431") || !strings.Contains(got, shapes[path]) {
				t.Errorf("%s, door %s: 120 headers are answered with %s, want 431 in the path's shape", path, name, got)
			}
		}
	}
}

// TestSlowMessage opens calls and never sends their message: they end after MaxTime,
// while a call with a message is answered.
func TestSlowMessage(t *testing.T) {
	f := newFixture(t, func(c *Config, _ *Deps) { c.MaxTime = 100 * time.Millisecond })
	f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
	conn := f.dial(t)
	for name, method := range map[string]string{
		"read": feastserving.ServingService_GetOnlineFeatures_FullMethodName, "push": feastserving.GrpcFeatureServer_Push_FullMethodName,
		"stream": sluicev1.FeatureService_StreamFeatures_FullMethodName,
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
			if err != nil {
				t.Fatal(err)
			}
			err = stream.RecvMsg(new(sluicev1.GetFeaturesResponse))
			if took := time.Since(begun); status.Code(err) != codes.DeadlineExceeded || took < f.config.MaxTime {
				t.Errorf("a call without a message ends after %s with %v, want DeadlineExceeded after %s", took, err, f.config.MaxTime)
			}
		})
	}
	if _, err := sluicev1.NewFeatureServiceClient(conn).GetFeatures(t.Context(), ownRequest(columnsOf{"user_id": texts("a")}, 0, "users:f00")); err != nil {
		t.Errorf("a call with a message = %v", err)
	}
}

// TestStretch wants a call that goes on to last longer than each of its stretches may.
func TestStretch(t *testing.T) {
	const each = 200 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		s := newStretch(t.Context(), each)
		ctx, cancel := context.WithCancel(s)
		defer cancel()
		for range 3 {
			end := nextStretch(ctx, each)
			time.Sleep(each - 1) // of the bubble's clock
			end()
			time.Sleep(2 * each) // between stretches nothing is counted
			if ctx.Err() != nil {
				t.Fatalf("a call between stretches has ended: %v", ctx.Err())
			}
		}
		nextStretch(ctx, time.Nanosecond)
		<-ctx.Done()
		if s.Err() != context.DeadlineExceeded {
			t.Errorf("a stretch that was too long ends with %v, want %v", s.Err(), context.DeadlineExceeded)
		}
		nextStretch(t.Context(), each)() // of a call that is none
	})
}

// BenchmarkArrive is what a call without a deadline pays for the limits of its arrival.
func BenchmarkArrive(b *testing.B) {
	f := newFixture(b)
	info := &tap.Info{FullMethodName: feastserving.ServingService_GetOnlineFeatures_FullMethodName, Header: metadata.MD{":authority": {"x"}, "content-type": {"application/grpc"}, "user-agent": {"x"}}}
	for name, deadline := range map[string]time.Duration{"none": 0, "a second": time.Second} {
		b.Run("deadline="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ctx, cancel := context.WithCancel(b.Context())
				if deadline > 0 {
					ctx, cancel = context.WithTimeout(b.Context(), deadline)
				}
				if _, err := f.arrive(ctx, info); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
		})
	}
}
