package serving

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
	"sluice/serving/wireform"
)

// bulk is a read of more rows than one request takes, answered in parts. Each part is
// read from a snapshot of its own, and only once the one before it was sent: of a slow
// reader a server holds its keys and one part.
type bulk struct {
	server  *Server
	whole   *query                          // its plan and keys; never read itself
	catalog *catalog                        // that whole's plan is of
	plan    func(c *catalog) (*plan, error) // the plan under other definitions
}

// each reads part after part and gives each to send, with the position of its first
// row. The query is send's until it returns.
func (b *bulk) each(ctx context.Context, send func(first int, part *query) error) error {
	for from := 0; from < b.whole.rows; from += b.server.config.MaxEntities {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read rows from %d: %w", from, err)
		}
		if err := b.part(ctx, from, min(from+b.server.config.MaxEntities, b.whole.rows), send); err != nil {
			return err
		}
	}
	return nil
}

func (b *bulk) part(ctx context.Context, from, to int, send func(first int, part *query) error) error {
	q := newQuery()
	defer q.release()
	snap, lapsed, err := b.server.take()
	if err != nil {
		return err
	}
	if snap.catalog != b.catalog {
		if err := b.replan(snap.catalog); err != nil {
			return err
		}
	}
	q.take(b.whole, from, to)
	if err := b.server.read(ctx, q, snap, lapsed); err != nil {
		return err
	}
	return send(from, q)
}

// replan makes the plan anew under definitions that came into force meanwhile. The
// error is conflict if what was asked for is something else now.
func (b *bulk) replan(c *catalog) error {
	next, err := b.plan(c)
	if err != nil {
		return err
	}
	old := b.whole.plan
	same := slices.Equal(next.joins, old.joins) && slices.Equal(next.context, old.context) && slices.EqualFunc(next.columns, old.columns, func(x, y column) bool {
		return x == y && next.parts[x.part].features[x.slot].Type == old.parts[y.part].features[y.slot].Type
	})
	if !same {
		return refusal.Of(feature.CodeConflict, "ask for the remaining rows again", "the definitions changed while rows were read")
	}
	b.whole.plan, b.catalog = next, c
	return nil
}

// take fills q with the rows [from, to) of whole.
func (q *query) take(whole *query, from, to int) {
	q.plan, q.policy, q.past, q.priority, q.rows, q.scan = whole.plan, whole.policy, whole.past, whole.priority, to-from, true
	for _, values := range whole.context {
		if len(values) > 1 {
			values = values[from:to]
		}
		q.context = append(q.context, values)
	}
	for join := range whole.plan.joins {
		for row := from; row < to; row++ {
			at := len(q.arena)
			q.arena = append(q.arena, whole.key(join, row)...)
			q.keys = append(q.keys, span{at, len(q.arena)})
		}
	}
}

// limitBulk is the most rows of a bulk read.
func (s *Server) limitBulk() int { return max(s.config.MaxBulk, s.config.MaxEntities) }

// bulkOver explains a request of too many rows by the limit that it broke.
func bulkOver(err error) error {
	var rows *refusal.Rows
	if errors.As(err, &rows) {
		return refusal.Of(feature.CodeLimit, "split the request; serve.max_bulk sets the limit", "%s", rows.Limit.Message)
	}
	return err
}

// streamMethod describes StreamFeatures, which takes and gives encoded bytes.
var streamMethod = grpc.StreamDesc{StreamName: "StreamFeatures", ServerStreams: true, Handler: func(srv any, stream grpc.ServerStream) error {
	request := &wireform.RawRequest{}
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	defer request.Free()
	nextStretch(stream.Context(), partTime)()
	s, begun := srv.(*Server), time.Now()
	err := s.door.charge(stream.Context()) // once: what a stream may ask for is bounded
	if err == nil {
		err = s.streamWire(stream, request.Data)
	}
	s.observe(methodBulkGRPC, begun, err)
	if err == nil {
		return nil
	}
	return told(stream.Context(), callError(err))
}}

