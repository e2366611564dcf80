package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Writer writes an archive: states, then tables with their rows.
type Writer struct {
	packed  *zstd.Encoder
	out     *bufio.Writer
	sum     hash.Hash
	summary Summary
	table   string
	scratch []byte
}

// NewWriter begins an archive.
func NewWriter(w io.Writer, header Header) (*Writer, error) {
	if _, err := w.Write(append([]byte(magic), form)); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	packed, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	out := &Writer{packed: packed, out: bufio.NewWriterSize(packed, 64<<10), sum: sha256.New(), summary: Summary{Tables: map[string]uint64{}}}
	return out, out.json(kindHeader, header)
}

// State adds what a tap keeps of one source partition.
func (w *Writer) State(body []byte) error {
	w.summary.States++
	return w.record(kindState, body)
}

// Table begins a table.
func (w *Writer) Table(t Table) error {
	w.table = t.Name
	w.summary.Tables[t.Name] = 0
	return w.json(kindTable, t)
}

// Row adds a row of the last table.
func (w *Writer) Row(values []any) (err error) {
	if w.scratch, err = appendRow(w.scratch[:0], values); err != nil {
		return fmt.Errorf("write archive: table %s: %w", w.table, err)
	}
	w.summary.Tables[w.table]++
	return w.record(kindRow, w.scratch)
}

// Close ends the archive, without which it is not whole, and says what it holds.
func (w *Writer) Close() (Summary, error) {
	w.summary.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	err := errors.Join(w.json(kindEnd, w.summary), w.out.Flush(), w.packed.Close())
	if err != nil {
		return w.summary, fmt.Errorf("write archive: %w", err)
	}
	return w.summary, nil
}

func (w *Writer) json(kind byte, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return w.record(kind, body)
}

func (w *Writer) record(kind byte, body []byte) error {
	if len(body) > maxRecord {
		return fmt.Errorf("write archive: a record of %d bytes is more than %d", len(body), maxRecord)
	}
	head := binary.AppendUvarint([]byte{kind}, uint64(len(body)))
	for _, part := range [][]byte{head, body} {
		w.sum.Write(part) // never fails
		if _, err := w.out.Write(part); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
	}
	return nil
}
