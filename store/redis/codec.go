package redis

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"sluice/feature"
)

// sink gathers the answers of a batch of reads as they come off the wire.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// ReadFrom is what io.CopyN calls: it tells how much there is to come, so the bytes
// go from the connection's buffer to their place.
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok || limited.N < 0 || limited.N > maxAnswer {
		return 0, fmt.Errorf("answer longer than %d bytes: %w", maxAnswer, ErrCorrupt)
	}
	from, n := len(s.b), int(limited.N)
	s.b = slices.Grow(s.b, n)[:from+n]
	got, err := io.ReadFull(limited, s.b[from:])
	s.b = s.b[:from+got]
	return int64(got), err
}

// maxAnswer is the longest value that is read: Redis stores none that is longer.
const maxAnswer = 512 << 20

// serverError is an error that the server answered with.
type serverError string

func (e serverError) Error() string { return string(e) }

// replyLength returns how long the reply is that b begins with: an array of bulk
// strings, or a line. It is 0 if b does not hold all of it, and -1 if it is none.
func replyLength(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '+', '-', ':':
		if end := bytes.IndexByte(b, '\n'); end > 0 {
			return end + 1
		}
		return moreOf(b)
	case '*':
	default:
		return -1
	}
	n, at := number(b[1:])
	if at <= 0 {
		return at
	}
	at++
	for ; n > 0; n-- {
		if at >= len(b) {
			return 0
		}
		if b[at] != '$' {
			return -1
		}
		size, m := number(b[at+1:])
		if m <= 0 {
			return m
		}
		if at += 1 + m + size + len(crlf); at > len(b) {
			return 0
		}
		if b[at-2] != '\r' || b[at-1] != '\n' {
			return -1
		}
	}
	return at
}

// moreOf is 0 if a line may still end, -1 if it is too long to be one.
func moreOf(b []byte) int {
	if len(b) > maxLine {
		return -1
	}
	return 0
}

// maxLine is the longest line: an error's text.
const maxLine = 4 << 10

// number reads a number and the end of its line. after is where the next line
// begins; 0 if b does not hold all of it, and -1 if it is none up to maxAnswer.
func number(b []byte) (n, after int) {
	for i, c := range b {
		switch {
		case '0' <= c && c <= '9' && i < 10:
			n = 10*n + int(c-'0')
		case c == '\r' && i > 0 && n <= maxAnswer:
			if i+1 == len(b) {
				return 0, 0
			}
			if b[i+1] != '\n' {
				return 0, -1
			}
			return n, i + 2
		default:
			return 0, -1
		}
	}
	return 0, 0
}

// decodeChain reads the answer to HGETALL, which must be all of b, into dst. Rows
// share b's memory, unless own is set: then they are copied, into that of the rows
// which dst held before where it is enough.
func decodeChain(b []byte, dst []feature.Record, own bool) ([]feature.Record, error) {
	n, b, err := cutPairs(b)
	if err != nil {
		return dst, err
	}
	for ; n > 0; n -= 2 {
		var field, value []byte
		if field, value, b, err = cutPair(b); err != nil {
			return dst, err
		}
		r, err := decodeRecord(field, value)
		if err != nil {
			return dst, err
		}
		if own {
			r.Row = append(formerRow(dst), r.Row...)
		}
		dst = append(dst, r)
	}
	if len(b) > 0 {
		return dst, fmt.Errorf("%d bytes behind the answer: %w", len(b), ErrCorrupt)
	}
	return dst, nil
}

// cutPairs reads the head of an answer to HGETALL: n is how many strings follow.
func cutPairs(b []byte) (n int, rest []byte, err error) {
	if len(b) > 0 && b[0] == '-' {
		line, _, _ := bytes.Cut(b[1:], crlf)
		return 0, nil, serverError(line)
	}
	n, rest, err = cutCount(b, '*')
	if err != nil || n%2 != 0 {
		return 0, nil, fmt.Errorf("answer: %w", ErrCorrupt)
	}
	return n, rest, nil
}

// cutPair reads a field and its value.
func cutPair(b []byte) (field, value, rest []byte, err error) {
	if field, rest, err = cutBulk(b); err == nil {
		value, rest, err = cutBulk(rest)
	}
	return field, value, rest, err
}

// formerRow returns the memory of the row that stood behind the records of dst.
func formerRow(dst []feature.Record) []byte {
	if len(dst) < cap(dst) {
		return dst[:len(dst)+1][len(dst)].Row[:0]
	}
	return nil
}

// decodeRecord reads one field of a row's hash.
func decodeRecord(field, value []byte) (feature.Record, error) {
	version, err := decodeField(field)
	if err != nil {
		return feature.Record{}, err
	}
	r, err := feature.DecodeRecord(version, value)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return r, nil
}

var crlf = []byte("\r\n")

// cutCount reads a line of kind and a number.
func cutCount(b []byte, kind byte) (n int, rest []byte, err error) {
	if len(b) == 0 || b[0] != kind {
		return 0, nil, fmt.Errorf("answer: %w", ErrCorrupt)
	}
	n, after := number(b[1:])
	if after <= 0 {
		return 0, nil, fmt.Errorf("answer: count %.32q: %w", b, ErrCorrupt)
	}
	return n, b[1+after:], nil
}

// cutBulk reads a length and as many bytes.
func cutBulk(b []byte) (text, rest []byte, err error) {
	n, b, err := cutCount(b, '$')
	if err != nil {
		return nil, nil, err
	}
	if n > len(b)-len(crlf) || b[n] != '\r' || b[n+1] != '\n' {
		return nil, nil, fmt.Errorf("answer: cut short: %w", ErrCorrupt)
	}
	return b[:n:n], b[n+len(crlf):], nil
}

// mark is what stands behind the last write of a source in a bucket.
type mark struct {
	token  string // of the writer that took the source over
	call   uint64 // which of its calls of the Function
	offset int64  // everything of the source below it was staged before
}

func (m mark) String() string { return fmt.Sprintf("%s %d %d", m.token, m.call, m.offset) }

func decodeMark(text string) (m mark, err error) {
	if n, err := fmt.Sscanf(text, "%s %d %d", &m.token, &m.call, &m.offset); n != 3 || err != nil || m.String() != text {
		return mark{}, fmt.Errorf("mark %.64q: %w", text, ErrCorrupt)
	}
	return m, nil
}
