package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"

	"github.com/klauspost/compress/zstd"
)

// Record is one part of an archive. Exactly one field is set.
type Record struct {
	State []byte
	Table *Table
	Row   []any // of the last Table
}

// Reader reads an archive from its start. What it returns is to be believed only once
// Next has returned io.EOF: see Verify.
type Reader struct {
	Header Header

	packed  *zstd.Decoder
	in      *bufio.Reader
	sum     hash.Hash
	summary Summary
	table   string
	ended   bool
}

// NewReader reads an archive's header. The error is ErrCorrupt for what is no archive
// and ErrRelease for one of a newer form.
func NewReader(r io.Reader) (*Reader, error) {
	start := make([]byte, len(magic)+1)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(magic)]) != magic {
		return nil, fmt.Errorf("read archive: it does not begin like one: %w", ErrCorrupt)
	}
	if start[len(magic)] != form {
		return nil, fmt.Errorf("read archive: form %d, and this release knows %d: %w", start[len(magic)], form, ErrRelease)
	}
	packed, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20), zstd.WithDecoderMaxMemory(maxRecord))
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	in := &Reader{packed: packed, in: bufio.NewReaderSize(packed, 64<<10), sum: sha256.New(), summary: Summary{Tables: map[string]uint64{}}}
	kind, body, err := in.record()
	if err == nil && kind != kindHeader {
		err = fmt.Errorf("no header: %w", ErrCorrupt)
	}
	if err == nil {
		err = decodeJSON(body, &in.Header, "header")
	}
	if err != nil {
		packed.Close()
		return nil, fmt.Errorf("read archive: %w", err)
	}
	return in, nil
}

// Close lets go of the reader's memory.
func (r *Reader) Close() { r.packed.Close() }

// Next returns the next part. It returns io.EOF after the last one, once everything
// before agrees with the checksum; else ErrCorrupt.
func (r *Reader) Next() (Record, error) {
	record, err := r.next()
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read archive: %w", err)
	}
	return record, err
}

func (r *Reader) next() (Record, error) {
	if r.ended {
		return Record{}, io.EOF
	}
	sum := hex.EncodeToString(r.sum.Sum(nil))
	kind, body, err := r.record()
	if err != nil {
		return Record{}, err
	}
	switch kind {
	case kindState:
		r.summary.States++
		return Record{State: body}, nil
	case kindTable:
		var t Table
		if err := decodeJSON(body, &t, "table"); err != nil {
			return Record{}, err
		}
		if _, twice := r.summary.Tables[t.Name]; twice || t.Name == "" {
			return Record{}, fmt.Errorf("table %.64q comes twice, or has no name: %w", t.Name, ErrCorrupt)
		}
		r.table, r.summary.Tables[t.Name] = t.Name, 0
		return Record{Table: &t}, nil
	case kindRow:
		if r.table == "" {
			return Record{}, fmt.Errorf("a row without a table: %w", ErrCorrupt)
		}
		values, err := decodeRow(body)
		r.summary.Tables[r.table]++
		return Record{Row: values}, err
	case kindEnd:
		return Record{}, r.end(body, sum)
	}
	return Record{}, fmt.Errorf("record of kind %q: %w", kind, ErrCorrupt)
}

// end compares what was read with what the archive says that it holds.
func (r *Reader) end(body []byte, sum string) error {
	var said Summary
	if err := decodeJSON(body, &said, "end"); err != nil {
		return err
	}
	r.summary.SHA256 = sum
	if said.SHA256 != sum || said.States != r.summary.States || !maps.Equal(said.Tables, r.summary.Tables) {
		return fmt.Errorf("the checksum does not fit: %w", ErrCorrupt)
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("bytes after the end: %w", ErrCorrupt)
	}
	r.ended = true
	return io.EOF
}

// Summary is what the archive holds, once Next has returned io.EOF.
func (r *Reader) Summary() Summary { return r.summary }

// record reads one record into memory of its own.
func (r *Reader) record() (kind byte, body []byte, err error) {
	// The cause stays out of the chain: it may be io.EOF, which means another thing.
	broken := func(err error) error { return fmt.Errorf("%w: it ends early: %v", ErrCorrupt, err) }
	if kind, err = r.in.ReadByte(); err != nil {
		return 0, nil, broken(err)
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return 0, nil, broken(err)
	}
	size, err := recordSize(n)
	if err != nil {
		return 0, nil, err
	}
	if body, err = readBody(r.in, size); err != nil {
		return 0, nil, broken(err)
	}
	r.sum.Write(binary.AppendUvarint([]byte{kind}, n)) // never fails
	r.sum.Write(body)
	return kind, body, nil
}

// readBody reads size bytes; memory grows with what is there, not with what is said.
func readBody(in io.Reader, size int) ([]byte, error) {
	const step = 1 << 20
	body := make([]byte, 0, min(size, step))
	for len(body) < size {
		n := min(step, size-len(body))
		body = append(body, make([]byte, n)...)
		if _, err := io.ReadFull(in, body[len(body)-n:]); err != nil {
			return nil, err
		}
	}
	return body, nil
}

// Verify reads an archive to its end and says what it holds.
func Verify(r io.Reader) (Header, Summary, error) {
	in, err := NewReader(r)
	if err != nil {
		return Header{}, Summary{}, err
	}
	defer in.Close()
	for {
		if _, err := in.Next(); errors.Is(err, io.EOF) {
			return in.Header, in.Summary(), nil
		} else if err != nil {
			return in.Header, in.Summary(), err
		}
	}
}
