package sim

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

var (
	cellRuns = flag.Int("sim.cells", 1, "runs of each cell of TestCrashCells, which has 32, and of TestCrashCellsServices")
	patience = flag.Duration("sim.patience", 90*time.Second, "bound of a cell, which takes 5 s on a quiet machine: one that is not done by then is stuck")
)

// cellEnv makes the test binary the process that is killed, in a folder and with the
// trap that it names.
const cellEnv = "SLUICE_SIM_CELL"

func TestMain(m *testing.M) {
	if text := os.Getenv(cellEnv); text != "" {
		if err := victim(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// victim runs a platform until its trap kills it.
func victim(text string) error {
	fields := strings.Split(text, " ")
	nth, err := strconv.Atoi(fields[2])
	if err != nil {
		return err
	}
	limit, err := time.ParseDuration(fields[4])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	s, err := openSite(ctx, fields[0], strings.Join(fields[5:], " "), &trap{step: fields[1], part: "app", nth: nth, after: fields[3] == "true"})
	if err != nil {
		return err
	}
	s.bare = fields[1] == "write"
	return s.run(ctx, func(p *platform) error {
		if err := p.feed(ctx); err != nil {
			return err
		}
		return p.settled(ctx)
	})
}

// TestCrashCells lets each part fail at each step of a version's life, in some of its
// runs before that step took effect and in others after it. What readers see
// meanwhile is never of a window that did not pass, and never goes back; afterwards
// every window has its one verdict, its rows are counted exactly and served, and the
// store is swept.
func TestCrashCells(t *testing.T) {
	table(t, cellSteps, cellParts, func(t *testing.T, step, part string, run int) { cell(t, step, part, run, "") })
}

// table runs cells.
func table(t *testing.T, steps, parts []string, cell func(t *testing.T, step, part string, run int)) {
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			for _, part := range parts {
				for run := range *cellRuns {
					t.Run(fmt.Sprintf("%s/%d", part, run), func(t *testing.T) {
						t.Parallel()
						cell(t, step, part, run)
					})
				}
			}
		})
	}
}

// cell runs one; where names the row store of views that are in a group.
func cell(t *testing.T, step, part string, run int, where string) {
	// Neighbours in the table fail on different sides of the call, and so do two runs.
	nth, after := 1+run/2%3, (slices.Index(slices.Concat(cellSteps, cellCalls), step)+slices.Index(cellParts, part)+run)%2 == 0
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	trap := &trap{step: step, part: part, nth: nth, after: after}
	if part == "app" {
		kill(ctx, t, fmt.Sprintf("%s %s %d %t %s %s", dir, step, nth, after, *patience, where))
		trap = nil
	}
	s, err := openSite(ctx, dir, where, orNone(trap))
	if err != nil {
		t.Fatal(err)
	}
	s.bare = step == "write"
	if trap == nil {
		s.deaths = 1
	}
	err = s.run(ctx, func(p *platform) error {
		if err := p.feed(ctx); err != nil {
			return err
		}
		if err := p.settled(ctx); err != nil {
			return err
		}
		return p.exact(ctx)
	})
	if text, _ := os.ReadFile(filepath.Join(dir, "wrong")); err != nil || len(text) > 0 {
		t.Errorf("%s fails at call %d of %s, after=%t: %v %s", part, nth, step, after, err, text)
	}
	if trap != nil && !trap.hit() {
		t.Errorf("the trap of %s at call %d of %s was not sprung", part, nth, step)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func orNone(t *trap) *trap {
	if t == nil {
		return &trap{}
	}
	return t
}

// kill runs a victim to its death.
func kill(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), cellEnv+"="+text)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || ctx.Err() != nil {
		t.Fatalf("the process was to be killed, and ended with %v: %s", err, out)
	}
}

// settled waits until nothing is left to do: the floors are at their place, and what is
// below them and what is dead is swept.
func (p *platform) settled(ctx context.Context) error {
	for _, v := range p.views {
		last := ""
		err := p.until(ctx, "all of "+v.Name+" is swept", func() (done bool, err error) {
			done, last, err = p.swept(ctx, v)
			return done, err
		})
		if err != nil {
			return fmt.Errorf("%w: %s", err, last)
		}
	}
	return nil
}

// swept reports whether a view is settled, and how far it is.
func (p *platform) swept(ctx context.Context, v cellView) (done bool, text string, err error) {
	versions, err := p.registry.Versions(ctx, v.ID, 0, 0)
	if err != nil {
		return false, "", err
	}
	vector, err := p.registry.Vector(ctx, v.ID)
	done, text = true, fmt.Sprintf("%d versions, floor %d, visible %v", len(versions), vector.Floor, vector.Visible)
	for _, info := range versions {
		if (info.State.Dead() || info.Version <= vector.Floor) && info.Step != feature.StepSwept {
			text, done = text+fmt.Sprintf("; version %d is %s and %s", info.Version, info.State, info.Step), false
		}
	}
	return done && len(versions) == cellWindows && vector.Floor == cellWindows-1, text, err
}

