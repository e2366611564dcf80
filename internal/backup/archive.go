package backup

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrCorrupt reports a file that is no whole archive.
var ErrCorrupt = errors.New("damaged archive")

// ErrRelease reports an archive of a newer form.
var ErrRelease = errors.New("archive of a newer release")

// magic begins every archive; the byte after it is its form.
const (
	magic = "sluice-backup\n"
	form  = 1
)

// Header is what an archive says about itself.
type Header struct {
	MadeAt       time.Time `json:"made_at"`
	Release      string    `json:"release"`
	Registry     string    `json:"registry"`     // sqlite | postgres
	Installation string    `json:"installation"` // hex
	Generation   uint64    `json:"generation"`   // of the definitions
}

// Table is one table of the registry.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Summary is what an archive holds; its last record.
type Summary struct {
	Tables map[string]uint64 `json:"tables"` // rows by table
	States int               `json:"states"` // of source partitions
	SHA256 string            `json:"sha256"` // of all records before, uncompressed
}

// Rows returns how many rows all tables have.
func (s Summary) Rows() (n uint64) {
	for _, rows := range s.Tables {
		n += rows
	}
	return n
}

// The kinds of records. A record is its kind, the length of its body, and the body.
const (
	kindHeader = 'h' // JSON
	kindState  = 's' // opaque
	kindTable  = 't' // JSON
	kindRow    = 'r' // of the last table
	kindEnd    = 'e' // JSON
)

// maxRecord bounds a record in bytes.
const maxRecord = 256 << 20

// The kinds of values.
const (
	valueNull  = 'n'
	valueInt   = 'i'
	valueText  = 't'
	valueBytes = 'b'
)

// appendRow appends the values of a row: nil, int64, string and []byte.
func appendRow(dst []byte, values []any) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			dst = append(dst, valueNull)
		case int64:
			dst = binary.AppendVarint(append(dst, valueInt), v)
		case string:
			dst = binary.AppendUvarint(append(dst, valueText), uint64(len(v)))
			dst = append(dst, v...)
		case []byte:
			dst = binary.AppendUvarint(append(dst, valueBytes), uint64(len(v)))
			dst = append(dst, v...)
		default:
			return dst, fmt.Errorf("value of type %T has no form", v)
		}
	}
	return dst, nil
}

// decodeRow reads what appendRow wrote; ErrCorrupt for other bytes. The values share no
// memory with b.
func decodeRow(b []byte) ([]any, error) {
	short := fmt.Errorf("row: %w", ErrCorrupt)
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)) {
		return nil, short
	}
	b = b[size:]
	values := make([]any, 0, n)
	for range n {
		if len(b) == 0 {
			return nil, short
		}
		kind := b[0]
		b = b[1:]
		switch kind {
		case valueNull:
			values = append(values, nil)
		case valueInt:
			v, size := binary.Varint(b)
			if size <= 0 {
				return nil, short
			}
			values, b = append(values, v), b[size:]
		case valueText, valueBytes:
			length, size := binary.Uvarint(b)
			if size <= 0 || length > uint64(len(b)-size) {
				return nil, short
			}
			body := b[size : size+int(length)]
			if b = b[size+int(length):]; kind == valueText {
				values = append(values, string(body))
			} else {
				values = append(values, append([]byte{}, body...))
			}
		default:
			return nil, short
		}
	}
	if len(b) != 0 {
		return nil, short
	}
	return values, nil
}

func decodeJSON(b []byte, to any, what string) error {
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrCorrupt, err)
	}
	return nil
}

// recordSize reads the length of a record's body.
func recordSize(n uint64) (int, error) {
	if n > maxRecord || n > math.MaxInt {
		return 0, fmt.Errorf("a record of %d bytes: %w", n, ErrCorrupt)
	}
	return int(n), nil
}
