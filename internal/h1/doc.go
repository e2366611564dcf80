// Package h1 is the HTTP/1.1 server of the HTTP door: it answers a handful of requests
// from the bytes of their body, and leaves every other connection to an http.Server.
//
// A connection has one goroutine, which reads a head; a worker calls what answers it, and
// writes the answer in one piece. A head that is anything but plain (another method, path or
// version, a body without a length, a header that changes how a message is read, a line
// that ends or continues in an unusual way) is not taken apart here: the connection goes,
// with all that was read and not answered, to the http.Server. It comes back once that has
// answered if it is known where the request ends, and stays there otherwise. So how strict
// this package is decides who answers, never how a message is understood.
//
// A request that waits for something else than its client is given up soon after the
// client hangs up: its context ends.
//
// An idle connection holds a small buffer and no timer of its own. Peers are not trusted:
// heads, bodies, the time that either may take and that an answer may wait to be taken
// are bounded. Package h1 imports nothing of ours. Servers are safe for concurrent use.
//
// Source: RFC 9112 (HTTP/1.1), and net/http of Go, whose limits and answers are kept.
package h1
