package tabular

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/feature"
)

// Limits of what is read.
const (
	// MaxLine is the longest line, CSV record or JSON form of a Parquet row, in bytes.
	MaxLine = 16 << 20
	// MaxFooter is the longest footer of a Parquet file, in bytes.
	MaxFooter = 16 << 20
	// MaxPage is the largest page of a Parquet file before compression, in bytes.
	MaxPage = 64 << 20
	// MaxValues is how many values a page of a Parquet file may hold.
	MaxValues = 16 << 20
	// MaxRatio is how many times larger than in the file a page above 8 MiB may be.
	MaxRatio = 100
	// MaxGrowth is how many times larger than the file its rows as JSON may be,
	// beyond the first 64 MiB.
	MaxGrowth = 1000
)

var (
	// ErrFormat reports a file of a kind that is not read.
	ErrFormat = errors.New("unsupported format")
	// ErrCorrupt reports a file that is not what its name says.
	ErrCorrupt = errors.New("corrupt file")
	// ErrLimit reports a file that is beyond a limit of this package.
	ErrLimit = errors.New("beyond a limit")
)

// EventID is the column that sets the header event_id of a row's write.
const EventID = "event_id"

// Reader reads the rows of one file in their order.
type Reader interface {
	// Next returns the next row as one line of JSON without line end, which the
	// caller may keep, and the text of its column event_id, empty without one. The
	// error is io.EOF after the last row; any other error is final, wraps
	// ErrCorrupt, ErrLimit or an error of the system, and names file and line.
	Next() (line []byte, eventID string, err error)
	// Rows returns how many rows the file has, if its format tells.
	Rows() (n int64, known bool)
	// Close frees what the reader holds; it must be called.
	Close() error
}

// Open opens the file at path by its ending: .jsonl, .ndjson, .csv, .parquet.
//
// Lines of JSON are returned as they stand, malformed ones too; blank ones are
// passed over. CSV has a header and is separated by commas (what is not is refused by
// its header); a value is a number if it is one in the grammar
// of JSON, null if it is empty, and else a string. Parquet values follow the
// file's schema: timestamps and dates as RFC 3339, lists as arrays, groups and
// maps as objects, bytes (16-bit floats among them) as base64, infinities and
// not-a-number as the strings "Infinity", "-Infinity" and "NaN". The column
// event_id is left out of the lines of CSV and Parquet.
//
// The error wraps ErrFormat, ErrCorrupt, ErrLimit or an error of the system.
func Open(path string) (Reader, error) { return OpenTyped(path, nil) }

// OpenTyped is Open with the types that the view declares for columns, by column
// name. In CSV a string column's 007 stays a string, a float column's nan becomes
// "NaN", a bool column's true becomes true, and json and list columns hold JSON
// text. In Parquet a string column may be one of bytes without annotation. A
// value that is not of the declared type becomes a string, for the tap to refuse.
func OpenTyped(path string, columns map[string]feature.Type) (Reader, error) {
	name := filepath.Base(path)
	var open func(*os.File, string, map[string]feature.Type) (Reader, error)
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson":
		open = openLines
	case ".csv":
		open = openCSV
	case ".parquet":
		open = openChild
	default:
		return nil, fmt.Errorf("open %s: ending %q: %w: want .jsonl, .ndjson, .csv or .parquet", name, filepath.Ext(path), ErrFormat)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err // names the path
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("open %s: %w: a directory, not a file", name, ErrFormat)
	}
	r, err := open(f, name, columns)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return r, nil
}
