package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/parquet-go/parquet-go"
)

var mutations = flag.Int("mutations", 300, "damaged Parquet files that TestDamagedParquet reads")

type parquetRow struct {
	Amount float64  `parquet:"amount"`
	N      *int64   `parquet:"n,optional"`
	Text   string   `parquet:"text,dict,zstd"`
	Tags   []string `parquet:"tags,list"`
}

func parquetFile(t *testing.T, rows int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&out)
	for i := range rows {
		r := parquetRow{Amount: float64(i) / 7, Text: fmt.Sprint("t", i%5), Tags: []string{"a", "b"}[:i%3]}
		if i%4 > 0 {
			n := int64(i)
			r.N = &n
		}
		if _, err := w.Write([]parquetRow{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestOddFiles gives the program, as it is built, files that nobody hopes for. Each
// gets an answer by name: never a panic, never a silent zero.
func TestOddFiles(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v %s", err, out)
	}
	good := parquetFile(t, 50)
	longFooter := bytes.Clone(good)
	binary.LittleEndian.PutUint32(longFooter[len(good)-8:], 1<<31)
	var categories strings.Builder
	categories.WriteString("x\n")
	for i := range 4000 {
		fmt.Fprintf(&categories, "k%d\n", i%2000)
	}
	for name, tc := range map[string]struct {
		file, text string
		code       int      // of profile, and of compare with x 1, 2
		profile    []string // in the JSON or the error
		compare    []string
	}{
		"empty CSV":           {"a.csv", "", 0, []string{`"rows":0,"problem":"no rows","columns":[]`}, []string{`"rows_current":0,"problem":"no rows in the current file"`, `"column":"x"`, `"only_baseline":[]`}},
		"empty JSON lines":    {"a.jsonl", "", 0, []string{`"rows":0,"problem":"no rows","columns":[]`}, []string{`"rows_current":0,"problem":"no rows in the current file"`, `"column":"x"`, `"only_baseline":[]`}},
		"header alone":        {"a.csv", "x\n", 0, []string{`"rows":0,"problem":"no rows"`, `"column":"x"`}, []string{`"rows_current":0,"problem":"no rows in the current file"`, `"column":"x"`, `"only_baseline":[]`}},
		"one row":             {"a.csv", "x\n1\n", 0, []string{`"n":1`, `"std":null`}, []string{`"n_current":1`, `"std":null`}},
		"all null":            {"a.csv", "x,y\n,1\n,1\n", 0, []string{`"n":0,"nulls":2`, `"mean":null`}, []string{`nothing but nulls in the current file`}},
		"constant":            {"a.csv", "x\n3\n3\n", 0, []string{`"distinct":1`, `"std":0`}, []string{`"std":0`}},
		"infinities":          {"a.csv", "x\ninf\n-inf\n1\n", 0, []string{`"infinite":2`, `"max":1`}, []string{`"n_current":3`, `"max":1`}},
		"infinities alone":    {"a.csv", "x\ninf\n-inf\n", 0, []string{`"infinite":2`, `"mean":null`}, []string{`"mean":null`}},
		"subnormal":           {"a.csv", "x\n5e-324\n1e-320\n", 0, []string{`"min":5e-324`}, []string{`"min":5e-324`}},
		"1e308":               {"a.csv", "x\n1e308\n-1e308\n", 0, []string{`"max":1e+308`}, []string{`"max":1e+308`}},
		"2,000 categories":    {"a.csv", categories.String(), 0, []string{`"distinct":2000`}, []string{"numbers in the baseline, texts in the current file"}},
		"invalid UTF-8":       {"a.csv", "x\n\xff\xfe\n", 0, []string{`"distinct":1`, `"kind":"categorical"`}, []string{`"kind":"categorical"`}},
		"invalid JSON":        {"a.jsonl", "{\"x\":\n", 1, []string{"row 1"}, []string{"row 1"}},
		"text of 1 MiB":       {"a.csv", "x\n" + strings.Repeat("y", 1<<20) + "\n", 0, []string{`"distinct":1`}, []string{`"unseen_share":1`}},
		"line of 17 MiB":      {"a.jsonl", `{"x":"` + strings.Repeat("y", 17<<20) + `"}`, 1, []string{"beyond a limit"}, []string{"beyond a limit"}},
		"another type":        {"a.csv", "x\na\nb\n", 0, []string{`"kind":"categorical"`}, []string{"numbers in the baseline, texts in the current file: compared as categories"}},
		"Parquet":             {"a.parquet", string(good), 0, []string{`"rows":50`, `"column":"amount"`}, []string{`"problem":"no column is in both files"`, `"only_current":["amount"`, "sluice: compare a.parquet with plain.csv: no column is in both files"}},
		"truncated Parquet":   {"a.parquet", string(good[:len(good)/2]), 1, []string{"corrupt file"}, []string{"corrupt file"}},
		"Parquet of nothing":  {"a.parquet", "", 1, []string{"corrupt file"}, []string{"corrupt file"}},
		"footer of 2 GiB":     {"a.parquet", string(longFooter), 1, []string{"corrupt file"}, []string{"corrupt file"}},
		"encrypted":           {"a.parquet", string(good[:len(good)-4]) + "PARE", 1, []string{"encrypted Parquet"}, []string{"encrypted Parquet"}},
		"text as Parquet":     {"a.parquet", strings.Repeat("no Parquet ", 50), 1, []string{"corrupt file"}, []string{"corrupt file"}},
		"unknown ending":      {"a.xlsx", "x\n1\n", 1, []string{"unsupported format"}, []string{"unsupported format"}},
		"lists of nothing":    {"a.jsonl", "{\"x\":[]}\n{\"x\":[null]}\n{\"x\":null}\n", 0, []string{`"type":"list<string>"`, `"n":2,"nulls":1`}, []string{"numbers in the baseline, lists in the current file: compared by that alone"}},
		"deep lists":          {"a.jsonl", `{"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}\n", 0, []string{`"type":"json"`, `"part":"$[]`}, []string{"objects in the current file"}},
		"too deep lists":      {"a.jsonl", `{"x":` + strings.Repeat("[", 90000) + strings.Repeat("]", 90000) + "}\n", 1, []string{"exceeded max depth"}, []string{"exceeded max depth"}},
		"list without an end": {"a.jsonl", "{\"x\":[1,\"a\n", 1, []string{"row 1"}, []string{"row 1"}},
		"odd elements":        {"a.jsonl", `{"x":[1e308,-1e308,5e-324,"Infinity","NaN",1e999]}` + "\n", 0, []string{`"type":"list<float64>"`, `"infinite":2`, `"max":1e+308`}, []string{"lists in the current file"}},
		"broken elements":     {"a.jsonl", "{\"x\":[\"\xff\xfe\"]}\n", 0, []string{`"type":"list<string>"`}, []string{"lists in the current file"}},
		"long elements":       {"a.jsonl", `{"x":["` + strings.Repeat("y", 1<<20) + `"]}`, 0, []string{`"type":"list<string>"`}, []string{"lists in the current file"}},
		"2,000 paths":         {"a.jsonl", `{"x":{` + strings.TrimSuffix(manyKeys(2000), ",") + "}}\n", 0, []string{`"type":"json"`, `"part":"$.k1"`, `"parts_left_out":56`}, []string{"objects in the current file"}},
		"cards in keys":       {"a.jsonl", `{"x":{"4111111111111111":["4111111111111111"]}}` + "\n", 0, []string{`"cards":1`, "****"}, []string{"objects in the current file"}},
		"times out of range":  {"a.csv", "x\n0001-01-01T00:00:00Z\n9999-12-31T23:59:59Z\n", 0, []string{`"times":true`}, []string{`"n_current":2`}},
		"payment card number": {"a.csv", "x\n4111111111111111a\n4111111111111111a\n", 0, []string{`"cards":2`, `****************a`}, []string{`****************a`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file, plain := filepath.Join(dir, tc.file), filepath.Join(dir, "plain.csv")
			for path, text := range map[string]string{file: tc.text, plain: "x\n1\n2\n"} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			run := func(code int, want []string, args ...string) {
				t.Helper()
				out, _ := exec.Command(program, args...).CombinedOutput()
				compact := strings.NewReplacer("\n", "", " ", "").Replace(string(out))
				for _, text := range want {
					if !strings.Contains(string(out), text) && !strings.Contains(compact, text) {
						t.Errorf("%s says %.600q, want %q", args[0], out, text)
					}
				}
				for _, never := range []string{"panic", "goroutine", "4111111111111111"} {
					if bytes.Contains(out, []byte(never)) {
						t.Errorf("%s says %.600q", args[0], out)
					}
				}
				if got := exitOf(program, args...); got != code {
					t.Errorf("%v exits with %d, want %d: %.300q", args[:1], got, code, out)
				}
			}
			run(tc.code, tc.profile, "profile", file, "--format", "json")
			run(tc.code, nil, "profile", file)
			if strings.HasPrefix(strings.Join(tc.profile, ""), `"rows":0`) {
				run(1, []string{file[len(dir)+1:] + ": no rows"}, "profile", file, "--suggest")
			} else {
				run(tc.code, nil, "profile", file, "--suggest")
			}
			compared := tc.code
			if strings.HasPrefix(strings.Join(tc.compare, ""), `"problem":"no column`) {
				compared = 1
			}
			run(compared, tc.compare, "compare", plain, file, "--format", "json")
			run(compared, nil, "compare", file, plain)
			folder := filepath.Join(dir, "windows")
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			for i := range 10 {
				if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("w%02d.csv", i)), []byte("x\n1\n2\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(folder, "w99"+filepath.Ext(tc.file)), []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, _ := exec.Command(program, "replay", folder, "--baseline-windows", "8", "--format", "json").CombinedOutput()
			if len(out) == 0 || bytes.Contains(out, []byte("panic")) || bytes.Contains(out, []byte("goroutine")) {
				t.Errorf("replay says %.600q", out)
			}
		})
	}
}

// manyKeys returns members of a JSON object, each followed by a comma.
func manyKeys(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `"k%d":1,`, i)
	}
	return text.String()
}

// exitOf runs a program and returns its exit code.
func exitOf(program string, args ...string) int {
	cmd := exec.Command(program, args...)
	_ = cmd.Run() // the code tells
	return cmd.ProcessState.ExitCode()
}

// TestDamagedParquet profiles damaged Parquet files, thousands if asked to. This process reads
// none of them itself, and goes on; what cannot be read is refused by name.
func TestDamagedParquet(t *testing.T) {
	good := parquetFile(t, 40)
	var group sync.WaitGroup
	var mu sync.Mutex
	read, refused := 0, 0
	const workers = 4
	for worker := range workers {
		dir := t.TempDir()
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 5))
			path := filepath.Join(dir, "x.parquet")
			for range *mutations / workers {
				if err := os.WriteFile(path, damage(rng, good), 0o600); err != nil {
					t.Error(err)
					return
				}
				var out, problems bytes.Buffer
				code := execute(t.Context(), []string{"profile", path, "--format", "json"}, &out, &problems)
				named := strings.Contains(problems.String(), "corrupt file") || strings.Contains(problems.String(), "beyond a limit") || strings.Contains(problems.String(), "unsupported format")
				mu.Lock()
				if code == 0 {
					read++
				} else {
					refused++
				}
				mu.Unlock()
				if code == 0 && !strings.Contains(out.String(), `"rows"`) || code != 0 && (code != 1 || !named) {
					t.Errorf("exit %d: %.300s", code, problems.String())
				}
			}
		})
	}
	group.Wait()
	t.Logf("%d damaged files: %d refused, %d read", read+refused, refused, read)
	if refused < *mutations/4 {
		t.Errorf("%d of %d damaged files were refused, want at least a quarter", refused, *mutations)
	}
}

// damage cuts a file short, or changes a few of its bytes, half the time in its footer.
func damage(rng *rand.Rand, data []byte) []byte {
	if rng.IntN(5) == 0 {
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
