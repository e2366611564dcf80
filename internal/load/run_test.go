package load

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
)

// server answers reads over both protocols with what answer says.
type server struct {
	feastserving.UnimplementedServingServiceServer
	asked  atomic.Int64
	users  atomic.Int64
	answer func() error
	hold   chan struct{} // nil: answers are not held back
}

func (s *server) GetOnlineFeatures(_ context.Context, in *feastserving.GetOnlineFeaturesRequest) (*feastserving.GetOnlineFeaturesResponse, error) {
	s.asked.Add(1)
	s.users.Add(int64(len(in.GetEntities()["user_id"].GetVal())))
	if s.hold != nil {
		<-s.hold
	}
	list := &feasttypes.RepeatedValue{Val: slices.Repeat([]*feasttypes.Value{{Val: &feasttypes.Value_StringVal{StringVal: strings.Repeat("x", 1000)}}}, 20)}
	return &feastserving.GetOnlineFeaturesResponse{Results: []*feastserving.GetOnlineFeaturesResponse_FeatureVector{{Values: list.Val}}}, s.answer()
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if s.hold != nil {
		<-s.hold
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.Header.Get("Authorization") != "Bearer t" {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	if err := s.answer(); err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Write([]byte(strings.Repeat("y", int(s.asked.Load()%2)*8000))) // some are sent in chunks, some are empty
}

// listen starts s over p and returns where.
func (s *server) listen(t *testing.T, p Protocol) string {
	if p == HTTP {
		h := httptest.NewServer(s)
		t.Cleanup(h.Close)
		return h.Listener.Addr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, done := grpc.NewServer(), make(chan error, 1)
	feastserving.RegisterServingServiceServer(g, s)
	go func() { done <- g.Serve(l) }()
	t.Cleanup(func() {
		g.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func fine() error { return nil }

// config asks 3 users of a request for a short time.
func config(t *testing.T, p Protocol, address string) Config {
	t.Helper()
	q := Question{Features: []string{"users:age"}, Entities: 3, Columns: []Column{{"user_id", func(rng *rand.Rand) any { return string(rune('a' + rng.IntN(26))) }}}}
	requests, err := q.Encode(p, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Address: address, Protocol: p, Token: "t", Clients: 4, Warmup: 50 * time.Millisecond, Duration: 300 * time.Millisecond, Requests: requests}
}

func TestRun(t *testing.T) {
	for _, p := range []Protocol{GRPC, HTTP} {
		for name, rate := range map[string]float64{"closed": 0, "open": 500} {
			t.Run(string(p)+" "+name, func(t *testing.T) {
				s := &server{answer: fine}
				c := config(t, p, s.listen(t, p))
				c.Rate = rate
				began, ended := 0, 0
				c.Begin, c.End = func() { began++ }, func() { ended++ }
				report, err := Run(t.Context(), c)
				if err != nil || report.Failed != 0 || report.Unanswered != 0 || len(report.Errors) > 0 {
					t.Fatalf("Run gave %+v, %v", report, err)
				}
				if rate > 0 && report.Answered() != 150 {
					t.Errorf("%d answers, want the 150 that were due", report.Answered())
				}
				if report.Answered() == 0 || report.Answered() > uint64(s.asked.Load()) || began != 1 || ended != 1 {
					t.Errorf("%d answers to %d requests, begun %d, ended %d", report.Answered(), s.asked.Load(), began, ended)
				}
				if p == GRPC && s.users.Load() != 3*s.asked.Load() {
					t.Errorf("%d entities in %d requests", s.users.Load(), s.asked.Load())
				}
			})
		}
	}
}

// TestRunErrors wants errors counted and told, not taken for answers.
func TestRunErrors(t *testing.T) {
	for p, want := range map[Protocol]string{GRPC: "grpc status 5: no such view", HTTP: "status 404 Not Found: no such view\n"} {
		for name, rate := range map[string]float64{"closed": 0, "open": 500} {
			t.Run(string(p)+" "+name, func(t *testing.T) {
				s := &server{answer: func() error {
					if p == HTTP {
						return errors.New("no such view")
					}
					return status.Error(codes.NotFound, "no such view")
				}}
				c := config(t, p, s.listen(t, p))
				c.Rate = rate
				report, err := Run(t.Context(), c)
				if err != nil || report.Answered() != 0 || report.Failed == 0 || !slices.Equal(report.Errors, []string{want}) {
					t.Errorf("Run gave %d answers, %d failed, %q, %v, want error %q", report.Answered(), report.Failed, report.Errors, err, want)
				}
			})
		}
	}
}

// TestRunCountsWaiting holds every answer back for a while: an open loop charges
// each request with the time since it was due, so that about all of them are slow,
// not only the one that each connection was waiting for.
func TestRunCountsWaiting(t *testing.T) {
	for _, p := range []Protocol{GRPC, HTTP} {
		t.Run(string(p), func(t *testing.T) {
			s := &server{answer: fine, hold: make(chan struct{})}
			c := config(t, p, s.listen(t, p))
			c.Rate, c.Warmup, c.Clients = 200, 0, 2
			c.End = func() { close(s.hold) }
			report, err := Run(t.Context(), c)
			if err != nil || report.Answered() != 60 {
				t.Fatalf("Run gave %+v, %v, want 60 answers", report, err)
			}
			if half := report.Latency.Quantile(.5); half < 140*time.Millisecond {
				t.Errorf("half of the requests took up to %v, want what they waited, 150ms", half)
			}
		})
	}
}

func TestRunBrokenServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, p := range []Protocol{GRPC, HTTP} {
		c := config(t, p, l.Addr().String())
		c.Duration = 20 * time.Second
		if report, err := Run(t.Context(), c); err == nil {
			t.Errorf("Run over %s gave %+v from a server that hangs up", p, report)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := (Config{Clients: -1, Rate: -1, Warmup: -1, Address: "here", Protocol: "smtp"}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 6 {
		t.Errorf("Validate gave %v, want seven problems", err)
	}
}

func TestEncode(t *testing.T) {
	q := Question{Service: "model", Entities: 2, Full: true, Columns: []Column{{"id", func(*rand.Rand) any { return int64(7) }}}}
	message, err := q.Encode(GRPC, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	var in feastserving.GetOnlineFeaturesRequest
	if err := proto.Unmarshal(message[0], &in); err != nil || in.GetFeatureService() != "model" || !in.FullFeatureNames || len(in.Entities["id"].GetVal()) != 2 {
		t.Errorf("message is %v, %v", &in, err)
	}
	document, err := q.Encode(HTTP, 1, 1)
	if want := `{"entities":{"id":[7,7]},"feature_service":"model","full_feature_names":true}`; err != nil || string(document[0]) != want {
		t.Errorf("document is %s, %v, want %s", document[0], err, want)
	}
	q.Columns[0].Key = func(*rand.Rand) any { return 1.5 }
	if _, err := q.Encode(GRPC, 1, 1); err == nil {
		t.Error("a key of another type gave no error")
	}
}
