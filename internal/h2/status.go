package h2

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const statusOKIndex = 0x88 // :status 200 in the static table

// okHeaders begins an answer, and okTrailer ends it.
var (
	okHeaders = appendField([]byte{statusOKIndex}, "content-type", "application/grpc")
	okTrailer = appendField(nil, "grpc-status", "0")
)

// appendField appends a header that no table keeps.
//
// Source: RFC 7541, section 6.2.2.
func appendField(dst []byte, name, value string) []byte {
	return appendString(appendString(append(dst, 0), name), value)
}

// appendString appends s as it is.
func appendString(dst []byte, s string) []byte {
	const most = 127
	if len(s) < most {
		return append(append(dst, byte(len(s))), s...)
	}
	dst = append(dst, most)
	n := len(s) - most
	for ; n >= 128; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(append(dst, byte(n)), s...)
}

// maxMessage is how many bytes of a status' message are sent.
const maxMessage = 4 << 10

// appendOnlyTrailer appends an answer that is a status and nothing else; more is headers
// beside it, encoded.
func appendOnlyTrailer(dst []byte, stream uint32, why *status.Status, more []byte) []byte {
	block := appendField([]byte{statusOKIndex}, "content-type", "application/grpc")
	block = appendField(block, "grpc-status", strconv.Itoa(int(why.Code())))
	if why.Message() != "" {
		block = appendField(block, "grpc-message", percent(why.Message()))
	}
	if p := why.Proto(); len(p.GetDetails()) > 0 {
		if b, err := proto.Marshal(p); err == nil && len(b) <= maxMessage {
			block = appendField(block, "grpc-status-details-bin", base64.RawStdEncoding.EncodeToString(b))
		}
	}
	return appendBlock(dst, stream, append(block, more...), flagEndStream)
}

// appendBlock appends a block of headers in as many frames as it takes.
func appendBlock(dst []byte, stream uint32, block []byte, flags uint8) []byte {
	kind := frameHeaders
	for len(block) > maxFrame {
		dst = append(appendHead(dst, maxFrame, kind, flags, stream), block[:maxFrame]...)
		block, kind, flags = block[maxFrame:], frameContinuation, 0
	}
	return append(appendHead(dst, len(block), kind, flags|flagEndHeaders, stream), block...)
}

// percent encodes a message as gRPC wants it.
func percent(s string) string {
	plain := func(c byte) bool { return ' ' <= c && c <= '~' && c != '%' }
	i := 0
	for i < len(s) && plain(s[i]) {
		i++
	}
	if i == len(s) && len(s) <= maxMessage {
		return s
	}
	var b strings.Builder
	const hex = "0123456789ABCDEF"
	for _, r := range s { // whole runes, also where the message is cut
		for _, c := range []byte(string(r)) {
			if plain(c) {
				b.WriteByte(c)
				continue
			}
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
		if b.Len() >= maxMessage {
			break
		}
	}
	return b.String()
}

// statusOf is what err is answered with. A handler that gave up because its call had
// ended need not say so.
func statusOf(ctx context.Context, err error) *status.Status {
	var known interface{ GRPCStatus() *status.Status } // its own message, not that of what wraps it
	if errors.As(err, &known) && known.GRPCStatus() != nil {
		return known.GRPCStatus()
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return status.FromContextError(ctx.Err())
	}
	return status.FromContextError(err)
}

// appendTrailerOf appends the headers that err carries.
func appendTrailerOf(dst []byte, err error) []byte {
	var carrier interface{ Trailer() metadata.MD }
	if !errors.As(err, &carrier) {
		return dst
	}
	for name, values := range carrier.Trailer() {
		for _, v := range values {
			if strings.HasSuffix(name, "-bin") {
				v = base64.RawStdEncoding.EncodeToString([]byte(v))
			}
			if validName(name) && validValue(v) {
				dst = appendField(dst, name, v)
			}
		}
	}
	return dst
}
