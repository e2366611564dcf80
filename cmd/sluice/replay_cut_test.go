package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/internal/replay"
	"sluice/rules"
)

// TestReplayIsInterrupted: what was judged until then is shown as a table, and said to be a part; one
// JSON document is not begun.
func TestReplayIsInterrupted(t *testing.T) {
	for _, format := range []string{"table", "json"} {
		t.Run(format, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			var stdout, stderr bytes.Buffer
			e := &env{ctx: ctx, stdout: &stdout, stderr: &stderr}
			s := &replayed{cmd: &replayCmd{Format: format, Alpha: 0.001}, env: e, progress: newProgress(&stderr)}
			if err := s.begin(replay.Setup{Files: 40, Baseline: 28, Features: make([]feature.Feature, 2)}); err != nil {
				t.Fatal(err)
			}
			for i, state := range []rules.State{rules.Pass, rules.Fail, rules.Inconclusive} {
				w := replay.Window{Name: fmt.Sprintf("w%02d.csv", 28+i), Rows: 100, State: state, Lines: []replay.Line{{Feature: "x", State: state, Text: "x: moved"}}}
				if err := s.window(w); err != nil {
					t.Fatal(err)
				}
			}
			interrupt()
			err := s.cut(ctx.Err())
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("cut = %v, want context.Canceled", err)
			}
			report(&stderr, err)
			if format == "json" {
				if stdout.Len() > 0 || !strings.Contains(stderr.String(), "sluice: interrupted\n") {
					t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
				}
				return
			}
			for _, want := range []string{"·█?  w28.csv to w30.csv", "2 windows judged: 1 pass (·), 0 warn (!), 1 would have been blocked (█); 1 could not be judged (?).", "1 of 2 features"} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("no %q in\n%s", want, &stdout)
				}
			}
			if want := "sluice: interrupted: 9 of 12 windows were not judged\n"; !strings.Contains(stderr.String(), want) {
				t.Errorf("no %q in %q", want, &stderr)
			}
		})
	}
}

// TestInterrupted: a command that is interrupted says so in a word.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		write(t, dir, fmt.Sprintf("w%02d.csv", i), "x\n"+strings.Repeat("1\n2\n3\n", 100))
	}
	file := write(t, dir, "x.csv", "x\n"+strings.Repeat("1\n2\n3\n", 1000))
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	for _, args := range [][]string{{"replay", filepath.Clean(dir), "--baseline-windows", "8"}, {"profile", file}, {"compare", file, file}} {
		var stdout, stderr bytes.Buffer
		if code := execute(ctx, args, &stdout, &stderr); code != exitFailed || stderr.String() != "sluice: interrupted\n" || stdout.Len() > 0 {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args[0], code, &stdout, &stderr)
		}
	}
}

// TestReplayNotes: what history's files do not agree about, and what later ones have beside, is told
// in the table, and on standard error beside JSON.
func TestReplayNotes(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		text, row := "x,y\n", fmt.Sprintf("%d,2\n3,4\n5,6\n", i)
		switch i {
		case 2:
			row += "n/a,1\n"
		case 10:
			text, row = "x,y,z\n", "1,2,3\n"
		}
		write(t, dir, fmt.Sprintf("w%02d.csv", i), text+strings.Repeat(row, 100))
	}
	write(t, dir, "w12.csv.gz", "x")
	for format, in := range map[string]int{"table": 0, "json": 1, "jsonl": 1} {
		var out [2]bytes.Buffer
		if code := execute(t.Context(), []string{"replay", dir, "--baseline-windows", "8", "--format", format}, &out[0], &out[1]); code != 0 {
			t.Fatalf("%s: exit %d: %s", format, code, &out[1])
		}
		for _, want := range []string{"x is float64 in 7 files and string in 1 file (w02.csv) in history: all of it is judged as string\n", "are read: w12.csv.gz\n", "Not in history, and not judged: z (in 1 window, first w10.csv).\n"} {
			if !strings.Contains(out[in].String(), want) {
				t.Errorf("%s: no %q in\n%s", format, want, &out[in])
			}
		}
	}
}
