package tabular

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// named reports whether err is one that the package promises.
func named(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrLimit) || errors.Is(err, ErrFormat)
}

// footer returns data with its footer length replaced.
func footer(data []byte, length uint32) []byte {
	data = bytes.Clone(data)
	binary.LittleEndian.PutUint32(data[len(data)-8:], length)
	return data
}

func TestHostileFooter(t *testing.T) {
	good := orders(t, 10)
	long := make([]byte, MaxFooter+1000)
	copy(long, parquetMagic)
	copy(long[len(long)-4:], parquetMagic)
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"empty":                      {nil, ErrCorrupt},
		"magic alone":                {[]byte("PAR1PAR1"), ErrCorrupt},
		"no magic at the end":        {good[:len(good)-1], ErrCorrupt},
		"encrypted":                  {append(bytes.Clone(good[:len(good)-4]), "PARE"...), ErrFormat},
		"footer of 4 GiB":            {footer(good, math.MaxUint32), ErrCorrupt},
		"footer as long as the file": {footer(good, uint32(len(good))), ErrCorrupt},
		"footer beyond the limit":    {footer(long, MaxFooter+1), ErrLimit},
		"footer of nothing":          {footer(good, 0), ErrCorrupt},
		"footer one byte short":      {footer(good, binary.LittleEndian.Uint32(good[len(good)-8:])-1), ErrCorrupt},
		"text":                       {[]byte(strings.Repeat("not Parquet, ", 100)), ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := readFile(write(t, "x.parquet", tc.data), nil); !errors.Is(err, tc.want) {
				t.Errorf("reading gave %v, want %v", err, tc.want)
			}
		})
	}
}

// TestHostileMutations reads damaged files, each in a child as push does. None may
// end this process, and what is refused is refused with a named error.
func TestHostileMutations(t *testing.T) {
	good := orders(t, 200)
	path := write(t, "x.parquet", nil)
	rng := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 200 {
		if err := os.WriteFile(path, mutate(rng, good), 0o600); err != nil {
			t.Fatal(err)
		}
		lines, _, err := readFile(path, nil)
		if err != nil {
			refused++
		}
		if err != nil && !named(err) || err == nil && len(lines) != 200 {
			t.Errorf("mutation %d: %d lines and %v, want all 200 or a named error", i, len(lines), err)
		}
	}
	if refused < 50 {
		t.Errorf("%d of 200 damaged files were refused, want at least 50", refused)
	}
}

// mutate truncates data, changes some of its bytes, or some of its footer's.
func mutate(rng *rand.Rand, data []byte) []byte {
	if rng.IntN(4) == 0 {
		return data[:rng.IntN(len(data))]
	}
	data = bytes.Clone(data)
	from := 0
	if rng.IntN(2) == 0 {
		from = len(data) - 8 - int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	}
	for range 1 + rng.IntN(4) {
		data[from+rng.IntN(len(data)-from)] = byte(rng.Uint32())
	}
	return data
}

func TestHostileBomb(t *testing.T) {
	type big struct {
		S string `parquet:"s,zstd"`
	}
	zeros := strings.Repeat("0", 1<<20)
	for name, tc := range map[string]struct {
		page, rows int
	}{
		"one page of 200 MiB":       {256 << 20, 200},
		"pages of 30 MiB, 20,000 x": {30 << 20, 60},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := parquet.NewGenericWriter[big](&out, parquet.PageBufferSize(tc.page))
			for range tc.rows {
				if _, err := w.Write([]big{{zeros}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if _, _, err := readFile(write(t, "bomb.parquet", out.Bytes()), nil); !errors.Is(err, ErrLimit) {
				t.Errorf("a bomb of %d bytes gave %v, want ErrLimit", out.Len(), err)
			}
		})
	}
}

func TestHostileRows(t *testing.T) {
	type row struct {
		LongNameOfAColumnWhoseValueNeverChanges string `parquet:"long_name_of_a_column_whose_value_never_changes,dict,zstd"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out)
	batch := make([]row, 1000)
	for i := range batch {
		batch[i] = row{strings.Repeat("x", 2000)}
	}
	for range 100 {
		if _, err := w.Write(batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines, _, err := readFile(write(t, "rows.parquet", out.Bytes()), nil)
	if !errors.Is(err, ErrLimit) {
		t.Errorf("%d bytes that become %d lines of 2 kB gave %v, want ErrLimit", out.Len(), len(lines), err)
	}
}

// hogEnv makes a process of this test take memory beyond its limit.
const hogEnv = "SLUICE_TABULAR_TEST_HOG"

func hog() {
	if err := limitMemory(64 << 20); err != nil {
		os.Exit(0)
	}
	held := make([]byte, 1<<30)
	for i := range held {
		held[i] = 1
	}
	os.Exit(0)
}

// TestMemoryLimit shows that a child cannot take more than its limit.
func TestMemoryLimit(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hogEnv+"=1", "GOTRACEBACK=none")
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("fatal error")) {
		t.Errorf("a child that takes 1 GiB of an allowed 64 MiB ended with %v and %.200q", err, out)
	}
}

// lowEnv has a process of this test take a limit that is lower than a child's, as ulimit -v does.
const lowEnv = "SLUICE_TABULAR_TEST_LOW"

// TestMemoryLimitThatIsThere reads a file where less memory is allowed than a child may
// otherwise have: nobody may raise that.
func TestMemoryLimitThatIsThere(t *testing.T) {
	in, err := os.Open("testdata/types.parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Stdin, cmd.Env = in, append(os.Environ(), lowEnv+"=1", childEnv+"={}")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte(`"natural":18446744073709551615`)) {
		t.Errorf("a child with a limit of its own gave %v and %.300q, want the rows", err, out)
	}
}

func FuzzParquet(f *testing.F) {
	f.Add(orders(f, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := newRows(bytes.NewReader(data), int64(len(data)), nil)
		for n := 0; err == nil && n < 1000; n++ {
			_, _, err = r.next()
		}
		if err != nil && !named(err) && err.Error() != "EOF" {
			t.Fatalf("error %v is not a named one", err)
		}
	})
}
