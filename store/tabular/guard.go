package tabular

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const parquetMagic = "PAR1"

// checkFooter refuses a file whose last bytes promise what cannot be: parquet-go
// allocates the footer length that it is told.
func checkFooter(in io.ReaderAt, size int64) error {
	const tail = 4 + len(parquetMagic)
	if size < int64(len(parquetMagic)+tail) {
		return fmt.Errorf("%d bytes are no Parquet file: %w", size, ErrCorrupt)
	}
	var end [tail]byte
	if _, err := in.ReadAt(end[:], size-int64(tail)); err != nil {
		return err
	}
	if magic := string(end[4:]); magic == "PARE" {
		return fmt.Errorf("encrypted Parquet: %w", ErrFormat)
	} else if magic != parquetMagic {
		return fmt.Errorf("the file does not end with %s: %w", parquetMagic, ErrCorrupt)
	}
	footer := int64(binary.LittleEndian.Uint32(end[:4]))
	if footer > size-int64(len(parquetMagic)+tail) {
		return fmt.Errorf("a footer of %d bytes in a file of %d: %w", footer, size, ErrCorrupt)
	}
	if footer > MaxFooter {
		return fmt.Errorf("a footer of %d bytes, at most %d are read: %w", footer, MaxFooter, ErrLimit)
	}
	return nil
}

// openFile opens a Parquet file that checkFooter has passed, and checks what its
// footer and the headers of its pages promise. Indexes and Bloom filters are not
// read: nothing needs them.
func openFile(in io.ReaderAt, size int64) (*parquet.File, error) {
	if err := checkFooter(in, size); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	runs, err := checkGroups(f, in, size)
	if err != nil {
		return nil, err
	}
	return restate(f, in, size, oddColumns(f.Metadata(), runs))
}

// checkGroups checks the row groups of f, and returns which leaf columns hold booleans
// in runs.
func checkGroups(f *parquet.File, in io.ReaderAt, size int64) (runs []bool, err error) {
	leaves := len(leavesOf(f.Root(), nil))
	runs = make([]bool, leaves)
	rows := int64(0)
	for i, group := range f.Metadata().RowGroups {
		if rows += group.NumRows; group.NumRows < 0 || rows < 0 {
			return nil, fmt.Errorf("row group %d promises %d rows: %w", i, group.NumRows, ErrCorrupt)
		}
		if len(group.Columns) != leaves {
			return nil, fmt.Errorf("row group %d has %d columns, the schema %d: %w", i, len(group.Columns), leaves, ErrCorrupt)
		}
		for k := range group.Columns {
			booleans, err := checkChunk(in, size, &group.Columns[k])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", placeOf(f.Metadata(), i, k), err)
			}
			runs[k] = runs[k] || booleans
		}
	}
	if rows != f.NumRows() {
		return nil, fmt.Errorf("the footer promises %d rows, its row groups %d: %w", f.NumRows(), rows, ErrCorrupt)
	}
	return runs, nil
}

// checkChunk checks the page headers of one column of a row group, and reports whether
// pages hold booleans in runs.
func checkChunk(in io.ReaderAt, size int64, chunk *format.ColumnChunk) (runs bool, err error) {
	if chunk.FilePath != "" || chunk.CryptoMetadata.Value != nil {
		return false, fmt.Errorf("a column that is encrypted or in another file: %w", ErrFormat)
	}
	err = walk(in, size, &chunk.MetaData, func(header *format.PageHeader, _ int64) error {
		runs = runs || inRuns(chunk.MetaData.Type, header)
		return nil
	})
	return runs, err
}

// walk calls visit with the header of each page of one column of a row group, which it
// checks, and with the place of the page's body in the file.
func walk(in io.ReaderAt, size int64, meta *format.ColumnMetaData, visit func(header *format.PageHeader, body int64) error) error {
	start := meta.DataPageOffset
	if meta.DictionaryPageOffset != 0 {
		start = meta.DictionaryPageOffset
	}
	length := meta.TotalCompressedSize
	if start < 0 || length < 0 || start > size || length > size-start {
		return fmt.Errorf("bytes %d to %d of a file of %d: %w", start, start+length, size, ErrCorrupt)
	}
	section := io.NewSectionReader(in, start, length)
	pages := bufio.NewReaderSize(section, 4<<10)
	var protocol thrift.CompactProtocol
	decoder := thrift.NewDecoder(protocol.NewReader(pages))
	for values := int64(0); values < meta.NumValues; {
		var header format.PageHeader
		if err := decoder.Decode(&header); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%d of %d values: %w", values, meta.NumValues, ErrCorrupt)
		} else if err != nil {
			return fmt.Errorf("page header: %w: %w", err, ErrCorrupt)
		}
		n, err := checkPage(&header, length)
		if err != nil {
			return err
		}
		if values += n; values > meta.NumValues {
			return fmt.Errorf("pages hold more than the promised %d values: %w", meta.NumValues, ErrCorrupt)
		}
		read, _ := section.Seek(0, io.SeekCurrent)
		if err := visit(&header, start+read-int64(pages.Buffered())); err != nil {
			return err
		}
		if _, err := pages.Discard(int(header.CompressedPageSize)); err != nil {
			return fmt.Errorf("page of %d bytes: %w: %w", header.CompressedPageSize, err, ErrCorrupt)
		}
	}
	return nil
}

// checkPage checks the promised sizes of one page in a chunk of length bytes, and
// returns how many values it holds; 0 for a dictionary.
func checkPage(header *format.PageHeader, length int64) (values int64, err error) {
	stored, plain := int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
	if stored < 0 || plain < 0 || stored > length {
		return 0, fmt.Errorf("page of %d bytes, %d in the file: %w", plain, stored, ErrCorrupt)
	}
	if plain > MaxPage || plain > 8<<20 && plain > stored*MaxRatio {
		return 0, fmt.Errorf("page of %d bytes, %d in the file; at most %d, or %d times the file's, are read: %w", plain, stored, MaxPage, MaxRatio, ErrLimit)
	}
	switch {
	case header.DataPageHeader.Valid:
		values = int64(header.DataPageHeader.V.NumValues)
	case header.DataPageHeaderV2.Valid:
		values = int64(header.DataPageHeaderV2.V.NumValues)
	case header.DictionaryPageHeader.Valid:
		if n := int64(header.DictionaryPageHeader.V.NumValues); n < 0 || n > MaxValues {
			return 0, fmt.Errorf("dictionary of %d values: %w", n, ErrCorrupt)
		}
		return 0, nil
	}
	if values < 0 || values > MaxValues {
		return 0, fmt.Errorf("page of %d values; at most %d are read: %w", values, MaxValues, ErrLimit)
	}
	return values, nil
}

// caught turns a panic of parquet-go into an error: it indexes by what the file
// says. Use it as defer caught(&err).
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%.200s: %w", fmt.Sprint(p), ErrCorrupt)
	}
}
