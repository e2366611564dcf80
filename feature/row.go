package feature

import (
	"encoding/binary"
	"fmt"
)

// Record is what the online store keeps of one entity in one version.
type Record struct {
	Version   Version
	EventTime int64  // Unix nanoseconds
	Seq       uint64 // offset in the log; breaks ties of event time within a version
	Deleted   bool   // the row was deleted at EventTime
	Row       []byte // packed row; empty for a deleted one
}

// Row is a record of an entity on its way to the online store.
type Row struct {
	Key    Key
	Record Record
}

// Newer reports whether r hides o: the later (event time, version, seq).
func (r Record) Newer(o Record) bool {
	if r.EventTime != o.EventTime {
		return r.EventTime > o.EventTime
	}
	if r.Version != o.Version {
		return r.Version > o.Version
	}
	return r.Seq > o.Seq
}

const (
	recordFormat  = 1
	recordDeleted = 1
	recordHeader  = 1 + 1 + 8 + 8
)

// AppendRecord appends the stored form of r, without its version, which the
// store keeps as part of the field's name.
func AppendRecord(dst []byte, r Record) []byte {
	flags := byte(0)
	if r.Deleted {
		flags = recordDeleted
	}
	dst = append(dst, recordFormat, flags)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.EventTime))
	dst = binary.BigEndian.AppendUint64(dst, r.Seq)
	return append(dst, r.Row...)
}

// DecodeRecord reads a stored record of version. Row shares b's memory.
func DecodeRecord(version Version, b []byte) (Record, error) {
	if len(b) < recordHeader || b[0] != recordFormat || b[1]&^recordDeleted != 0 {
		return Record{}, fmt.Errorf("decode record of version %d: %w", version, ErrCorrupt)
	}
	return Record{
		Version:   version,
		Deleted:   b[1]&recordDeleted != 0,
		EventTime: int64(binary.BigEndian.Uint64(b[2:])),
		Seq:       binary.BigEndian.Uint64(b[10:]),
		Row:       b[recordHeader:],
	}, nil
}

// AppendRow appends the packed row of values, one per feature of view in its
// order: for each value that is not null the feature's id, the length, and the
// serialized value, of json the packed one. Ids are never used twice, so a row outlives changes of the
// definition: a feature added later is absent, one removed is passed over.
func AppendRow(dst []byte, view *View, values []Value) []byte {
	var scratch [64]byte
	for i, v := range values {
		if v.IsNull() {
			continue
		}
		value := appendStored(scratch[:0], v)
		dst = binary.AppendUvarint(dst, uint64(view.Features[i].ID))
		dst = binary.AppendUvarint(dst, uint64(len(value)))
		dst = append(dst, value...)
	}
	return dst
}

// EachValue calls fn with each feature id of a packed row and its serialized
// value, which shares row's memory. It returns ErrCorrupt for other bytes.
func EachValue(row []byte, fn func(id uint32, value []byte)) error {
	for len(row) > 0 {
		id, n := binary.Uvarint(row)
		if n <= 0 || id > 1<<32-1 {
			return fmt.Errorf("decode row: %w", ErrCorrupt)
		}
		value, rest, err := cutBytes(row[n:])
		if err != nil {
			return fmt.Errorf("decode row: %w", err)
		}
		fn(uint32(id), value)
		row = rest
	}
	return nil
}
