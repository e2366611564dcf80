package tabular

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// page is one page of a restated column.
type page struct {
	codec  format.CompressionCodec
	header format.PageHeader // as the file has it
	body   int64             // where the file has what the header tells of
	runs   bool              // holds booleans in runs
	repeat byte              // largest repetition level of the column
	define byte              // largest definition level

	at   int64  // where the page lies in the restated file
	head []byte // its header there
	size int    // of what the header tells of
	made []byte // header and body, while they are read
}

func newPage(leaf *parquet.Column, codec format.CompressionCodec, header format.PageHeader, body, at int64) (*page, error) {
	p := &page{codec: codec, header: header, body: body, at: at, runs: inRuns(format.Type(leaf.Type().Kind()), &header),
		repeat: byte(leaf.MaxRepetitionLevel()), define: byte(leaf.MaxDefinitionLevel()), size: int(header.UncompressedPageSize)}
	if p.runs { // bits take at most that much more than runs do, and the rest is left empty
		p.size += 4 + binary.MaxVarintLen64 + p.values()/8 + 1
	}
	head := header
	head.CompressedPageSize, head.UncompressedPageSize, head.CRC = int32(p.size), int32(p.size), 0
	head.DataPageHeader.V.Statistics, head.DataPageHeaderV2.V.Statistics = format.Statistics{}, format.Statistics{}
	if head.DataPageHeaderV2.Valid {
		head.DataPageHeaderV2.V.IsCompressed = thrift.New(false)
	}
	var err error
	p.head, err = marshalHeader(&head)
	return p, err
}

// end is where the next page lies.
func (p *page) end() int64 { return p.at + int64(len(p.head)+p.size) }

// values is how many values the page holds, nulls among them.
func (p *page) values() int {
	if p.header.DataPageHeaderV2.Valid {
		return int(p.header.DataPageHeaderV2.V.NumValues)
	}
	return int(p.header.DataPageHeader.V.NumValues)
}

// make reads the page from the file and restates it.
func (p *page) make(in io.ReaderAt) ([]byte, error) {
	stored := make([]byte, p.header.CompressedPageSize)
	if n, err := in.ReadAt(stored, p.body); n < len(stored) {
		return nil, fmt.Errorf("page of %d bytes: %w: %w", len(stored), err, ErrCorrupt)
	}
	if sum := crc32.ChecksumIEEE(stored); p.header.CRC != 0 && sum != uint32(p.header.CRC) {
		return nil, fmt.Errorf("a page has the checksum %08x and says %08x: %w", sum, uint32(p.header.CRC), ErrCorrupt)
	}
	levels, values, err := p.split(stored)
	if err != nil {
		return nil, err
	}
	if p.runs {
		if values, err = p.restateRuns(levels, values); err != nil {
			return nil, err
		}
	}
	made := make([]byte, len(p.head)+p.size)
	n := copy(made, p.head)
	n += copy(made[n:], levels)
	if copy(made[n:], values) < len(values) {
		return nil, fmt.Errorf("a page of more than the promised %d bytes: %w", p.header.UncompressedPageSize, ErrCorrupt)
	}
	return made, nil
}

// split returns the levels of a stored page and its values, both without compression.
func (p *page) split(stored []byte) (levels, values []byte, err error) {
	plain := int(p.header.UncompressedPageSize)
	if h := p.header.DataPageHeaderV2; h.Valid {
		n := int(h.V.RepetitionLevelsByteLength) + int(h.V.DefinitionLevelsByteLength)
		if h.V.RepetitionLevelsByteLength < 0 || h.V.DefinitionLevelsByteLength < 0 || n > len(stored) || n > plain {
			return nil, nil, fmt.Errorf("levels of %d bytes in a page of %d: %w", n, len(stored), ErrCorrupt)
		}
		levels, values = stored[:n], stored[n:]
		if !h.V.IsCompressed.Valid || h.V.IsCompressed.V {
			values, err = uncompress(p.codec, values, plain-n)
		}
		return levels, values, err
	}
	if values, err = uncompress(p.codec, stored, plain); err != nil || !p.runs {
		return nil, values, err
	}
	n := 0
	for _, most := range []byte{p.repeat, p.define} {
		if most == 0 {
			continue
		}
		if len(values) < n+4 || uint64(binary.LittleEndian.Uint32(values[n:])) > uint64(len(values)-n-4) {
			return nil, nil, fmt.Errorf("a page ends within its levels: %w", ErrCorrupt)
		}
		n += 4 + int(binary.LittleEndian.Uint32(values[n:]))
	}
	return values[:n], values[n:], nil
}

