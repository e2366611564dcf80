package tabular

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// What a child writes to its standard output: a frame with the number of rows,
// one per row (event id and line) or, without rows, one per column (its name), and
// at the end one that says so or one with an error (its kind and text). A stream
// without such an end was cut.
const (
	frameRows   = 'n'
	frameRow    = 'r'
	frameColumn = 'c'
	frameEnd    = 'z'
	frameError  = 'e'

	// maxID is the longest event id, in bytes.
	maxID = 64 << 10
)

// frames writes frames: a kind and two texts, each with its length before it.
type frames struct{ out *bufio.Writer }

func (f frames) write(kind byte, first, second []byte) error {
	if len(first) > maxID {
		return fmt.Errorf("an %s of %d bytes, at most %d are read: %w", EventID, len(first), maxID, ErrLimit)
	}
	f.out.WriteByte(kind)
	for _, text := range [][]byte{first, second} {
		f.out.Write(binary.AppendUvarint(nil, uint64(len(text))))
		f.out.Write(text)
	}
	_, err := f.out.Write(nil) // the writer keeps its first error
	return err
}

func (f frames) writeRows(n int64) error {
	return f.write(frameRows, nil, binary.AppendUvarint(nil, uint64(n)))
}

// readFrame reads one frame; io.ErrUnexpectedEOF if the stream ends before it does.
func readFrame(in *bufio.Reader) (kind byte, first, second []byte, err error) {
	if kind, err = in.ReadByte(); err == nil {
		if first, err = readText(in, maxID); err == nil {
			second, err = readText(in, MaxLine)
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return kind, first, second, err
}

func readText(in *bufio.Reader, most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil || n == 0 {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("a text of %d bytes, at most %d: %w", n, most, ErrLimit)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(in, text)
	return text, err
}

// errorKind and kindError carry an error's kind between processes.
func errorKind(err error) string {
	for kind, named := range errorKinds {
		if errors.Is(err, named) {
			return kind
		}
	}
	return ""
}

var errorKinds = map[string]error{"format": ErrFormat, "corrupt": ErrCorrupt, "limit": ErrLimit}

// childError is an error that a child met: its text, and the named error it wraps.
type childError struct {
	text string
	kind error
}

func (e *childError) Error() string { return e.text }

func (e *childError) Unwrap() error { return e.kind }
