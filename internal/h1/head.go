package h1

import "bytes"

// maxHead is the longest head that is taken apart here, in bytes; spans count up to it.
const maxHead = 16 << 10

// span is a range of a head.
type span struct{ from, to uint16 }

func (s span) of(b []byte) []byte { return b[s.from:s.to] }

// field is a header: its name as written, its value without the space around it.
type field struct{ name, value span }

// head is what a plain head says. Its spans are of the bytes that it was parsed from.
type head struct {
	size   int   // bytes, the empty line included
	target span  // the path
	length int64 // bytes of the body
	close  bool  // the client asks to close the connection after the answer
	fields []field

	host, connection bool // was given
}

// verdict is what became of a head.
type verdict uint8

const (
	more   verdict = iota // it is not complete
	plain                 // it is understood
	routed                // it is of another method or path
	formed                // something of it is for net/http to understand
	large                 // it has more bytes or headers than are taken here
)

const (
	lineBegin = "POST /"
	lineEnd   = " HTTP/1.1"
)

// parse reads the head at the front of b, of at most maxHead bytes and most headers. What
// net/http would refuse, or reads in a way of its own, is not plain.
func (h *head) parse(b []byte, most int) verdict {
	*h = head{fields: h.fields[:0], length: -1}
	b = b[:min(len(b), maxHead)]
	line, next, v := cutLine(b, 0)
	if !bytes.HasPrefix(b, []byte(lineBegin)[:min(len(b), len(lineBegin))]) {
		return routed
	}
	if v != plain {
		return v
	}
	if v := h.requestLine(line.of(b), b); v != plain {
		return v
	}
	for {
		line, next, v = cutLine(b, next)
		switch {
		case v != plain:
			return v
		case line.from == line.to:
			return h.complete(next)
		case len(h.fields) == most:
			return large
		}
		if v := h.field(b, line); v != plain {
			return v
		}
	}
}

// cutLine returns the line at from and where the next one begins. A line that does not
// end with CR LF is not plain.
func cutLine(b []byte, from int) (line span, next int, v verdict) {
	n := bytes.IndexByte(b[from:], '\n')
	switch {
	case n < 0:
		return line, 0, more
	case n == 0 || b[from+n-1] != '\r':
		return line, 0, formed
	}
	return span{uint16(from), uint16(from + n - 1)}, from + n + 1, plain
}

// requestLine reads the first line, which begins with lineBegin. b is the head.
func (h *head) requestLine(line, b []byte) verdict {
	if len(line) < len(lineBegin)+len(lineEnd) || !bytes.HasSuffix(line, []byte(lineEnd)) {
		return formed
	}
	h.target = span{uint16(len(lineBegin) - 1), uint16(len(line) - len(lineEnd))}
	for _, c := range h.target.of(b) {
		if classes[c]&inPath == 0 {
			return formed
		}
	}
	return plain
}

// complete ends a head of size bytes.
func (h *head) complete(size int) verdict {
	if h.size = size; !h.host || h.length < 0 {
		return formed
	}
	return plain
}

// field reads a header from its line.
func (h *head) field(b []byte, line span) verdict {
	f, ok := cutField(b, line)
	if !ok {
		return formed
	}
	h.fields = append(h.fields, f)
	return h.special(f.name.of(b), f.value.of(b))
}

// cutField returns the header of a line, if it is one as it should be.
func cutField(b []byte, line span) (f field, ok bool) {
	at := line.from
	for at < line.to && classes[b[at]]&inName != 0 {
		at++
	}
	if at == line.from || at == line.to || b[at] != ':' {
		return f, false
	}
	f = field{span{line.from, at}, span{at + 1, line.to}}
	for f.value.from < f.value.to && isSpace(b[f.value.from]) {
		f.value.from++
	}
	for f.value.from < f.value.to && isSpace(b[f.value.to-1]) {
		f.value.to--
	}
	for _, c := range f.value.of(b) {
		if classes[c]&inValue == 0 {
			return f, false
		}
	}
	return f, true
}

// special looks at headers that say how the message is to be read.
func (h *head) special(name, value []byte) verdict {
	switch len(name) {
	case len("TE"):
		return unless(is(name, "te"))
	case len("Host"):
		if is(name, "host") {
			return h.setHost(value)
		}
	case len("Expect"):
		return unless(is(name, "expect"))
	case len("Upgrade"), len("Transfer-Encoding"):
		return unless(is(name, "upgrade") || is(name, "trailer") || is(name, "transfer-encoding"))
	case len("Connection"):
		if is(name, "connection") {
			return h.setConnection(value)
		}
	case len("Content-Length"):
		if is(name, "content-length") {
			return h.setLength(value)
		}
		return unless(is(name, "http2-settings"))
	case len("Content-Encoding"):
		return unless(is(name, "content-encoding") || is(name, "proxy-connection"))
	}
	return plain
}

func unless(unusual bool) verdict {
	if unusual {
		return formed
	}
	return plain
}

func (h *head) setHost(value []byte) verdict {
	if h.host || len(value) == 0 {
		return formed
	}
	for _, c := range value {
		if classes[c]&inHost == 0 {
			return formed
		}
	}
	h.host = true
	return plain
}

func (h *head) setConnection(value []byte) verdict {
	if h.connection {
		return formed
	}
	h.connection, h.close = true, is(value, "close")
	return unless(!h.close && !is(value, "keep-alive"))
}

// setLength takes digits alone, no more than fit, and no zeros before them.
func (h *head) setLength(value []byte) verdict {
	if h.length >= 0 || len(value) == 0 || len(value) > 10 || value[0] == '0' && len(value) > 1 {
		return formed
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return formed
		}
		n = n*10 + int64(c-'0')
	}
	h.length = n
	return plain
}

// is compares b with text in lower case.
func is(b []byte, text string) bool {
	if len(b) != len(text) {
		return false
	}
	for i, c := range b {
		if lower(c) != text[i] {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// The classes of bytes.
const (
	inName  = 1 << iota // of a header: a token of RFC 9110
	inValue             // visible ASCII, spaces and tabs
	inPath              // what a path holds without an escape, and means itself
	inHost
)

var classes = classify()

func classify() (of [256]uint8) {
	for c := byte(' '); c <= '~'; c++ {
		of[c] |= inValue
	}
	of['\t'] |= inValue
	for c := range byte(128) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			of[c] |= inName | inPath | inHost
		}
	}
	for text, class := range map[string]uint8{"!#$%&'*+-.^_`|~": inName, "/-._~": inPath, "-._:[]": inHost} {
		for _, c := range []byte(text) {
			of[c] |= class
		}
	}
	return of
}
