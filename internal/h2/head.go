package h2

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/metadata"
)

// fieldExtra is what a header counts beside its name and value.
//
// Source: RFC 9113, section 6.5.2.
const fieldExtra = 32

// block is the headers that are being read; they may come in several frames.
type block struct {
	open   bool
	stream uint32
	ended  bool // the peer says nothing after them
	parts  int
	size   int // bytes, compressed
}

// head is what the headers of one request say.
type head struct {
	fields                          []hpack.HeaderField // regular ones, but for grpc-timeout
	method, path, scheme, authority string
	contentType, encoding           string
	timeout                         time.Duration // 0: none
	length                          int64         // -1: not said
	size, count                     int
	odd                             bool // for the handler of the rest to explain
	wrong                           string
	tooLarge                        string
}

func (h *head) reset() {
	clear(h.fields)
	*h = head{fields: h.fields[:0], length: -1}
}

// known is what is kept of the headers of the request before: most clients send the
// same with each.
type known struct {
	fields    []hpack.HeaderField
	authority string
	ctx       context.Context
}

// headers begins a request, or ends one with trailers.
func (c *conn) headers(f frame) error {
	if f.stream == 0 || f.stream%2 == 0 {
		return offence(codeProtocol, "headers of stream %d", f.stream)
	}
	part, err := unpad(f)
	if err != nil {
		return err
	}
	var bad error
	if f.has(flagPriority) {
		if len(part) < prioPrefix {
			return offence(codeSize, "headers of %d bytes with a priority", len(part))
		}
		if binary.BigEndian.Uint32(part)&maxStreamID == f.stream {
			bad = fault(f.stream, codeProtocol, "it depends on itself")
		}
		part = part[prioPrefix:]
	}
	c.head.reset()
	c.decoder.SetEmitEnabled(true)
	c.block = block{open: true, stream: f.stream, ended: f.has(flagEndStream)}
	if err := c.fragment(part, f.has(flagEndHeaders)); err != nil {
		return err
	}
	return bad
}

func (c *conn) continuation(f frame) error {
	if !c.block.open {
		return offence(codeProtocol, "a continuation of nothing")
	}
	return c.fragment(f.payload, f.has(flagEndHeaders))
}

// fragment decodes a part of a block, also of one that is refused: the peer's table of
// headers has to stay the same as ours.
func (c *conn) fragment(part []byte, last bool) error {
	b := &c.block
	b.parts++
	b.size += len(part)
	if most := blockPerHeader * c.server.config.MaxHeader; b.size > most || b.parts > maxBlockPart {
		c.count(StatTooLarge)
		return connError{codeCalm, fmt.Sprintf("headers of %d bytes in %d frames; serve.max_header sets the limit", b.size, b.parts)}
	}
	if _, err := c.decoder.Write(part); err != nil {
		return offence(codeCompression, "headers: %v", err)
	}
	if !last {
		return nil
	}
	if err := c.decoder.Close(); err != nil {
		return offence(codeCompression, "headers: %v", err)
	}
	b.open = false
	return c.headed()
}

// blockPerHeader is how many times max_header a block may have, of which the rest is
// read to no use, so that its stream is answered rather than the connection ended.
const blockPerHeader = 4

// headed handles a block that is complete.
func (c *conn) headed() error {
	b, h := &c.block, &c.head
	c.mu.Lock()
	s := c.streams[b.stream]
	old := s == nil && b.stream <= c.newest
	if s == nil && !old {
		c.newest = b.stream
	}
	c.mu.Unlock()
	switch {
	case s != nil:
		return c.trailers(s)
	case old:
		return offence(codeClosed, "headers of stream %d, which is closed", b.stream)
	}
	if h.wrong == "" && h.tooLarge == "" && (h.method == "" || h.path == "" || h.scheme == "") {
		h.wrong = "a pseudo-header is missing"
	}
	if h.wrong != "" {
		return fault(b.stream, codeProtocol, "%s", h.wrong)
	}
	return c.open(b.stream, b.ended)
}

// trailers ends a request.
func (c *conn) trailers(s *stream) error {
	switch {
	case s.ended.Load():
		return fault(s.id, codeClosed, "headers after the end")
	case !c.block.ended:
		return fault(s.id, codeProtocol, "headers in the middle of a body")
	case c.head.wrong != "" || c.head.method != "" || c.head.path != "":
		return fault(s.id, codeProtocol, "trailers with %s", cmp.Or(c.head.wrong, "pseudo-headers"))
	}
	s.ended.Store(true)
	switch {
	case s.length >= 0 && s.got != s.length:
		return fault(s.id, codeProtocol, "content-length is %d, and %d bytes came", s.length, s.got)
	case s.feed != nil:
		s.feed.end()
		return nil
	case s.begun.Load():
		return nil
	}
	return c.complete(s)
}

