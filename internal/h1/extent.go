package h1

import "bytes"

// extent says where a request that net/http answers ends. What is not plain of form has no
// extent: a head that parse would refuse for how it is written, or a body in chunks with
// extensions or a trailer.
type extent struct {
	left  int64 // bytes that belong to it in any case: of its head, of a body with a length, of a chunk
	state inBody
	size  int64 // of the chunk that begins
	count int   // digits of size

	post bool // its method is POST
}

// inBody is where the body of a request is at, when left is 0.
type inBody uint8

const (
	over        inBody = iota // it has ended
	doubt                     // its end is not known
	inSize                    // within the size of a chunk
	afterSize                 // a line feed is to come
	afterChunk                // the end of a line is to come, after a chunk
	afterChunk2               // its line feed
	afterLast                 // likewise, after the last chunk
	afterLast2
)

// measure reads the head at the front of b, of at most maxHead bytes and most headers, for
// where the request ends. What it takes net/http takes alike, if it takes it at all.
func (e *extent) measure(b []byte, most int) verdict {
	*e = extent{}
	b = b[:min(len(b), maxHead)]
	if len(b) > 0 && (b[0] < 'A' || b[0] > 'Z') {
		return formed
	}
	line, next, v := cutLine(b, 0)
	if v != plain {
		return v
	}
	if !e.requestLine(line.of(b)) {
		return formed
	}
	h := head{length: -1}
	for fields := 0; ; fields++ {
		line, next, v = cutLine(b, next)
		switch {
		case v != plain:
			return v
		case line.from == line.to:
			return e.begin(next, h.length)
		case fields == most:
			return large
		}
		f, ok := cutField(b, line)
		if !ok {
			return formed
		}
		if v := e.special(&h, f.name.of(b), f.value.of(b)); v != plain {
			return v
		}
	}
}

// begin ends the head, of size bytes, of a request whose body has length bytes; -1: it has
// none, unless it has chunks.
func (e *extent) begin(size int, length int64) verdict {
	if e.state == inSize && length >= 0 {
		return formed
	}
	e.left = int64(size) + max(length, 0)
	return plain
}

func (e *extent) requestLine(line []byte) bool {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, ok := bytes.CutSuffix(rest, []byte(lineEnd))
	if !ok || len(target) == 0 || target[0] != '/' {
		return false
	}
	for _, c := range method {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	for _, c := range target {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	e.post = string(method) == "POST"
	return string(method) != "CONNECT" && string(method) != "PRI"
}

// special looks at headers that say where a message ends, or what becomes of the
// connection.
func (e *extent) special(h *head, name, value []byte) verdict {
	switch {
	case is(name, "content-length"):
		return h.setLength(value)
	case is(name, "transfer-encoding"):
		if e.state != over || !is(value, "chunked") {
			return formed
		}
		e.state = inSize
	case is(name, "connection"):
		return h.setConnection(value)
	case is(name, "trailer"), is(name, "upgrade"), is(name, "http2-settings"):
		return formed
	}
	return plain
}

// take returns how many of b, which follows what was taken before, belong to the request.
// Where that is in doubt all do.
func (e *extent) take(b []byte) int {
	n := 0
	for n < len(b) {
		if e.left > 0 {
			k := min(e.left, int64(len(b)-n))
			e.left -= k
			n += int(k)
			continue
		}
		switch e.state {
		case over:
			return n
		case doubt:
			return len(b)
		}
		e.state = e.next(b[n])
		n++
	}
	return n
}

// ended reports whether all of the request was taken.
func (e *extent) ended() bool { return e.left == 0 && e.state == over }

// next returns the state after c, which is no part of a chunk.
func (e *extent) next(c byte) inBody {
	switch {
	case e.state == inSize && c == '\r' && e.count > 0:
		return afterSize
	case e.state == inSize:
		digit := hex(c)
		if e.count++; digit < 0 || e.count > 8 {
			return doubt
		}
		e.size = e.size<<4 | int64(digit)
		return inSize
	case e.state == afterSize && c == '\n':
		e.left, e.size, e.count = e.size, 0, 0
		if e.left == 0 {
			return afterLast
		}
		return afterChunk
	case e.state == afterChunk && c == '\r':
		return afterChunk2
	case e.state == afterChunk2 && c == '\n':
		return inSize
	case e.state == afterLast && c == '\r':
		return afterLast2
	case e.state == afterLast2 && c == '\n':
		return over
	}
	return doubt
}

// hex returns the value of a digit; -1 if c is none.
func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= lower(c) && lower(c) <= 'f':
		return int(lower(c)-'a') + 10
	}
	return -1
}
