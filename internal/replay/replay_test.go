package replay

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/rules"
)

// folder is a folder of windows of 300 rows: two numbers, a number of few values, a
// text of four values, one of very many whose tail is long, and a truth.
type folder struct {
	t   *testing.T
	dir string
	rng *rand.Rand
}

func newFolder(t *testing.T, seed uint64) *folder {
	return &folder{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 9))}
}

const header = "amount,level,items,country,shop,paid,at\n"

// row returns the fields of one row.
func (f *folder) row(shift float64) []string {
	zipf := int(math.Pow(1-f.rng.Float64(), -2))
	return []string{
		fmt.Sprintf("%.4f", f.rng.NormFloat64()+shift), fmt.Sprintf("%.3f", math.Exp(f.rng.NormFloat64())), fmt.Sprint(f.rng.IntN(6)),
		[]string{"NL", "NL", "NL", "DE", "DE", "FR", "ES"}[f.rng.IntN(7)], fmt.Sprintf("s%d", zipf), fmt.Sprint(f.rng.IntN(10) > 0), "2026-01-01T00:00:00Z",
	}
}

// window writes the n-th window; change may change each row, or drop it with nil.
func (f *folder) window(n, rows int, shift float64, change func(i int, row []string) []string) {
	f.t.Helper()
	var text strings.Builder
	text.WriteString(header)
	for i := range rows {
		row := f.row(shift)
		if change != nil {
			row = change(i, row)
		}
		if row != nil {
			text.WriteString(strings.Join(row, ",") + "\n")
		}
	}
	f.write(fmt.Sprintf("w%03d.csv", n), text.String())
}

