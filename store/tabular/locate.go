package tabular

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// located says where in the file the rows are that err keeps from being read: the rows of
// the open row group, and the column whose pages cannot be read. ReadRows names neither.
func (r *rows) located(err error) error {
	at := r.group - 1
	for leaf, chunk := range r.file.RowGroups()[at].ColumnChunks() {
		if broken := readChunk(chunk); broken != nil {
			return fmt.Errorf("%s: %w", placeOf(r.file.Metadata(), at, leaf), broken)
		}
	}
	return fmt.Errorf("row %d: %w", r.row+1, err) // every column by itself is well
}

// placeOf names a column of a row group, and the rows of the file that are in it.
func placeOf(file *format.FileMetaData, group, column int) string {
	before := int64(0)
	for _, g := range file.RowGroups[:group] {
		before += g.NumRows
	}
	g := &file.RowGroups[group]
	return fmt.Sprintf("row group %d (rows %d to %d), column %.100q", group, before+1, before+g.NumRows, strings.Join(g.Columns[column].MetaData.PathInSchema, "."))
}

// shortest names the first column that lacks a value in the present row.
func (r *rows) shortest() string {
	leaf := slices.IndexFunc(r.leaves, func(values []parquet.Value) bool { return len(values) == 0 })
	return placeOf(r.file.Metadata(), r.group-1, max(0, leaf))
}

// readChunk reads the values of one column of a row group, and forgets them.
func readChunk(chunk parquet.ColumnChunk) (err error) {
	defer caught(&err)
	pages := chunk.Pages()
	defer pages.Close()
	_, err = readPages(pages, make([]parquet.Value, 1024), func(parquet.Value) {})
	return err
}
