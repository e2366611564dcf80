package serving

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/tap"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/internal/auth"
	"sluice/serving/refusal"
)

// checkHeaders counts the entries of headers, or of metadata.
func checkHeaders(headers map[string][]string, most int) error {
	n := 0
	for _, values := range headers {
		n += len(values)
	}
	if n <= most {
		return nil
	}
	return refusal.HTTP(http.StatusRequestHeaderFieldsTooLarge, refusal.Of(feature.CodeLimit, "send fewer; serve.max_headers sets the limit", "%d headers are more than the limit of %d", n, most))
}

// headSpare is how many times max_header an HTTP request's head may have, of which the rest
// is read to no use, so that its client is told of the limit: net/http answers what is beyond
// its own limit before anything of ours is called, and names none.
const headSpare = 4

// checkHead counts the bytes of the head of r, its first line and line ends included.
func checkHead(r *http.Request, most int) error {
	n := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("  \r\n\r\n")
	if r.Host != "" {
		n += len("Host: \r\n") + len(r.Host)
	}
	for name, values := range r.Header {
		for _, value := range values {
			n += len(name) + len(value) + len(": \r\n")
		}
	}
	if n <= most {
		return nil
	}
	return refusal.HTTP(http.StatusRequestHeaderFieldsTooLarge, refusal.Of(feature.CodeLimit, "send fewer, or shorter ones; serve.max_header sets the limit", "%d bytes of headers are more than the limit of %d", n, most))
}

// smallHeads lets requests through whose headers are at most so many, and of so many bytes.
func smallHeads(config Config, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := checkHeaders(r.Header, config.MaxHeaders)
		if err == nil {
			err = checkHead(r, config.MaxHeader)
		}
		if err != nil {
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse answers err in the shape that errors have at the path of r.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if _, feast := feastMethods[r.URL.Path]; feast {
		writeFeastError(w, err)
		return
	}
	auth.WriteError(w, err)
}

// arrive looks at a call whose message has not arrived yet. A client that sends its
// message bit by bit, or does not read the answer, would keep it open for as long as the
// connection lives: MaxTime ends it.
func (s *Server) arrive(ctx context.Context, info *tap.Info) (context.Context, error) {
	if err := checkHeaders(info.Header, s.config.MaxHeaders); err != nil {
		return ctx, refusal.GRPC(err)
	}
	return s.bound(ctx, info.FullMethodName), nil
}

// bound returns the context of a call that has MaxTime, or as long as its kind may last.
func (s *Server) bound(ctx context.Context, method string) context.Context {
	switch method {
	case healthpb.Health_Watch_FullMethodName: // lasts as long as its client wants
		return ctx
	case sluicev1.FeatureService_StreamFeatures_FullMethodName:
		return newStretch(ctx, s.config.MaxTime)
	}
	if until, ok := ctx.Deadline(); ok && time.Until(until) <= s.config.MaxTime {
		return ctx
	}
	// The timer ends with the call, whose context is the parent.
	within, cancel := context.WithTimeout(ctx, s.config.MaxTime)
	return bounded{within, cancel}
}

// bounded keeps the function that ends a context with the context.
type bounded struct {
	context.Context
	_ context.CancelFunc
}

// stretch is the context of a call that may last, each stretch of it only so long: the
// arrival of its message, and the sending of each part.
type stretch struct {
	context.Context
	timer *time.Timer
	late  atomic.Bool
}

func newStretch(ctx context.Context, d time.Duration) *stretch {
	ctx, cancel := context.WithCancel(ctx)
	s := &stretch{Context: ctx}
	s.timer = time.AfterFunc(d, func() {
		s.late.Store(true)
		cancel()
	})
	context.AfterFunc(ctx, func() { s.timer.Stop() })
	return s
}

// Err says of a stretch that was too long that its time is over.
func (s *stretch) Err() error {
	err := s.Context.Err()
	if err != nil && s.late.Load() {
		return context.DeadlineExceeded
	}
	return err
}

type stretchKey struct{}

// Value gives the stretch itself to those who only have a context made of it.
func (s *stretch) Value(key any) any {
	if key == (stretchKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// nextStretch begins a stretch of the call of ctx, and returns what ends it.
func nextStretch(ctx context.Context, d time.Duration) (end func()) {
	s, ok := ctx.Value(stretchKey{}).(*stretch)
	if !ok {
		return func() {}
	}
	s.timer.Reset(d)
	return func() { s.timer.Stop() }
}
