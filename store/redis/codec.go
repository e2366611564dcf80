package redis

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"

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

// decodeChain reads the answer to HGETALL, which must be all of b, into dst. Rows
// share b's memory.
func decodeChain(b []byte, dst []feature.Record) ([]feature.Record, error) {
	if len(b) > 0 && b[0] == '-' {
		line, _, _ := bytes.Cut(b[1:], crlf)
		return dst, serverError(line)
	}
	n, b, err := cutCount(b, '*')
	if err != nil || n%2 != 0 {
		return dst, fmt.Errorf("answer: %w", ErrCorrupt)
	}
	for ; n > 0; n -= 2 {
		var field, value []byte
		if field, b, err = cutBulk(b); err != nil {
			return dst, err
		}
		if value, b, err = cutBulk(b); err != nil {
			return dst, err
		}
		r, err := decodeRecord(field, value)
		if err != nil {
			return dst, err
		}
		dst = append(dst, r)
	}
	if len(b) > 0 {
		return dst, fmt.Errorf("%d bytes behind the answer: %w", len(b), ErrCorrupt)
	}
	return dst, nil
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
	line, rest, ok := bytes.Cut(b, crlf)
	if !ok || len(line) < 2 || line[0] != kind {
		return 0, nil, fmt.Errorf("answer: %w", ErrCorrupt)
	}
	n, err = strconv.Atoi(string(line[1:]))
	if err != nil || n < 0 {
		return 0, nil, fmt.Errorf("answer: count %.32q: %w", line, ErrCorrupt)
	}
	return n, rest, nil
}

// cutBulk reads a length and as many bytes.
func cutBulk(b []byte) (text, rest []byte, err error) {
	n, b, err := cutCount(b, '$')
	if err != nil {
		return nil, nil, err
	}
	if n > len(b)-len(crlf) || !bytes.HasPrefix(b[n:], crlf) {
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
