package serving

import (
	"context"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sluice/internal/auth"
	"sluice/internal/h1"
)

// NewHTTPDoor returns the server of the HTTP door: reads are answered from their bytes,
// and every other connection by rest, which NewHTTPServer made with what Register and
// whatever else was registered. The door serves and ends rest.
func (s *Server) NewHTTPDoor(rest *http.Server) *h1.Server {
	c := s.config
	config := h1.Config{
		MaxHeader: c.MaxHeader, MaxFields: c.MaxHeaders, MaxBody: c.MaxBody, Handshake: c.Handshake, Arrive: c.MaxTime, Idle: httpIdle, WriteTimeout: c.MaxTime,
		Leaving: func() bool { return s.deps.Leaving() != nil },
		Panicked: func(what any, stack []byte, client net.Addr) {
			s.deps.Log.Error("a request panicked: its connection was closed", "client", client.String(), "err", what, "stack", string(stack))
		},
	}
	handlers := map[string]h1.Handler{}
	for _, route := range s.reads() {
		handlers[route.pattern] = s.direct(route)
	}
	return h1.New(config, handlers, rest, func(what h1.Stat, _ net.Addr) { s.left[what].Inc() })
}

// newLeft counts what the door does not answer by itself.
func newLeft(reg prometheus.Registerer) (counters [h1.Stats]prometheus.Counter) {
	auto := promauto.With(reg)
	vec := auto.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "serve", Name: "http1_left_total",
		Help: "Connections of the HTTP door that left the fast path for reads, by reason: net/http has them for good since a request of another method or path (other) or with something unusual in its head (unusual) whose end only it can tell, or one beyond a limit (large); or they were ended because a request did not come in time (slow), panicked (panic), or was given up since its client had hung up (gone).",
	}, []string{"reason"})
	for i := range h1.StatLent {
		counters[i] = vec.WithLabelValues(i.String())
	}
	counters[h1.StatLent] = auto.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "serve", Name: "http1_lent_total",
		Help: "Requests on the fast path's connections of the HTTP door that net/http answered; the connections came back for the next read.",
	})
	return counters
}

var jsonHeader = http.Header{"Content-Type": jsonContent}

// direct answers a route from the bytes of its requests, as handle does under RequireOr.
func (s *Server) direct(route route) h1.Handler {
	return func(ctx context.Context, r *h1.Request, dst []byte) h1.Answer {
		d := &route.door
		if s.deps.Authorize != nil {
			name, err := s.deps.Authorize(auth.Bearer(r.Get("Authorization")), route.need)
			if err != nil {
				return gathered(dst, func(w http.ResponseWriter) { d.refuse(w, err) })
			}
			if name != auth.Anonymous {
				ctx = auth.WithName(ctx, name)
			}
		}
		out, err := s.answer(ctx, d, arrived{r}, dst)
		if err != nil {
			return gathered(dst, func(w http.ResponseWriter) { d.refuseAll(w, err) })
		}
		return h1.Answer{Status: http.StatusOK, Header: jsonHeader, Body: out}
	}
}

// arrived is a request that the door took.
type arrived struct{ *h1.Request }

// Body reads the body, whose length the door has looked at.
func (a arrived) Body() ([]byte, error) {
	body, err := a.Request.Body()
	return body, bodyError(err)
}

// gathered returns what write writes. It takes the place of what was appended to dst.
func gathered(dst []byte, write func(w http.ResponseWriter)) h1.Answer {
	w := &written{h1.Answer{Status: http.StatusOK, Header: http.Header{}, Body: dst}}
	write(w)
	return w.Answer
}

// written gathers an answer.
type written struct{ h1.Answer }

// Header returns the headers.
func (w *written) Header() http.Header { return w.Answer.Header }

// WriteHeader sets the status.
func (w *written) WriteHeader(status int) { w.Status = status }

// Write appends to the body.
func (w *written) Write(b []byte) (int, error) {
	w.Body = append(w.Body, b...)
	return len(b), nil
}
