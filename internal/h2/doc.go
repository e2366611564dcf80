// Package h2 is the HTTP/2 server of the gRPC door: it answers unary calls from the
// bytes of their message, and leaves every other request to an http.Handler.
//
// A connection has one goroutine, which reads; a call runs on a worker whose stack
// has grown already, and its reply is written by whoever writes to the connection at
// that moment, headers, message and trailers at once. What a call costs beside its
// handler is little, and an idle connection holds neither buffers nor timers.
//
// Peers are not trusted: streams, headers, messages, what waits to be written and what
// does not further a call are bounded, and whoever exceeds a bound is told so by status
// or by GOAWAY. Package h2 imports nothing of ours. Servers and calls are safe for
// concurrent use.
//
// Source: RFC 9113 (HTTP/2), RFC 7541 (HPACK), gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md).
package h2
