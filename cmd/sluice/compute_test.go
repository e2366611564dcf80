package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"sluice/store/tabular"
)

const transformations = "../../examples/transformations/"

// TestComputeExample wants what docs/transformations.md shows.
func TestComputeExample(t *testing.T) {
	s := session{t}
	line := "compute accounts " + transformations + "training.csv -f " + transformations + "accounts.yaml"
	out := s.run(0, line, "!3 rows, 6 computed features")
	page, err := os.ReadFile("../../docs/transformations.md")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.SplitSeq(strings.TrimSpace(out), "\n") {
		if _, computed, _ := strings.Cut(row, `"fraud":`); !strings.Contains(string(page), computed[3:]) {
			t.Errorf("docs/transformations.md does not show %s", computed[3:])
		}
	}
	path := filepath.Join(t.TempDir(), "out.csv")
	s.run(0, line+" -o "+path)
	text, err := os.ReadFile(path)
	if want := "a1,40,8,2,DE,2026-11-29T10:30:00Z,56,DE,2026-11-29T12:00:00Z,0,2.0,false,false,4.04305126783455,40.0,1.5\n"; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s holds\n%s (%v)\nwant a line %s", path, text, err, want)
	}
}

func TestComputeRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := file("plain.yaml", "views: [{name: accounts, entities: [account], features: [{name: n, type: int64}]}]")
	defs := file("defs.yaml", "views: [{name: accounts, entities: [account], features: [{name: n, type: int64}], context: {m: int64}, computed: [{name: share, type: int64, expr: n / m}]}]")
	s := session{t}
	for name, tc := range map[string]struct {
		code       int
		line, want string
	}{
		"no such view":        {1, "compute acounts x.csv -f " + defs, "there is no view acounts in " + defs + ": did you mean accounts?"},
		"nothing computed":    {1, "compute accounts x.csv -f " + plain, "view accounts computes no features"},
		"no such feature":     {1, "compute accounts x.csv --features shar -f " + defs, "view accounts has no computed feature shar: did you mean share?"},
		"no such file":        {1, "compute accounts x.csv -f " + defs, "no such file"},
		"another kind":        {1, "compute accounts " + defs + " -f " + defs, "unsupported format"},
		"another output":      {2, "compute accounts " + file("a.csv", "n,m\n1,2\n") + " -o x.txt -f " + defs, `want .jsonl, .ndjson, .csv or .parquet, or say --format`},
		"column missing":      {1, "compute accounts " + file("b.csv", "n,mm\n1,2\n") + " -f " + defs, "no row has the column m (int64), which share is computed from"},
		"of another type":     {1, "compute accounts " + file("c.jsonl", `{"n":1,"m":2}`+"\n"+`{"n":1,"m":"two"}`) + " -f " + defs, "row 2: column m: a string where int64 is declared"},
		"no JSON":             {1, "compute accounts " + file("d.jsonl", `{"n":1,"m":2`) + " -f " + defs, "row 1: no JSON object"},
		"two objects":         {1, "compute accounts " + file("e.jsonl", `{"n":1,"m":2}{}`) + " -f " + defs, "row 1: more than one JSON object"},
		"column twice":        {1, "compute accounts " + file("f.jsonl", `{"n":1,"n":2,"m":2}`) + " -f " + defs, `row 1: column "n" is there twice`},
		"there already":       {1, "compute accounts " + file("g.csv", "n,m,share\n1,2,3\n") + " -f " + defs, "column share is there already"},
		"other columns later": {1, "compute accounts " + file("h.jsonl", `{"n":1,"m":2}`+"\n"+`{"n":1,"m":2,"k":1}`) + " -o " + filepath.Join(dir, "out.csv") + " -f " + defs, `row 2: column "k" is not in the first row`},
		"failed, strict":      {1, "compute accounts " + file("i.csv", "n,m\n1,2\n1,0\n") + " --strict -f " + defs, "could not be computed for every row: share"},
		"failed":              {0, "compute accounts " + file("i.csv", "n,m\n1,2\n1,0\n") + " -f " + defs, "share failed in 1 rows and is null there: division, first in row 2 (column 3: division by zero)"},
	} {
		t.Run(name, func(t *testing.T) { session{t}.run(tc.code, tc.line, "!"+tc.want) })
	}
	taken := filepath.Join(dir, "taken")
	if err := os.Mkdir(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"jsonl", "csv", "parquet"} {
		s.run(1, "compute accounts "+file("j.csv", "n,m\n1,2\n")+" -o "+taken+" --format "+format+" -f "+defs, "!taken")
	}
	s.run(1, "compute accounts "+file("k.csv", "n,m\n1,2\n,x\n")+" -o "+filepath.Join(dir, "out.parquet")+" -f "+defs, "!row 2: column m: a string")
	for _, pattern := range []string{"*out.*", ".*"} {
		if entries, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(entries) > 0 {
			t.Errorf("a file that was refused left %v", entries)
		}
	}
	if out := s.run(0, "compute accounts "+file("empty.csv", "n,m\n")+" -f "+defs); out != "" {
		t.Errorf("of no rows comes %q", out)
	}
}

