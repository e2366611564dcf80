package serving

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/serving/refusal"
)

// httpIdle is how long a connection may wait for its next request.
const httpIdle = 2 * time.Minute

// NewHTTPServer returns an http.Server for handler with the limits of config:
// time to send headers and all of it, number and size of headers, size of a body. The
// size of a body is the limit of any handler, which may have a lower one.
func NewHTTPServer(config Config, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           smallHeads(config, noHTTP2(plainBodies(shortBodies(config.MaxBody, handler)))),
		ReadHeaderTimeout: config.Handshake,
		ReadTimeout:       config.MaxTime, // does not count while a handler works
		MaxHeaderBytes:    headSpare * config.MaxHeader,
		IdleTimeout:       httpIdle,
	}
}

// shortBodies lets handlers read limit bytes of a body. One that says its length has no more
// than that, and need not be counted.
func shortBodies(limit int, next http.Handler) http.Handler {
	counted := http.MaxBytesHandler(next, int64(limit))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if saysShort(r, limit) {
			next.ServeHTTP(w, r)
			return
		}
		counted.ServeHTTP(w, r)
	})
}

func saysShort(r *http.Request, limit int) bool {
	return r.ContentLength >= 0 && r.ContentLength <= int64(limit)
}

// HTTP returns a handler that answers what Register registers.
func (s *Server) HTTP() http.Handler {
	mux := http.NewServeMux()
	s.Register(mux)
	return mux
}

// Register registers Feast's endpoints and the platform's own reads by key: what
// Patterns lists, and an answer in Feast's form for other methods of its paths.
func (s *Server) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /health", s.health)
	for path, method := range feastMethods {
		mux.HandleFunc(path, wrongMethod(method))
	}
	mux.HandleFunc("GET /api/v1/openapi.yaml", openapi)
	for _, pattern := range bulkPatterns {
		mux.Handle(pattern, auth.RequireOr(s.deps.Authorize, auth.Reader, http.HandlerFunc(s.getBulk), auth.WriteError))
	}
	for pattern, incremental := range materializePatterns {
		mux.Handle(pattern, auth.RequireOr(s.deps.Authorize, auth.Writer, s.materialize(incremental), writeFeastError))
	}
	for _, route := range s.routes() {
		mux.Handle(route.pattern, auth.RequireOr(s.deps.Authorize, route.need, s.handle(&route.door), route.door.refuse))
	}
}

// feastMethods are the methods of Feast's endpoints.
var feastMethods = map[string]string{
	"/health": http.MethodGet, "/get-online-features": http.MethodPost, "/push": http.MethodPost, "/write-to-online-store": http.MethodPost,
	"/materialize": http.MethodPost, "/materialize-incremental": http.MethodPost,
}

// wrongMethod answers 405 as Feast's server does.
func wrongMethod(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allowed)
		writeJSON(w, http.StatusMethodNotAllowed, map[string]string{"detail": "Method Not Allowed"})
	}
}

// health answers 200 without a body while reads are answered, as Feast does.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.Ready() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// door is an endpoint: answer appends the reply to dst, in JSON, or returns an
// error, which refuse writes.
type door struct {
	method method
	answer func(ctx context.Context, in asked, body, dst []byte) ([]byte, error)
	refuse func(w http.ResponseWriter, err error)
}

// asked is a request at a door, whichever server took it.
type asked interface {
	Get(name string) string       // the first header of that name; empty if there is none
	PathValue(name string) string // the segment of the path that the route's pattern calls so
	Body() ([]byte, error)        // the whole body; the error has a code
}

// pooledBuffer is the largest buffer that is kept for the next request.
const pooledBuffer = 1 << 20

var buffers = sync.Pool{New: func() any { return &buffer{} }}

// buffer is the memory of one HTTP request that net/http took.
type buffer struct {
	in    bytes.Buffer
	out   []byte
	w     http.ResponseWriter
	r     *http.Request
	limit int // bytes of the body
}

func (b *buffer) Get(name string) string { return b.r.Header.Get(name) }

func (b *buffer) PathValue(name string) string { return b.r.PathValue(name) }

// Body reads the body.
func (b *buffer) Body() ([]byte, error) {
	err := readBody(b.w, b.r, &b.in, b.limit)
	return b.in.Bytes(), err
}

func (b *buffer) release() {
	b.w, b.r = nil, nil
	if b.in.Cap() <= pooledBuffer && cap(b.out) <= pooledBuffer {
		b.in.Reset()
		buffers.Put(b)
	}
}