// streamWire answers a serialized request with serialized parts.
func (s *Server) streamWire(stream grpc.ServerStream, in []byte) error {
	whole := &query{} // too large to be kept
	snap, _, err := s.prepareWire(whole, in, true, s.limitBulk())
	if errors.Is(err, wireform.ErrUnusual) {
		if in, err = wireform.Usual(in, true); err == nil {
			whole.reset()
			snap, _, err = s.prepareWire(whole, in, true, s.limitBulk())
		}
	}
	if errors.Is(err, wireform.ErrUnusual) {
		err = refusal.Invalid("send the message that the .proto file describes", "the request cannot be decoded")
	}
	if err != nil {
		return bulkOver(err)
	}
	if whole.priority, err = loweredGRPC(stream.Context()); err != nil {
		return err
	}
	b := &bulk{server: s, whole: whole, catalog: snap.catalog, plan: func(c *catalog) (*plan, error) { return s.wirePlan(whole, c, ownForm) }}
	return b.each(stream.Context(), func(first int, part *query) error {
		defer nextStretch(stream.Context(), partTime)()
		err := stream.SendMsg(wireform.RawReply{Buffer: pooled(part.sizePart(first), func(dst []byte) []byte { return part.appendPart(dst, first) })})
		return unsent(stream.Context(), first, err)
	})
}

// unsent is the error of a part that could not be sent: that the reader left, or err.
func unsent(ctx context.Context, first int, err error) error {
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("send rows from %d: %w", first, err)
	}
	return nil
}

// sizePart returns the size of a sluice.v1.FeaturesPart whose first row is first.
func (q *query) sizePart(first int) int {
	n := 1 + sizeBytes(q.sizeOwn())
	if first > 0 {
		n += 1 + protowire.SizeVarint(uint64(first))
	}
	return n
}

// appendPart appends that message.
func (q *query) appendPart(dst []byte, first int) []byte {
	if first > 0 {
		dst = binary.AppendUvarint(append(dst, tagInt1), uint64(first))
	}
	return q.appendOwn(appendLen(dst, tagLen2, q.sizeOwn()))
}

const (
	linesContent = "application/x-ndjson"
	// partTime is how long one part may take to be sent to a reader.
	partTime = 30 * time.Second
)

// getBulk answers like getFeatures, in parts of one line each. What fails before the
// first is answered as ever; later the last line is an error.
func (s *Server) getBulk(w http.ResponseWriter, r *http.Request) {
	begun, b := time.Now(), buffers.Get().(*buffer)
	defer b.release()
	sent, err := false, s.door.charge(r.Context())
	if err == nil {
		sent, err = s.sendBulk(w, r, b)
	}
	s.observe(methodBulkHTTP, begun, err)
	if err == nil {
		return
	}
	if !sent {
		tellAgain(w.Header(), err)
	}
	err = httpError(err)
	if !sent {
		auth.WriteError(w, err)
		return
	}
	var known *feature.Error
	if errors.As(err, &known) {
		line := jsonform.AppendString([]byte(`{"error":{"code":`), string(known.Code))
		line = jsonform.AppendString(append(line, `,"message":`...), known.Message)
		line = jsonform.AppendString(append(line, `,"hint":`...), known.Hint)
		_, _ = w.Write(append(line, "}}\n"...)) // the client may be gone; there is nobody else to tell
	}
}

// sendBulk sends the parts, and returns whether any was.
func (s *Server) sendBulk(w http.ResponseWriter, r *http.Request, b *buffer) (sent bool, err error) {
	if err := readBody(w, r, &b.in, s.config.MaxBody); err != nil {
		return false, err
	}
	service := r.PathValue("service")
	request, err := parseFeatures(service, b.in.Bytes())
	if err != nil {
		return false, err
	}
	whole := &query{} // too large to be kept
	if whole.priority, err = loweredHTTP(r.Header); err != nil {
		return false, err
	}
	snap, _, err := s.take()
	if err != nil {
		return false, err
	}
	if err := s.bindFeatures(whole, snap.catalog, service, &request, s.limitBulk()); err != nil {
		return false, bulkOver(err)
	}
	request.Keys, request.Context = nil, nil
	parts := &bulk{server: s, whole: whole, catalog: snap.catalog, plan: func(c *catalog) (*plan, error) {
		return s.featuresPlan(whole, c, service, request.Features)
	}}
	out := http.NewResponseController(w)
	err = parts.each(r.Context(), func(first int, part *query) error {
		if !sent {
			w.Header().Set("Content-Type", linesContent)
			sent = true
		}
		b.out = append(part.appendFeatures(fmt.Appendf(b.out[:0], `{"first":%d,`, first)), "}\n"...)
		if err := out.SetWriteDeadline(time.Now().Add(partTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return fmt.Errorf("send rows from %d: %w", first, err)
		}
		if _, err := w.Write(b.out); err != nil {
			return unsent(r.Context(), first, err)
		}
		if err := out.Flush(); !errors.Is(err, http.ErrNotSupported) {
			return unsent(r.Context(), first, err)
		}
		return nil
	})
	return sent, err
}
