package replay

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What files of history do not agree about, and what of the folder is not read, is told: a
// single text in one file has a number judged as texts in all of them.
func TestNotes(t *testing.T) {
	f := newFolder(t, 41)
	for n := range 12 {
		f.window(n, 300, 0, nil)
	}
	f.window(3, 300, 0, func(i int, row []string) []string {
		if i == 7 {
			row[0] = "n/a"
		}
		return row
	})
	f.write("w004.csv", strings.Replace(header, ",at", "", 1)+strings.Repeat("1,1,1,NL,s1,true\n", 100))
	f.write("w005.csv", header)
	f.write("w006.csv", "")
	f.write("w010.csv", strings.Replace(header, "\n", ",extra\n", 1)+strings.Repeat("1,1,1,NL,s1,true,2026-01-01T00:00:00Z,5\n", 100))
	for _, name := range []string{"w020.csv.gz", "notes.txt", "_SUCCESS", ".w.csv.crc"} {
		f.write(name, "x")
	}
	if err := os.Mkdir(filepath.Join(f.dir, "day=1"), 0o700); err != nil {
		t.Fatal(err)
	}
	setup, all := f.replay(Options{Baseline: 8, Level: 0.001})
	want := []string{
		"amount is float64 in 5 files and string in 1 file (w003.csv) in history: all of it is judged as string",
		"without rows in history: w005.csv, w006.csv",
		"passed over, since only .parquet, .csv, .jsonl and .ndjson files are read: day=1, notes.txt, w020.csv.gz",
	}
	if !slices.Equal(setup.Notes, want) {
		t.Errorf("notes\n%s\nwant\n%s", strings.Join(setup.Notes, "\n"), strings.Join(want, "\n"))
	}
	for i, w := range all {
		if fresh := []string{"extra"}; slices.Equal(w.New, fresh) != (w.Name == "w010.csv") {
			t.Errorf("window %d, %s: new columns %v", i, w.Name, w.New)
		}
	}
}

// A column that most files of history have and one has not is null there, and that is told.
func TestNotesOfAbsentColumns(t *testing.T) {
	f := newFolder(t, 42)
	for n := range 10 {
		f.window(n, 300, 0, nil)
	}
	f.write("w002.csv", "amount,country,rare\n"+strings.Repeat("1,NL,1\n", 100))
	setup, _ := f.replay(Options{Baseline: 8, Level: 0.001})
	for _, want := range []string{"level is not in w002.csv of history: null there", "shop is not in w002.csv of history: null there"} {
		if !slices.Contains(setup.Notes, want) {
			t.Errorf("no %q in\n%s", want, strings.Join(setup.Notes, "\n"))
		}
	}
	if slices.ContainsFunc(setup.Notes, func(note string) bool { return strings.HasPrefix(note, "rare") }) {
		t.Errorf("a column that most files lack is told of\n%s", strings.Join(setup.Notes, "\n"))
	}
}

// Where nothing is to be told there are no notes, and a folder of files that are not read says
// which they are.
func TestNoNotes(t *testing.T) {
	f := newFolder(t, 43)
	for n := range 10 {
		f.window(n, 300, 0, nil)
	}
	setup, all := f.replay(Options{Baseline: 8, Level: 0.001})
	if len(setup.Notes) > 0 || len(all[0].New) > 0 {
		t.Errorf("notes %q, new columns %q; want none", setup.Notes, all[0].New)
	}
	other := newFolder(t, 43)
	other.write("a.csv.gz", "x")
	if _, err := New(other.dir, Options{Baseline: 8, Level: 0.001}, nil); !errors.Is(err, ErrFiles) || !strings.Contains(err.Error(), "are read: a.csv.gz") {
		t.Errorf("New = %v, want ErrFiles that names the file", err)
	}
}

// Names that count without leading zeros are in another order as texts, which is told.
func TestNotesOfOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		files []string
		want  string
	}{
		"leading zeros":  {[]string{"w08.csv", "w09.csv", "w10.csv", "w11.csv"}, ""},
		"none":           {[]string{"w1.csv", "w10.csv", "w11.csv", "w2.csv"}, "w11.csv before w2.csv"},
		"days":           {[]string{"2026-01-31.csv", "2026-02-01.csv", "2026-02-02.parquet"}, ""},
		"days unpadded":  {[]string{"2026-1-1.csv", "2026-1-15.csv", "2026-1-9.csv"}, "2026-1-15.csv before 2026-1-9.csv"},
		"no numbers":     {[]string{"a.csv", "ab.csv", "b.csv"}, ""},
		"two numbers":    {[]string{"p1-9.csv", "p2-1.csv", "p2-2.csv"}, ""},
		"a number twice": {[]string{"w01.csv", "w1.csv", "w2.csv"}, ""},
		"huge numbers":   {[]string{"w18446744073709551616.csv", "w18446744073709551617.csv", "w2.csv"}, "w18446744073709551617.csv before w2.csv"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Replay{files: tc.files}
			if !slices.IsSorted(tc.files) {
				t.Fatal("the files are in another order than New has them")
			}
			if got := r.noteOrder(); tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("noteOrder() = %q, want %q", got, tc.want)
			}
		})
	}
}
