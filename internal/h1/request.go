package h1

import (
	"context"
	"net/http"
	"sync"
)

// Handler answers a request. It appends the body of the answer to dst, which is not empty,
// and returns that as Answer.Body; r and what its methods return as bytes are its own until
// it returns. ctx ends with the server, and soon after the client hangs up. A panic ends
// the connection, and nothing else.
type Handler func(ctx context.Context, r *Request, dst []byte) Answer

// Answer is what a handler answers. The server adds Date, Content-Length and, where it
// closes the connection, Connection. Header is not changed.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // dst, and what was appended to it
}

// Request is a request whose head was read.
type Request struct {
	conn  *conn
	head  head
	route *route
	wild  span

	taken bool    // the body was asked for
	err   error   // why it is not whole
	large *[]byte // the body, where it is longer than what a connection reads into
}

// requests are kept for the next: a connection that waits holds none.
var requests = sync.Pool{New: func() any { return &Request{head: head{fields: make([]field, 0, 16)}} }}

func (r *Request) release() {
	fields := r.head.fields[:0]
	freePiece(r.large)
	*r = Request{head: head{fields: fields}}
	requests.Put(r)
}

// Get returns the value of the first header of that name, in any case; empty if there
// is none.
func (r *Request) Get(name string) string {
	b := *r.conn.in
	for _, f := range r.head.fields {
		if n := f.name.of(b); len(n) == len(name) && sameName(n, name) {
			return string(f.value.of(b))
		}
	}
	return ""
}

func sameName(b []byte, name string) bool {
	for i, c := range b {
		if lower(c) != lower(name[i]) {
			return false
		}
	}
	return true
}

// PathValue returns the segment of the path that the pattern calls name.
func (r *Request) PathValue(name string) string {
	if r.route.name != name || name == "" {
		return ""
	}
	return string(r.wild.of(*r.conn.in))
}

// Body reads the body and returns it. The error is io.ErrUnexpectedEOF if the client ends
// it early, os.ErrDeadlineExceeded if it does not come in time, or why it cannot be read;
// the connection is closed after the answer then.
func (r *Request) Body() ([]byte, error) {
	n := int(r.head.length)
	if !r.taken {
		r.taken = true
		r.err = r.conn.collect(r, n)
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case r.large != nil:
		return (*r.large)[:n], nil
	}
	return (*r.conn.in)[r.head.size:][:n], nil
}