// TestComputeParquet reads Parquet with nulls.
func TestComputeParquet(t *testing.T) {
	type row struct {
		N *int64   `parquet:"n,optional"`
		X float64  `parquet:"x"`
		L []string `parquet:"l,list"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out)
	if _, err := w.Write([]row{{N: new(int64(3)), X: 0.5, L: []string{"a"}}, {X: 1, L: nil}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"rows.parquet": out.Bytes(),
		"defs.yaml":    []byte("views: [{name: v, entities: [k], features: [{name: n, type: int64}, {name: l, type: list<string>}], context: {x: float64}, computed: [{name: y, type: float64, expr: 'coalesce(double(n) * x + double(size(l)), x)'}]}]"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := session{t}.run(0, "compute v "+filepath.Join(dir, "rows.parquet")+" -f "+dir)
	if want := `{"n":3,"x":0.5,"l":["a"],"y":2.5}` + "\n" + `{"n":null,"x":1,"l":[],"y":1.0}` + "\n"; got != want {
		t.Errorf("compute gave\n%s\nwant\n%s", got, want)
	}
}

// TestComputeWritesParquet wants the types that the view declares, the narrowest for other
// columns, and that the file gives the same rows again.
func TestComputeWritesParquet(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"defs.yaml": `views: [{name: v, entities: [{name: k, type: string}], features: [{name: n, type: int64}, {name: at, type: timestamp}, {name: l, type: list<float64>}, {name: small, type: int32}, {name: doc, type: json}],
  context: {x: float32, flag: bool}, computed: [{name: y, type: float64, expr: 'double(n) * double(x)'}, {name: z, type: list<int64>, expr: '[n, n + 1]'}, {name: b, type: bytes, expr: 'bytes("a" + string(n))'}, {name: w, type: bool, expr: 'flag || n > 2'}, {name: later, type: timestamp, expr: 'at + duration("1h")'}]}]`,
		"rows.jsonl": `{"k":"007","n":3,"at":"2026-11-29T10:00:00Z","l":[1,"NaN"],"small":7,"doc":{"a":[1]},"x":0.5,"flag":true,"event_time":"2026-11-29T09:59:59.25Z","i":1,"f":1,"f2":"NaN","s":"x","mixed":1,"big":9007199254740993,"none":null,"yes":true}
{"k":"8","n":null,"at":null,"l":[],"small":null,"doc":"text","x":null,"flag":null,"event_time":"2026-11-29T10:00:00Z","i":-2,"f":0.25,"f2":2,"s":"NaN","mixed":"two","big":0.5,"none":null,"yes":false,"new":1e300}
`,
		"empty.jsonl": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, out := session{t}, filepath.Join(dir, "out.parquet")
	line := "compute v " + filepath.Join(dir, "rows.jsonl") + " -f " + filepath.Join(dir, "defs.yaml")
	lines := s.run(0, line)
	s.run(0, line+" -o "+out, "!2 rows, 5 computed features")
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range f.Root().Columns() {
		name := c.Type().String()
		if c.Leaf() {
			name = c.Name() + " " + name
		} else {
			name = c.Name() + " LIST " + c.Column("list").Column("element").Type().String()
		}
		got = append(got, name)
	}
	const micros = "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)"
	want := []string{
		"k STRING", "n INT(64,true)", "at " + micros, "l LIST DOUBLE", "small INT(32,true)", "doc JSON", "x FLOAT", "flag BOOLEAN", "event_time " + micros, "i INT(64,true)", "f DOUBLE", "f2 DOUBLE", "s STRING",
		"mixed JSON", "big JSON", "none STRING", "yes BOOLEAN", "y DOUBLE", "z LIST INT(64,true)", "b BYTE_ARRAY", "w BOOLEAN", "later " + micros, "new DOUBLE",
	}
	if !slices.Equal(got, want) {
		t.Errorf("columns are\n%q, want\n%q", got, want)
	}
	if again := s.run(0, strings.Replace(line, filepath.Join(dir, "rows.jsonl"), reread(t, out), 1)); numbered(t, again) != numbered(t, lines) {
		t.Errorf("the rows of the file are\n%s\nwant\n%s", again, lines)
	}
	if piped := s.run(0, line+" --format parquet"); piped != string(text) {
		t.Error("standard output gets another file")
	}
	s.run(0, strings.Replace(line, "rows.jsonl", "empty.jsonl", 1)+" -o "+out)
	if text, err = os.ReadFile(out); err != nil {
		t.Fatal(err)
	}
	if f, err = parquet.OpenFile(bytes.NewReader(text), int64(len(text))); err != nil || f.NumRows() != 0 || len(f.Root().Columns()) != 5 {
		t.Errorf("of no rows comes a file of %v, %v", f, err)
	}
}

// reread copies a file of rows to one of JSON lines without what was computed.
func reread(t *testing.T, path string) string {
	t.Helper()
	in, err := tabular.OpenTyped(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var text []byte
	for {
		line, _, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		row, err := readRow(line)
		if err != nil {
			t.Fatal(err)
		}
		kept := fileRow{at: map[string]int{}}
		for i, name := range row.names {
			if !slices.Contains([]string{"y", "z", "b", "w", "later"}, name) {
				kept.add(name, row.values[i])
			}
		}
		if text, err = kept.appendLine(text); err != nil {
			t.Fatal(err)
		}
	}
	copied := path + ".jsonl"
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

// numbered returns lines of JSON with their keys in order, every column in each, and numbers
// as float64.
func numbered(t *testing.T, lines string) string {
	t.Helper()
	var all []map[string]any
	names := map[string]any{}
	for line := range strings.Lines(lines) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		for name := range row {
			names[name] = nil
		}
		all = append(all, row)
	}
	for _, row := range all {
		for name := range names {
			if _, ok := row[name]; !ok {
				row[name] = nil
			}
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestServedIsWhatFilesGet pushes random rows and asks the platform for their computed
// features, with context that is random too; a file with the same values gets the same.
func TestServedIsWhatFilesGet(t *testing.T) {
	platform(t)
	dir := t.TempDir()
	s := session{t}
	s.run(0, "apply -f "+transformations+"accounts.yaml", "in force with generation 1")
	s.run(0, "views accounts", "COMPUTED      TYPE     UNIT        READS                        EXPRESSION", "unusual       bool     -           mean_30d,sd_30d,payments_1h  amount_z > 3.0 || payments_1h >= 10",
		"requests bring: amount float64, at timestamp, merchant_country string")
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 7))
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	maybe := func(v any) any {
		if rng.IntN(5) == 0 {
			return nil
		}
		return v
	}
	number := func() any {
		return []any{0, -1.5, "NaN", "Infinity", 1e300, 5e-324, rng.NormFloat64() * 100}[rng.IntN(7)]
	}
	var pushed, file bytes.Buffer
	var keys, contexts []map[string]any
	for i := range 120 {
		key := map[string]any{"account": fmt.Sprintf("r%d", i)}
		row := map[string]any{"account": key["account"], "mean_30d": maybe(number()), "sd_30d": maybe(number()), "payments_1h": maybe(rng.IntN(20)),
			"country": maybe([]string{"DE", "FR", ""}[rng.IntN(3)]), "last_seen": maybe(noon.Add(-time.Duration(rng.IntN(1e6)) * time.Second).Format(time.RFC3339))}
		context := map[string]any{"amount": maybe(number()), "merchant_country": maybe([]string{"DE", "FR"}[rng.IntN(2)]), "at": maybe(noon.Format(time.RFC3339))}
		row["event_time"] = noon.Add(-2 * time.Minute).Format(time.RFC3339)
		if err := json.NewEncoder(&pushed).Encode(row); err != nil {
			t.Fatal(err)
		}
		for name, v := range context {
			row[name] = v
		}
		if err := json.NewEncoder(&file).Encode(row); err != nil {
			t.Fatal(err)
		}
		keys, contexts = append(keys, key), append(contexts, context)
	}
	for name, text := range map[string][]byte{"rows.jsonl": pushed.Bytes(), "training.jsonl": file.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.run(0, "push accounts "+filepath.Join(dir, "rows.jsonl")+" --seal --wait", "pass   publish")
	offline := s.run(0, "compute accounts "+filepath.Join(dir, "training.jsonl"), "!120 rows, 6 computed features")
	if local := s.run(0, "compute accounts "+filepath.Join(dir, "training.jsonl")+" -f "+transformations+"accounts.yaml"); local != offline {
		t.Error("by the server's definitions a file gets other values than by those of the folder")
	}
	names := []string{"amount_z", "unusual", "abroad", "log_amount", "usual_amount", "quiet_hours"}
	var answer rowsAnswer
	at := connection{Server: os.Getenv("SLUICE_SERVER")}
	if err := at.post(t.Context(), "/api/v1/views/accounts/rows", map[string]any{"keys": keys, "features": names, "context": contexts}, &answer); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(offline), "\n")
	if len(lines) != len(answer.Rows) {
		t.Fatalf("%d rows of the file, %d of the server", len(lines), len(answer.Rows))
	}
	values := 0
	for i, r := range answer.Rows {
		row, err := readRow([]byte(lines[i]))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if string(r.Values[name]) != string(row.value(name)) {
				t.Errorf("row %d: %s is served as %s (%s), the file got %s; context %v", i, name, r.Values[name], r.Statuses[name], row.value(name), contexts[i])
			}
			if r.Statuses[name] == "PRESENT" {
				values++
			}
		}
	}
	if values < 200 {
		t.Errorf("only %d values were there to compare", values)
	}
	s.run(0, "get accounts account=r0 --features usual_amount,amount_z --context amount=1", "usual_amount  ")
	s.run(1, "get accounts account=r0 --features amount_z", "!context value amount (float64) is missing", `!send "context": {"amount": value}`)
}
