package tabular

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// restated is a Parquet file as parquet-go reads it right. Version 0.32 gives other
// values than are there, and no error, for
//
//   - pages compressed by LZ4_RAW to more than a third of their size: zeros, or what
//     another page left in memory;
//   - booleans in runs (encoding RLE, pyarrow's own where pages are of version 2): one
//     true of eight, and those after a run whose length is no multiple of eight moved;
//   - a column that is compressed otherwise in a later row group than in the first.
//
// So columns of these kinds are there a second time, after the end of the file, as pages
// without compression whose booleans are in one run of bits, with a footer that leads to
// them. A page is made when it is read, and forgotten when the next ones are.
type restated struct {
	in     io.ReaderAt
	size   int64 // of in
	pages  []*page
	footer []byte
	end    int64 // where the footer begins
	kept   []*page
}

// restate returns f, or if parquet-go reads columns of it wrong, the file restated. odd
// says of each leaf column whether it has to be.
func restate(f *parquet.File, in io.ReaderAt, size int64, odd []bool) (*parquet.File, error) {
	if !slices.Contains(odd, true) {
		return f, nil
	}
	r := &restated{in: in, size: size, end: size}
	meta := *f.Metadata()
	leaves := leavesOf(f.Root(), nil)
	meta.RowGroups = slices.Clone(meta.RowGroups)
	for g := range meta.RowGroups {
		group := &meta.RowGroups[g]
		group.Columns = slices.Clone(group.Columns)
		for k := range group.Columns {
			if !odd[k] {
				continue
			}
			if err := r.add(leaves[k], &group.Columns[k].MetaData); err != nil {
				return nil, fmt.Errorf("%s: %w", placeOf(f.Metadata(), g, k), err)
			}
		}
	}
	var err error
	if r.footer, err = thrift.Marshal(new(thrift.CompactProtocol), &meta); err != nil {
		return nil, fmt.Errorf("footer: %w: %w", err, ErrCorrupt)
	}
	r.footer = binary.LittleEndian.AppendUint32(r.footer, uint32(len(r.footer)))
	r.footer = append(r.footer, parquetMagic...)
	f, err = parquet.OpenFile(r, r.end+int64(len(r.footer)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return f, nil
}

// leavesOf appends the leaf columns of c in the order of the file.
func leavesOf(c *parquet.Column, all []*parquet.Column) []*parquet.Column {
	if c.Leaf() {
		return append(all, c)
	}
	for _, child := range c.Columns() {
		all = leavesOf(child, all)
	}
	return all
}

// oddColumns says which leaf columns of a file parquet-go reads wrong.
func oddColumns(meta *format.FileMetaData, runs []bool) []bool {
	odd := slices.Clone(runs)
	for g := range meta.RowGroups {
		for k := range meta.RowGroups[g].Columns {
			codec := meta.RowGroups[g].Columns[k].MetaData.Codec
			odd[k] = odd[k] || codec == format.Lz4Raw || codec != meta.RowGroups[0].Columns[k].MetaData.Codec
		}
	}
	return odd
}

// inRuns reports whether a page holds booleans in runs.
func inRuns(kind format.Type, header *format.PageHeader) bool {
	if kind != format.Boolean {
		return false
	}
	return header.DataPageHeader.Valid && header.DataPageHeader.V.Encoding == format.RLE ||
		header.DataPageHeaderV2.Valid && header.DataPageHeaderV2.V.Encoding == format.RLE
}

// add restates one column of a row group, and has meta lead to it.
func (r *restated) add(leaf *parquet.Column, meta *format.ColumnMetaData) error {
	start, data := r.end, int64(0)
	err := walk(r.in, r.size, meta, func(header *format.PageHeader, body int64) error {
		p, err := newPage(leaf, meta.Codec, *header, body, r.end)
		if err != nil {
			return err
		}
		if header.Type != format.DictionaryPage && data == 0 {
			data = p.at
		}
		r.pages = append(r.pages, p)
		r.end = p.end()
		return nil
	})
	if err != nil {
		return err
	}
	if meta.DictionaryPageOffset != 0 {
		meta.DictionaryPageOffset = start
	} else {
		data = start // a dictionary that the footer does not tell of is found there
	}
	meta.DataPageOffset, meta.Codec = data, format.Uncompressed
	meta.TotalCompressedSize, meta.TotalUncompressedSize = r.end-start, r.end-start
	return nil
}

// ReadAt reads the file, the pages after it and the footer after those.
func (r *restated) ReadAt(dst []byte, at int64) (n int, err error) {
	for n < len(dst) {
		var read int
		switch here := at + int64(n); {
		case here < r.size:
			read, err = r.in.ReadAt(dst[n:min(int64(len(dst)), int64(n)+r.size-here)], here)
			if read > 0 {
				err = nil
			}
		case here < r.end:
			read, err = r.readPage(dst[n:], here)
		case here-r.end < int64(len(r.footer)):
			read = copy(dst[n:], r.footer[here-r.end:])
		default:
			err = io.EOF
		}
		if n += read; err != nil {
			return n, err
		}
	}
	return n, nil
}

// readPage reads from the page that lies at a position.
func (r *restated) readPage(dst []byte, at int64) (int, error) {
	i := sort.Search(len(r.pages), func(i int) bool { return r.pages[i].end() > at })
	p := r.pages[i]
	if err := r.keep(p); err != nil {
		return 0, err
	}
	from := int(at - p.at)
	n := copy(dst, p.made[from:])
	if from+n == len(p.made) {
		r.forget(p)
	}
	return n, nil
}

// keep makes a page that is not there. All that are kept are no larger than one may be.
func (r *restated) keep(p *page) error {
	if p.made != nil {
		return nil
	}
	made, err := p.make(r.in)
	if err != nil {
		return err
	}
	kept := len(made)
	for _, other := range r.kept {
		kept += len(other.made)
	}
	for kept > MaxPage && len(r.kept) > 0 {
		kept -= len(r.kept[0].made)
		r.forget(r.kept[0])
	}
	p.made, r.kept = made, append(r.kept, p)
	return nil
}

func (r *restated) forget(p *page) {
	p.made = nil
	r.kept = slices.DeleteFunc(r.kept, func(other *page) bool { return other == p })
}

// marshalHeader returns the bytes of a page header.
func marshalHeader(header *format.PageHeader) ([]byte, error) {
	var b bytes.Buffer
	err := thrift.NewEncoder(new(thrift.CompactProtocol).NewWriter(&b)).Encode(header)
	return b.Bytes(), err
}