func (f *folder) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) replay(o Options) (setup Setup, all []Window) {
	f.t.Helper()
	r, err := New(f.dir, o, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	err = r.Run(f.t.Context(), func(s Setup) error { setup = s; return nil }, func(w Window) error { all = append(all, w); return nil })
	if err != nil {
		f.t.Fatal(err)
	}
	return setup, all
}

func (w *Window) line(name string) Line {
	for _, l := range w.Lines {
		if l.Feature == name {
			return l
		}
	}
	return Line{}
}

func field(at int, value string, every int) func(int, []string) []string {
	return func(i int, row []string) []string {
		if i%every == 0 {
			row[at] = value
		}
		return row
	}
}

// TestFaults replays a folder with one fault of each kind among quiet windows.
func TestFaults(t *testing.T) {
	f := newFolder(t, 1)
	faults := map[int]struct {
		feature string
		change  func(int, []string) []string
	}{
		30: {"level", func(_ int, row []string) []string { row[1] += "e2"; return row }},
		33: {"amount", field(0, "", 4)},
		36: {"country", field(3, "NL", 1)},
		39: {"items", field(2, "3", 1)},
		42: {"amount", field(0, "much", 3)},
	}
	for n := range 46 {
		f.window(n, 300, 0, faults[n].change)
	}
	setup, all := f.replay(Options{Baseline: 28, Level: 0.001})
	if setup.Files != 46 || setup.Rows != 28*300 || len(setup.Features) != 6 || fmt.Sprint(setup.LeftOut) != "[at]" || setup.Warning != "" {
		t.Errorf("setup %+v", setup)
	}
	quiet := 0
	for i, w := range all {
		fault, planted := faults[28+i]
		if !planted {
			if w.State == rules.Pass {
				quiet++
			}
			continue
		}
		l := w.line(fault.feature)
		if !w.Blocked() || l.State != rules.Fail || l.Severity <= 1 || l.Text == "" || l.Accumulated {
			t.Errorf("%s is %s with %s %+v, want it blocked for it", w.Name, w.State, fault.feature, l)
		}
	}
	if quiet < len(all)-len(faults)-2 {
		t.Errorf("%d of %d quiet windows pass", quiet, len(all)-len(faults))
	}
	if refused := all[42-28]; refused.Refused != 100 || refused.Rows != 200 {
		t.Errorf("%d rows refused, %d taken, want 100 and 200", refused.Refused, refused.Rows)
	}
}

// TestQuiet counts the alarms of folders without a fault, one of whose features has a
// long tail of rare values: against the rate that is asked for.
func TestQuiet(t *testing.T) {
	seeds, windows := 12, 100
	if testing.Short() {
		seeds = 4
	}
	alarms, slow, blocked, judged := 0, 0, 0, 0
	for seed := range seeds {
		f := newFolder(t, uint64(100+seed))
		for n := range windows {
			f.window(n, 300, 0, nil)
		}
		_, all := f.replay(Options{Baseline: 40, Level: 0.001})
		for _, w := range all {
			if w.Blocked() {
				blocked++
			}
			for _, l := range w.Lines {
				judged++
				switch {
				case l.Accumulated:
					slow++
				case l.State != rules.Pass:
					alarms++
				}
			}
		}
	}
	t.Logf("%d feature-windows: %d alarms, %d that add up, %d windows blocked", judged, alarms, slow, blocked)
	if most := 6 + judged/500; alarms > most || slow > most || blocked > 0 {
		t.Errorf("%d alarms and %d that add up of %d, %d windows blocked; want at most %d of each, none blocked", alarms, slow, judged, blocked, most)
	}
}

// TestSlowShift adds a fifth of a standard deviation from a window on: too little for
// one window of 300 rows, and enough for several together.
func TestSlowShift(t *testing.T) {
	f := newFolder(t, 5)
	for n := range 60 {
		shift := 0.0
		if n >= 45 {
			shift = 0.15
		}
		f.window(n, 300, shift, nil)
	}
	_, all := f.replay(Options{Baseline: 40, Level: 0.001})
	found := false
	for i, w := range all {
		l := w.line("amount")
		if l.Accumulated {
			if 40+i < 45 || l.State != rules.Warn || !strings.Contains(l.Text, "windows") || l.Onset == "" {
				t.Errorf("%s: %+v", w.Name, l)
			}
			found = true
		}
	}
	if !found {
		t.Error("the shift was never found")
	}
}

// TestOddWindows replays what windows may also be: each has an answer of its own.
func TestOddWindows(t *testing.T) {
	f := newFolder(t, 2)
	for n := range 20 {
		f.window(n, 300, 0, nil)
	}
	f.write("w020.csv", header)
	f.window(21, 12, 0, nil)
	f.write("w022.csv", "amount,amount\n1,2\n")
	f.write("w023.csv", "amount,more\n"+strings.Repeat("1.5,x\n", 300))
	f.window(24, 300, 0, nil)
	f.window(25, 300, 0, field(2, "much", 1))
	_, all := f.replay(Options{Baseline: 20, Level: 0.001})
	for i, want := range []struct {
		state   rules.State
		problem string
	}{
		{rules.Inconclusive, "no rows"}, {rules.Inconclusive, "too few rows to judge: 12"}, {rules.Inconclusive, "is there twice"}, {rules.Fail, ""}, {rules.Pass, ""}, {rules.Fail, ""},
	} {
		w := all[i]
		if w.State != want.state || !strings.Contains(w.Problem, want.problem) || want.problem == "" && w.Problem != "" {
			t.Errorf("%s is %s (%s), want %s (%s)", w.Name, w.State, w.Problem, want.state, want.problem)
		}
		if len(w.Lines) < 6 {
			t.Errorf("%s has %d lines, want one for each feature", w.Name, len(w.Lines))
		}
	}
	refused := all[5] // every row
	if l := refused.line("items"); l.State != rules.Fail || l.Method != "expect" || refused.line("amount").State != rules.Inconclusive || refused.Refused != 300 {
		t.Errorf("all rows refused: %d, %+v", refused.Refused, refused.Lines)
	}
}

// TestRefusedTexts: what the tap refuses of texts, lists and objects is refused; the row
// counts against the window, and the others are judged.
func TestRefusedTexts(t *testing.T) {
	f := newFolder(t, 7)
	long := strings.Repeat("y", 64<<10)
	for n, tc := range []string{"", "", "", "", "", "", "", "", "", `"text":"a` + "\xff" + `"`, `"text":"` + long + `z"`, `"text":"` + long + `"`, `"list":["` + "\xff" + `"]`, `"list":[1]`, `"list":{"a":1}`, `"doc":{"a":"` + long + `"}`, `"doc":{"a":"` + "\xff" + `"}`, `"list":["a",null]`, `"text":["a"]`, `"text":1`} {
		var text strings.Builder
		for i := range 250 {
			row := []string{fmt.Sprintf(`"text":"t%d"`, f.rng.IntN(5)), `"list":["a","b"]`, `"doc":{"a":1}`}
			for k := range row {
				if name, _, _ := strings.Cut(row[k], ":"); i < 10 && strings.HasPrefix(tc, name) {
					row[k] = tc
				}
			}
			text.WriteString("{" + strings.Join(row, ",") + "}\n")
		}
		f.write(fmt.Sprintf("w%03d.jsonl", n), text.String())
	}
	_, all := f.replay(Options{Baseline: 9, Level: 0.001})
	for i, want := range []uint64{10, 10, 0, 10, 10, 10, 10, 10, 0, 10, 0} {
		if w := all[i]; w.Refused != want || w.Rows != 250-want {
			t.Errorf("%s: %d refused of %d, want %d", w.Name, w.Refused, w.Rows, want)
		}
	}
}

// TestSeason replays a level that comes again every fourth window: with the season it
// passes, and what would be usual a window later does not.
func TestSeason(t *testing.T) {
	f := newFolder(t, 3)
	for n := range 70 {
		shift := float64(n % 4)
		if n == 65 {
			shift = 3 // usual in another window of the season
		}
		f.window(n, 300, shift, nil)
	}
	_, all := f.replay(Options{Baseline: 48, Season: 4, Level: 0.001})
	for i, w := range all {
		if l := w.line("amount"); (l.State != rules.Pass && !l.Accumulated) != (48+i == 65) {
			t.Errorf("%s: %+v", w.Name, l)
		}
	}
	_, flat := f.replay(Options{Baseline: 48, Level: 0.001})
	if l := flat[65-48].line("amount"); l.State == rules.Fail {
		t.Errorf("without a season: %+v, want it lost among the others", l)
	}
}

func TestFewWindows(t *testing.T) {
	f := newFolder(t, 4)
	for n := range 6 {
		f.window(n, 300, 0, nil)
	}
	setup, all := f.replay(Options{Baseline: 3, Level: 0.001})
	if setup.Warning == "" || !all[0].line("amount").Uncalibrated || all[0].Blocked() {
		t.Errorf("setup %+v, first window %+v", setup, all[0])
	}
	for name, o := range map[string]Options{"too many": {Baseline: 6, Level: 0.001}, "none": {Level: 0.001}, "level": {Baseline: 2}, "season": {Baseline: 2, Level: 0.001, Season: -1}} {
		if _, err := New(f.dir, o, nil); !errors.Is(err, ErrFiles) && !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(filepath.Join(f.dir, "none"), Options{Baseline: 2, Level: 0.001}, nil); err == nil {
		t.Error("a folder that is not there gave no error")
	}
	few := newFolder(t, 6)
	for n := range 4 {
		few.window(n, 10, 0, nil)
	}
	r, err := New(few.dir, Options{Baseline: 2, Level: 0.001}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context(), nil, nil); !errors.Is(err, ErrFiles) || !strings.Contains(err.Error(), "want 200 in all") {
		t.Errorf("twenty rows of history: %v", err)
	}
}