// uncompress returns data without compression, which are size bytes.
func uncompress(codec format.CompressionCodec, data []byte, size int) (plain []byte, err error) {
	switch {
	case codec == format.Uncompressed || len(data) == 0:
		plain = data
	case codec == format.Lz4Raw:
		plain = make([]byte, size)
		var n int
		if n, err = lz4.UncompressBlock(data, plain); err == nil {
			plain = plain[:n]
		}
	default:
		plain, err = parquet.LookupCompressionCodec(codec).Decode(make([]byte, size), data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", codec, err, ErrCorrupt)
	}
	if len(plain) != size {
		return nil, fmt.Errorf("%s: a page of %d bytes, the file promises %d: %w", codec, len(plain), size, ErrCorrupt)
	}
	return plain, nil
}

// restateRuns returns booleans in runs as one run of bits.
func (p *page) restateRuns(levels, values []byte) ([]byte, error) {
	if len(values) < 4 || uint64(binary.LittleEndian.Uint32(values)) > uint64(len(values)-4) {
		return nil, fmt.Errorf("a page ends within its booleans: %w", ErrCorrupt)
	}
	present, err := p.present(levels)
	if err != nil {
		return nil, err
	}
	packed, err := booleans(values[4:4+binary.LittleEndian.Uint32(values)], present)
	if err != nil {
		return nil, err
	}
	run := binary.AppendUvarint(make([]byte, 4), uint64(len(packed))<<1|1)
	run = append(run, packed...)
	binary.LittleEndian.PutUint32(run, uint32(len(run)-4))
	return run, nil
}

// present is how many values of the page are not null.
func (p *page) present(levels []byte) (int, error) {
	if h := p.header.DataPageHeaderV2; h.Valid {
		return int(h.V.NumValues - h.V.NumNulls), nil
	}
	n := p.values()
	if p.define == 0 {
		return n, nil
	}
	if e := p.header.DataPageHeader.V.DefinitionLevelEncoding; e != format.RLE {
		return 0, fmt.Errorf("definition levels in the encoding %s: %w", e, ErrFormat)
	}
	if p.repeat > 0 {
		levels = levels[4+binary.LittleEndian.Uint32(levels):]
	}
	all, err := (&rle.Encoding{BitWidth: bits.Len8(p.define)}).DecodeLevels(nil, levels[4:])
	if err != nil || len(all) < n {
		return 0, fmt.Errorf("%d of %d definition levels: %w", len(all), n, ErrCorrupt)
	}
	present := 0
	for _, level := range all[:n] {
		if level == p.define {
			present++
		}
	}
	return present, nil
}

// booleans returns the first n booleans of runs, which are repeated values and bits in
// turn, as bits.
func booleans(runs []byte, n int) ([]byte, error) {
	if n < 0 {
		return nil, fmt.Errorf("%d booleans: %w", n, ErrCorrupt)
	}
	packed, done := make([]byte, (n+7)/8), 0
	for done < n {
		head, k := binary.Uvarint(runs)
		if k <= 0 {
			return nil, fmt.Errorf("%d of %d booleans: %w", done, n, ErrCorrupt)
		}
		runs = runs[k:]
		count := head >> 1
		if count == 0 { // some writers leave empty runs
			continue
		}
		if head&1 == 0 {
			if len(runs) == 0 {
				return nil, fmt.Errorf("%d of %d booleans: %w", done, n, ErrCorrupt)
			}
			end := done + int(min(count, uint64(n-done)))
			for ; done < end; done++ {
				packed[done/8] |= runs[0] & 1 << (done % 8)
			}
			runs = runs[1:]
			continue
		}
		take := int(min(count, uint64(n-done+7)/8))
		if take > len(runs) {
			return nil, fmt.Errorf("%d of %d booleans: %w", done+8*len(runs), n, ErrCorrupt)
		}
		for _, eight := range runs[:take] {
			for bit := 0; bit < 8 && done < n; bit, done = bit+1, done+1 {
				packed[done/8] |= eight >> bit & 1 << (done % 8)
			}
		}
		runs = runs[take:]
	}
	return packed, nil
}