// field takes one header.
func (c *conn) field(f hpack.HeaderField) {
	h, config := &c.head, &c.server.config
	h.size += len(f.Name) + len(f.Value) + fieldExtra
	h.count++
	if h.size > config.MaxHeader {
		h.tooLarge = fmt.Sprintf("the headers have more than %d bytes; serve.max_header sets the limit", config.MaxHeader)
	}
	if h.count > config.MaxFields {
		h.tooLarge = fmt.Sprintf("there are more than %d headers; serve.max_headers sets the limit", config.MaxFields)
	}
	if h.tooLarge != "" {
		c.decoder.SetEmitEnabled(false) // the rest is only read
		return
	}
	if f.IsPseudo() {
		h.pseudo(f)
		return
	}
	if !validName(f.Name) || !validValue(f.Value) {
		h.wrong = "a header that is none: " + strconv.QuoteToASCII(shorten(f.Name))
		return
	}
	h.regular(f)
}

func (h *head) pseudo(f hpack.HeaderField) {
	var to *string
	switch f.Name {
	case ":method":
		to = &h.method
	case ":path":
		to = &h.path
	case ":scheme":
		to = &h.scheme
	case ":authority":
		to = &h.authority
	default:
		h.wrong = "pseudo-header " + strconv.QuoteToASCII(shorten(f.Name))
		return
	}
	if *to != "" || len(h.fields) > 0 || h.timeout != 0 {
		h.wrong = "pseudo-header " + f.Name + " twice, or after others"
	}
	if !validValue(f.Value) {
		h.wrong = "pseudo-header " + f.Name + " with characters that must not be there"
	}
	*to = f.Value
}

func (h *head) regular(f hpack.HeaderField) {
	switch f.Name {
	case "grpc-timeout":
		d, ok := parseTimeout(f.Value)
		h.timeout = d
		if ok {
			return
		}
		h.odd = true
	case "content-type":
		h.contentType = f.Value
	case "grpc-encoding":
		h.encoding = f.Value
	case "content-length":
		n, err := strconv.ParseInt(f.Value, 10, 64)
		if err != nil || n < 0 || h.length >= 0 && h.length != n {
			h.wrong = "content-length " + strconv.QuoteToASCII(shorten(f.Value))
			return
		}
		h.length = n
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		h.wrong = "header " + f.Name + ", which HTTP/2 does not know"
	case "te":
		if f.Value != "trailers" {
			h.wrong = "header te of " + strconv.QuoteToASCII(shorten(f.Value))
		}
	}
	h.fields = append(h.fields, f)
}

func shorten(s string) string { return s[:min(len(s), 80)] }

// validName reports whether s can be the name of a header in HTTP/2.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || c == ':' || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return s != ""
}

func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == 0 || c == '\r' || c == '\n' {
			return false
		}
	}
	return true
}

// plain reports whether the request is a gRPC call whose message is neither compressed
// nor of another encoding than protobuf.
func (h *head) plain() bool {
	return h.method == "POST" && !h.odd && (h.contentType == "application/grpc" || h.contentType == "application/grpc+proto") &&
		(h.encoding == "" || h.encoding == "identity")
}

// parseTimeout reads a header grpc-timeout.
func parseTimeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 64)
	if err != nil {
		return 0, false
	}
	unit := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}[s[len(s)-1]]
	if unit == 0 {
		return 0, false
	}
	if n > uint64(maxTimeout/unit) {
		return maxTimeout, true
	}
	return max(time.Duration(n)*unit, 1), true
}

// maxTimeout is the longest that a call is given, whatever its client says.
const maxTimeout = 1000 * time.Hour

// context returns that of a call with these headers, which has most at most.
func (h *head) context(base context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	if h.timeout > 0 {
		most = min(most, h.timeout)
	}
	return context.WithTimeout(base, most)
}

// base returns a context that knows the metadata of the headers: that of the request
// before, if it said the same.
func (c *conn) base() context.Context {
	h, last := &c.head, &c.last
	if last.ctx != nil && h.authority == last.authority && slices.Equal(h.fields, last.fields) {
		return last.ctx
	}
	last.fields = append(last.fields[:0], h.fields...)
	last.authority = h.authority
	last.ctx = metadata.NewIncomingContext(c.ctx, h.metadata())
	return last.ctx
}

// metadata returns what the headers say to a handler.
func (h *head) metadata() metadata.MD {
	md := make(metadata.MD, len(h.fields)+1)
	if h.authority != "" {
		md[":authority"] = []string{h.authority}
	}
	for _, f := range h.fields {
		switch f.Name {
		case "te", "grpc-encoding", "grpc-message-type", "grpc-timeout", "grpc-status", "grpc-message":
			continue
		}
		if !strings.HasSuffix(f.Name, "-bin") {
			md[f.Name] = append(md[f.Name], f.Value)
			continue
		}
		for part := range strings.SplitSeq(f.Value, ",") {
			if v, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(part), "=")); err == nil {
				md[f.Name] = append(md[f.Name], string(v))
			}
		}
	}
	return md
}