// handle lets d answer, and writes what comes of it.
func (s *Server) handle(d *door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := buffers.Get().(*buffer)
		defer b.release()
		b.w, b.r, b.limit = w, r, s.config.MaxBody
		var err error
		if b.out, err = s.answer(r.Context(), d, b, b.out[:0]); err != nil {
			d.refuseAll(w, err)
			return
		}
		header := w.Header()
		header["Content-Type"] = jsonContent
		header["Content-Length"] = []string{strconv.Itoa(len(b.out))}
		if len(b.out) > promptReply {
			defer s.hurry(w)()
		}
		// The client may be gone; there is nobody else to tell.
		_, _ = w.Write(b.out)
	})
}

// answer lets d answer in, which may be refused for how many came before it, appends the
// reply to dst, and counts it.
func (s *Server) answer(ctx context.Context, d *door, in asked, dst []byte) ([]byte, error) {
	begun := time.Now()
	var body []byte
	err := s.door.charge(ctx)
	if err == nil {
		body, err = in.Body()
	}
	if err == nil {
		dst, err = answerInTime(ctx, d, in, body, dst)
	}
	s.observe(d.method, begun, err)
	return dst, err
}

// refuseAll answers err, which may be one that clients need not know the cause of.
func (d *door) refuseAll(w http.ResponseWriter, err error) {
	tellAgain(w.Header(), err)
	d.refuse(w, httpError(err))
}

// promptReply is the largest reply, in bytes, that goes into the buffers of a connection
// whether its client reads or not.
const promptReply = 64 << 10

// hurry gives a client MaxTime to take a large reply, and returns what ends that: a
// client that does not read must not keep it for ever.
func (s *Server) hurry(w http.ResponseWriter) (end func()) {
	out := http.NewResponseController(w)
	if out.SetWriteDeadline(time.Now().Add(s.config.MaxTime)) != nil {
		return func() {} // no connection, as in tests
	}
	return func() {
		if out.Flush() == nil {
			_ = out.SetWriteDeadline(time.Time{}) // it was set a moment ago
		}
	}
}

// answerInTime lets d answer within the time that the client says it waits.
func answerInTime(ctx context.Context, d *door, in asked, body, dst []byte) ([]byte, error) {
	ctx, cancel, err := withTimeout(ctx, in)
	if cancel != nil {
		defer cancel()
	}
	if err != nil {
		return dst, err
	}
	return d.answer(ctx, in, body, dst)
}

// tellAgain says in seconds when a request that was shed is worth another try, and of one
// that was refused that clients should neither ask again nor fall back to rows of an
// earlier read.
func tellAgain(header http.Header, err error) {
	if errors.Is(err, refusal.ErrFinal) {
		header.Set(headerRefused, "true")
	}
	if shed := (*refusal.Shed)(nil); errors.As(err, &shed) {
		header.Set(headerRetry, strconv.Itoa(int(max(1, math.Ceil(shed.After.Seconds())))))
	}
}

var jsonContent = []string{"application/json"}

// readBody reads the body of r; the error is too_large beyond limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, dst *bytes.Buffer, limit int) error {
	body := r.Body
	if !saysShort(r, limit) {
		body = http.MaxBytesReader(w, body, int64(limit))
	}
	_, err := dst.ReadFrom(body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return refusal.Of(feature.CodeTooLarge, "split the request; serve.max_body sets the limit", "the body is longer than the limit of %d bytes", limit)
	}
	return bodyError(err)
}

// bodyError says to a client what is wrong with a body that ended with err.
func bodyError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refusal.Invalid("send as many bytes as Content-Length says", "the body ends early")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refusal.Invalid("send the whole body at once", "the body did not arrive in time")
	case err != nil:
		return refusal.Invalid("send the request again", "the body cannot be read")
	}
	return nil
}

// httpError gives errors without a code that of a request that was given up: the
// caller left, or its time is over.
func httpError(err error) error {
	var known *feature.Error
	if errors.As(err, &known) {
		return err
	}
	return refusal.Of(feature.CodeUnavailable, "try again", "the request was given up: %v", err)
}

func (s *Server) getOnlineFeatures(ctx context.Context, in asked, body, dst []byte) ([]byte, error) {
	q := newQuery()
	defer q.release()
	var err error
	if q.priority, err = loweredHTTP(in); err != nil {
		return dst, refusal.At("body", err)
	}
	if err := s.readFeast(ctx, q, body); err != nil {
		return dst, err
	}
	return q.appendFeastJSON(dst), nil
}
