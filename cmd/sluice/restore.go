package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/cmd/sluice/app"
	"sluice/internal/backup"
	"sluice/store/registry"
)

type restoreCmd struct {
	File       string      `arg:"" help:"File that sluice backup wrote."`
	ConfigFile string      `name:"config.file" help:"Configuration of the installation; without it everything is embedded." placeholder:"FILE"`
	Rows       bool        `help:"Also fill the online store: stage the rows of all visible and undecided versions again from the log."`
	Parallel   int         `help:"With --rows: so many parts of the log are read at once; 0: twice the processors." default:"0" placeholder:"N"`
	Force      bool        `help:"Replace a registry that is not empty, and stage rows beside others."`
	DryRun     bool        `name:"dry-run" help:"Only check the file, and say what it holds."`
	Yes        bool        `short:"y" help:"Do not ask before --force replaces something."`
	By         string      `help:"Who does it." env:"USER" placeholder:"NAME"`
	Reason     string      `help:"Why, for the audit log." placeholder:"TEXT"`
	Format     string      `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
	Config     configFlags `embed:""`
}

// Help shows examples.
func (*restoreCmd) Help() string {
	return "Stop the platform first. The registry changes in one transaction, whatever kind of database the backup came from, and every process that worked on it is fenced. " +
		"The taps go on from where they were at the backup, so that windows judged since are judged again, as far as the log reaches. " +
		"A manual clock (-clock=manual) stands where it was at the backup: the command says where, and whoever moves it sets it on before the platform is used. " +
		"With --rows the online store, which must be empty, is filled from the log; what the log no longer holds, or gives another number of rows of than were counted, is listed by version, and the command then exits with 1, though all else is restored. " +
		"A restore that ended early is repeated with --force; the platform does not start before that." +
		"\n\nExamples:\n  sluice restore sluice.bak --dry-run\n  sluice restore sluice.bak --rows --reason 'disk lost'\n  sluice restore sluice.bak -config.file=sluice.yaml --rows --parallel=16"
}

// errRowsLost is that the log no longer holds rows that readers saw.
var errRowsLost = errors.New("rows are lost")

// errRowsOther is that the log gave versions another number of rows than they had.
var errRowsOther = errors.New("not as many rows as were counted")

func (c *restoreCmd) Run(e *env) error {
	cfg, err := loadConfig(c.ConfigFile, &c.Config, e.set)
	if err == nil {
		err = validate(cfg, "all")
	}
	if err == nil && c.Parallel < 0 {
		err = fmt.Errorf("--parallel %d: want 0 or more", c.Parallel)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if c.DryRun {
		return c.check(e)
	}
	if c.Force {
		if err := confirm(e, c.Yes, nil, "replace the registry and what the taps have read"); err != nil {
			return err
		}
	}
	progress := newProgress(e.stderr)
	result, err := app.Restore(e.ctx, cfg, app.RestoreOptions{
		Path: c.File, Force: c.Force, Rows: c.Rows, Parallel: c.Parallel, By: c.By, Reason: c.Reason, Log: newLogger(e.stderr, app.LogConfig{Level: "error"}),
		Tell: func(p backup.Progress) {
			progress.say("%d of %d parts, %d rows, %.0f rows/s", p.Parts, p.OfParts, p.Rows, float64(p.Rows)/p.Took.Seconds())
		},
	})
	progress.done()
	switch {
	case errors.Is(err, registry.ErrNotEmpty), errors.Is(err, app.ErrRowsNotEmpty):
		return fmt.Errorf("%w: restore into an empty one, or say --force", err)
	case err != nil:
		return err
	}
	return c.print(e, result)
}

func (c *restoreCmd) check(e *env) error {
	header, summary, err := app.CheckArchive(c.File)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, map[string]any{"header": header, "summary": summary})
	}
	_, err = fmt.Fprintf(e.stdout, "%s is whole: %s\n", plain(c.File), app.Describe(header, summary))
	return err
}

func (c *restoreCmd) print(e *env, result app.RestoreResult) error {
	if c.Format == "json" {
		if err := printJSON(e.stdout, result); err != nil {
			return err
		}
	} else if err := printRestored(e.stdout, result); err != nil {
		return err
	}
	if result.Restaged == nil {
		return nil
	}
	return wanting(result.Restaged)
}

// wanting returns what of the rows is not as it was, though the restore is done.
func wanting(r *backup.Restaged) error {
	var errs []error
	if n := len(r.Lost); n > 0 {
		errs = append(errs, fmt.Errorf("%d parts of versions are no longer in the log: %w", n, errRowsLost))
	}
	if n := len(r.Differences); n > 0 {
		errs = append(errs, fmt.Errorf("%d versions: %w", n, errRowsOther))
	}
	return errors.Join(errs...)
}

func printRestored(w io.Writer, result app.RestoreResult) error {
	fmt.Fprintf(w, "registry restored: %s\n", app.Describe(result.Header, result.Summary))
	fmt.Fprintf(w, "taps go on from the backup in %d source partitions\n", result.States)
	for _, at := range result.Anew {
		fmt.Fprintf(w, "%s is read from its start\n", plain(at))
	}
	if result.Dropped > 0 {
		fmt.Fprintf(w, "%d rows of versions that came after the backup were removed\n", result.Dropped)
	}
	if !result.Clock.IsZero() {
		fmt.Fprintf(w, "the manual clock stands where it was at the backup, %s: set it on (POST /api/v1/clock) before the platform is used, if it has gone on since; on the wall clock it is not looked at\n", when(result.Clock))
	}
	r := result.Restaged
	if r == nil {
		_, err := fmt.Fprintln(w, "the online store was left as it is: --rows fills an empty one")
		return err
	}
	fmt.Fprintf(w, "%d rows of %d parts staged again in %s, %d of them hidden by newer ones and removed\n", r.Rows, r.Parts, r.Took.Round(time.Millisecond), r.Folded)
	var rows [][]string
	for _, l := range r.Lost {
		rows = append(rows, []string{l.View, number(l.Version), when(l.Window.Start), string(l.State), l.Partition, l.Reason})
	}
	if len(rows) > 0 {
		if err := table(w, "LOST VERSION WINDOW STATE PARTITION WHY", rows); err != nil {
			return err
		}
	}
	for _, d := range r.Differences {
		if _, err := fmt.Fprintf(w, "%s version %d: %d rows staged, %d were counted when it was sealed: the definitions of the time are not known any more\n", plain(d.View), d.Version, d.Staged, d.Counted); err != nil {
			return err
		}
	}
	return nil
}