// exact compares what is there with the plan.
func (p *platform) exact(ctx context.Context) error {
	var errs []error
	for _, v := range p.views {
		errs = append(errs, p.planned(ctx, v))
	}
	errs = append(errs, p.toldAll(ctx))
	var sum feature.Counts
	for _, progress := range p.board.Accounting() {
		c := progress.Counts
		if !c.Balanced() {
			errs = append(errs, fmt.Errorf("accounting %+v", c))
		}
		sum.Received, sum.Accepted, sum.Duplicate = sum.Received+c.Received, sum.Accepted+c.Accepted, sum.Duplicate+c.Duplicate
	}
	if want := uint64(len(p.views) * cellWindows * cellRows); sum.Accepted != want || sum.Received != sum.Accepted+sum.Duplicate {
		errs = append(errs, fmt.Errorf("accounting %+v, want %d accepted and the rest duplicate", sum, want))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", errWrong, err)
	}
	return nil
}

// planned compares one view with its plan.
func (p *platform) planned(ctx context.Context, v cellView) error {
	var errs []error
	for n := range cellWindows {
		errs = append(errs, p.window(ctx, v, n))
	}
	verdicts, _, err := p.registry.Verdicts(ctx, v.ID, "", 0)
	windows := 0
	for _, verdict := range verdicts {
		if verdict.Kind == "window" {
			windows++
		}
	}
	if err != nil || windows != cellWindows {
		errs = append(errs, fmt.Errorf("%d verdicts on %d windows: %w", windows, cellWindows, err))
	}
	if err := errors.Join(append(errs, p.chains(ctx, v))...); err != nil {
		return fmt.Errorf("%s: %w", v.Name, err)
	}
	return nil
}

// window holds one window against the plan.
func (p *platform) window(ctx context.Context, v cellView, n int) error {
	info, err := p.registry.VersionOf(ctx, v.ID, cellWindow(n).Start)
	if err != nil {
		return err
	}
	want := feature.StateVisible
	switch n {
	case v.failing:
		want = feature.StateRejected
	case v.holding:
		want = feature.StateExpired
	}
	if info.State != want || info.Rows != cellRows {
		return fmt.Errorf("window %d is %s with %d rows, want %s with %d", n, info.State, info.Rows, want, cellRows)
	}
	if want != feature.StateVisible {
		return nil
	}
	history, err := p.registry.History(ctx, v.ID, info.Window.Start, info.Window.Start.Add(1))
	if err != nil || len(history) != 1 {
		return fmt.Errorf("history of window %d: %d rows: %w", n, len(history), err)
	}
	profile, err := sketch.UnmarshalProfile(history[0].Profile, sketch.Unbinned(v.View))
	if err != nil || profile.Rows != cellRows || profile.Late != 0 {
		return fmt.Errorf("profile of window %d: %+v: %w", n, profile, err)
	}
	return nil
}

// chains wants, of every key, the rows of the last two windows, and none but those.
func (p *platform) chains(ctx context.Context, v cellView) error {
	chains, err := p.read(ctx, v)
	if err != nil {
		return err
	}
	for i, chain := range chains {
		slices.SortFunc(chain, func(a, b feature.Record) int { return cmp.Compare(a.Version, b.Version) })
		if len(chain) != 2 || amount(chain[0]) != v.amountOf(cellWindows-2, i) || amount(chain[1]) != v.amountOf(cellWindows-1, i) {
			return fmt.Errorf("key %d has %d records, want those of the last two windows: %s", i, len(chain), chainText(chain))
		}
	}
	return nil
}

// staged wants the rows of a window that was just judged in the store.
func (p *platform) staged(ctx context.Context, v cellView, n int) error {
	info, err := p.registry.VersionOf(ctx, v.ID, cellWindow(n).Start)
	if err != nil || info.State != feature.StateVisible {
		return err
	}
	chains, err := p.read(ctx, v)
	if err != nil {
		return err
	}
	for i, chain := range chains {
		if !slices.ContainsFunc(chain, func(r feature.Record) bool { return amount(r) == v.amountOf(n, i) }) {
			return p.wrong("window %d of %s is visible, and key %d lacks its row: %s", n, v.Name, i, chainText(chain))
		}
	}
	return nil
}

// read reads the chains of all keys, from the store itself.
func (p *platform) read(ctx context.Context, v cellView) ([][]feature.Record, error) {
	var keys []feature.Key
	for _, name := range cellNames() {
		key, err := feature.NewKey(v.View, []feature.Value{feature.StringValue(name)})
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return p.rows.Read(ctx, v.ID, keys, nil)
}
