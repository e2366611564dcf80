package tabular

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// oddRow is the i-th row of the files that testdata/make.py has for restated.go.
func oddRow(i int) map[string]any {
	row := map[string]any{"flag": i/13%3 == 1, "some": i*i%11 < 5, "none": nil, "root": math.Sqrt(float64(i)), "word": nil, "flags": nil}
	if i%7 == 3 {
		row["some"] = nil
	}
	if i%5 != 2 {
		word := strconv.FormatFloat(math.Sqrt(float64(i)), 'f', -1, 64)
		if i := math.Sqrt(float64(i)); i == math.Trunc(i) {
			word += ".0" // as Python has it
		}
		row["word"] = word
	}
	if i%9 != 4 {
		flags := []any{}
		for k := range i % 4 {
			flags = append(flags, (i+k)%5 < 2)
		}
		row["flags"] = flags
	}
	return row
}

// TestOddPages reads what parquet-go gives other values for than are there.
func TestOddPages(t *testing.T) {
	for _, name := range []string{"runs1", "runs2", "lz4_1", "lz4_2"} {
		t.Run(name, func(t *testing.T) {
			lines, _, err := readFile(filepath.Join("testdata", name+".parquet"), nil)
			if err != nil || len(lines) != 600 {
				t.Fatalf("reading gave %d lines and %v, want 600", len(lines), err)
			}
			for i, line := range lines {
				var got map[string]any
				if err := json.Unmarshal([]byte(line), &got); err != nil {
					t.Fatal(err)
				}
				if want := oddRow(i); !reflect.DeepEqual(got, want) {
					t.Fatalf("row %d is %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestOddPagesDamaged damages such files: all rows are read, or a named error says why not.
func TestOddPagesDamaged(t *testing.T) {
	for _, name := range []string{"runs1", "runs2", "lz4_1", "lz4_2"} {
		good, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(3, 4))
		refused := 0
		for i := range 400 {
			lines, err := readHere(mutate(rng, good))
			if err != nil {
				refused++
			}
			if err != nil && !named(err) || err == nil && lines != 600 {
				t.Errorf("%s, mutation %d: %d lines and %v, want all 600 or a named error", name, i, lines, err)
			}
		}
		if refused < 100 {
			t.Errorf("%s: %d of 400 damaged files were refused, want at least 100", name, refused)
		}
	}
}

// readHere counts the rows of a file in this process.
func readHere(data []byte) (lines int, err error) {
	r, err := newRows(bytes.NewReader(data), int64(len(data)), nil)
	for ; err == nil; lines++ {
		_, _, err = r.next()
	}
	if err.Error() == "EOF" {
		return lines - 1, nil
	}
	return lines, err
}

// TestCodecsOfRowGroups reads a column that is compressed by one codec in the first row
// group and by another in the second.
func TestCodecsOfRowGroups(t *testing.T) {
	codecs := []struct {
		name   string
		option parquet.WriterOption
	}{
		{"none", parquet.Compression(&parquet.Uncompressed)}, {"zstd", parquet.Compression(&parquet.Zstd)},
		{"snappy", parquet.Compression(&parquet.Snappy)}, {"lz4", parquet.Compression(&parquet.Lz4Raw)},
	}
	for _, first := range codecs {
		for _, second := range codecs {
			t.Run(first.name+" and "+second.name, func(t *testing.T) {
				a, b := orders(t, 90, first.option), orders(t, 90, second.option)
				want, _, err := readFile(write(t, "a.parquet", orders(t, 90)), nil)
				if err != nil {
					t.Fatal(err)
				}
				got, _, err := readFile(write(t, "ab.parquet", joined(t, a, b)), nil)
				if err != nil || !slices.Equal(got, append(want, want...)) {
					t.Fatalf("two row groups gave %d lines and %v, want %d", len(got), err, 2*len(want))
				}
			})
		}
	}
}

// joined returns the Parquet file that has the row groups of a and then those of b.
func joined(t *testing.T, a, b []byte) []byte {
	t.Helper()
	var metas [2]format.FileMetaData
	var bodies [2][]byte
	for i, data := range [][]byte{a, b} {
		end := len(data) - 8 - int(binary.LittleEndian.Uint32(data[len(data)-8:]))
		bodies[i] = data[:end]
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), data[end:len(data)-8], &metas[i]); err != nil {
			t.Fatal(err)
		}
	}
	for g := range metas[1].RowGroups {
		for k := range metas[1].RowGroups[g].Columns {
			meta := &metas[1].RowGroups[g].Columns[k].MetaData
			if meta.DataPageOffset += int64(len(bodies[0])); meta.DictionaryPageOffset != 0 {
				meta.DictionaryPageOffset += int64(len(bodies[0]))
			}
		}
	}
	meta := metas[0]
	meta.NumRows += metas[1].NumRows
	meta.RowGroups = append(meta.RowGroups, metas[1].RowGroups...)
	tail, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		t.Fatal(err)
	}
	all := append(append(bytes.Clone(bodies[0]), bodies[1]...), tail...)
	return append(binary.LittleEndian.AppendUint32(all, uint32(len(tail))), parquetMagic...)
}

func TestBooleans(t *testing.T) {
	for name, tc := range map[string]struct {
		runs []byte
		n    int
		want []byte
		err  error
	}{
		"a repeated value":                  {[]byte{3 << 1, 1}, 3, []byte{0b111}, nil},
		"all bits for true, as parquet-go":  {[]byte{8 << 1, 0xff}, 3, []byte{0b111}, nil},
		"bits after three":                  {[]byte{3 << 1, 1, 1<<1 | 1, 0b10100101}, 11, []byte{0b00101111, 0b101}, nil},
		"an empty run between":              {[]byte{2 << 1, 1, 0, 2 << 1, 0, 1 << 1, 1}, 5, []byte{0b10011}, nil},
		"nothing":                           {nil, 0, []byte{}, nil},
		"fewer than promised":               {[]byte{3 << 1, 1}, 4, nil, ErrCorrupt},
		"bits that are cut off":             {[]byte{2<<1 | 1, 7}, 16, nil, ErrCorrupt},
		"a run without a value":             {[]byte{2 << 1}, 2, nil, ErrCorrupt},
		"a run of 2^63 and what comes next": {append(binary.AppendUvarint(nil, math.MaxUint64-1), 1), 9, []byte{0xff, 1}, nil},
		"2^63 bytes of bits":                {append(binary.AppendUvarint(nil, math.MaxUint64), 1), 9, nil, ErrCorrupt},
		"fewer than none":                   {nil, -1, nil, ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := booleans(tc.runs, tc.n)
			if !errors.Is(err, tc.err) || !bytes.Equal(got, tc.want) {
				t.Errorf("booleans(%v, %d) = %08b, %v, want %08b, %v", tc.runs, tc.n, got, err, tc.want, tc.err)
			}
		})
	}
}

// FuzzBooleans reads what is given as runs, and what parquet-go writes of it.
func FuzzBooleans(f *testing.F) {
	f.Add([]byte{3 << 1, 1, 1<<1 | 1, 0b10100101}, 11)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if got, err := booleans(data, n%(1<<20)); err != nil && !errors.Is(err, ErrCorrupt) || err == nil && len(got) != (n%(1<<20)+7)/8 {
			t.Fatalf("booleans gave %d bytes for %d and %v", len(got), n, err)
		}
		runs, err := new(rle.Encoding).EncodeBoolean(nil, data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := booleans(runs[4:], 8*len(data)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("booleans of %08b gave %08b and %v", data, got, err)
		}
	})
}
