package serving

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc/metadata"

	"sluice/internal/admission"
	"sluice/serving/refusal"
)

// What clients may say of a request beside its body: headers of HTTP, and the first and the
// last as metadata of gRPC too.
const (
	headerPriority = "Sluice-Priority"
	headerTimeout  = "Sluice-Timeout-Ms"
	headerEnvoy    = "X-Envoy-Expected-Rq-Timeout-Ms" // likewise, by an Envoy in between
	metaPriority   = "sluice-priority"
	headerBackfill = "Sluice-Backfill"
	metaBackfill   = "sluice-backfill"
)

// lowered reads the priority that a client asks for. It can only lower that of the
// feature service, so critical changes nothing, and neither does default for plain
// features.
func lowered(text string) (admission.Priority, error) {
	if text == "" {
		return admission.Critical, nil
	}
	p, err := admission.ParsePriority(text)
	if err != nil {
		return p, refusal.Invalid("send critical, default or sheddable, or nothing", "header %s is %s", metaPriority, refusal.Quoted(text))
	}
	return p, nil
}

// headers are those of a request, as http.Header gives them.
type headers interface{ Get(name string) string }

func loweredHTTP(h headers) (admission.Priority, error) { return lowered(h.Get(headerPriority)) }

func loweredGRPC(ctx context.Context) (admission.Priority, error) {
	if values := metadata.ValueFromIncomingContext(ctx, metaPriority); len(values) > 0 {
		return lowered(values[0])
	}
	return admission.Critical, nil
}

// declared reads whether the rows of a push are declared to be of long ago.
func declared(text string) (bool, error) {
	switch text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, refusal.Invalid("send true or false, or nothing", "header %s is %s", metaBackfill, refusal.Quoted(text))
}

func declaredHTTP(h headers) (bool, error) { return declared(h.Get(headerBackfill)) }

func declaredGRPC(ctx context.Context) (bool, error) {
	if values := metadata.ValueFromIncomingContext(ctx, metaBackfill); len(values) > 0 {
		return declared(values[0])
	}
	return false, nil
}

// maxTimeout bounds what a client may say that it waits for.
const maxTimeout = time.Hour

// withTimeout returns a context that ends when the client says that it does not wait any
// more, and what releases it; nil if the client says nothing.
func withTimeout(ctx context.Context, h headers) (context.Context, context.CancelFunc, error) {
	name := headerTimeout
	text := h.Get(name)
	if text == "" {
		name = headerEnvoy
		text = h.Get(name)
	}
	if text == "" {
		return ctx, nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || time.Duration(n)*time.Millisecond > maxTimeout {
		return ctx, nil, refusal.Invalid("send whole milliseconds, 1 to 3600000, or nothing", "header %s is %s", name, refusal.Quoted(text))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(n)*time.Millisecond)
	return ctx, cancel, nil
}
