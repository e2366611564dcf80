package tabular

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestDamagedPage damages a page of one column in one row group, in a plain file and in a
// compressed one: the error says which, and which rows are lost.
func TestDamagedPage(t *testing.T) {
	for name, options := range map[string][]parquet.WriterOption{"plain": nil, "zstd": {parquet.Compression(&parquet.Zstd)}} {
		good := orders(t, 250, options...)
		f, err := parquet.OpenFile(bytes.NewReader(good), int64(len(good)))
		if err != nil {
			t.Fatal(err)
		}
		for leaf, path := range f.Schema().Columns() {
			column := strings.Join(path, ".")
			t.Run(name+", "+column, func(t *testing.T) {
				meta := &f.Metadata().RowGroups[1].Columns[leaf].MetaData
				bad := bytes.Clone(good)
				end := meta.DataPageOffset + meta.TotalCompressedSize
				for at := end - meta.TotalCompressedSize*2/3; at < end; at++ {
					bad[at] = 0xff
				}
				lines, _, err := readFile(write(t, "x.parquet", bad), nil)
				if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "row group 1 (rows 101 to 200)") || !strings.Contains(err.Error(), `column "`+column+`"`) {
					t.Errorf("%d rows, then %v; want ErrCorrupt with row group 1 and column %q", len(lines), err, column)
				}
			})
		}
	}
}
