package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// cli is every command. The help texts are the reference page of the commands.
type cli struct {
	Run  runCmd  `cmd:"" help:"Run the platform."`
	Demo demoCmd `cmd:"" help:"Run the whole loop on the bundled real data with planted incidents."`

	Plan  planCmd  `cmd:"" help:"Show what applying definitions would change, and whom it affects."`
	Apply applyCmd `cmd:"" help:"Put definitions in force."`
	Push  pushCmd  `cmd:"" help:"Write the rows of a JSONL, CSV or Parquet file to a view."`

	Profile profileCmd `cmd:"" help:"Describe a Parquet, CSV or JSONL file, column by column."`
	Compute computeCmd `cmd:"" help:"Add a view's computed features to the rows of a file, as serving computes them."`
	Compare compareCmd `cmd:"" help:"Compare two files with exact statistics, column by column."`
	Replay  replayCmd  `cmd:"" help:"Judge the files of a folder as windows, one after another, by the gate's own code."`

	Import importCmd `cmd:"" help:"Make definitions of what other tools know."`

	Get      getCmd      `cmd:"" help:"Read rows by key."`
	Views    viewsCmd    `cmd:"" help:"List the views, or show one."`
	Score    scoreCmd    `cmd:"" help:"Show how much of what matters in views and services moved, and who reads it."`
	Versions versionsCmd `cmd:"" help:"List a view's versions and which are visible."`
	Windows  windowsCmd  `cmd:"" help:"List a view's windows and how far they are."`
	Verdicts verdictsCmd `cmd:"" help:"List a view's verdicts."`
	Explain  explainCmd  `cmd:"" help:"Say in sentences why a verdict is what it is, and what to do next."`
	Verdict  verdictCmd  `cmd:"" help:"Check stored verdicts."`
	Audit    auditCmd    `cmd:"" help:"List who did what and why."`

	Approve    approveCmd    `cmd:"" help:"Publish a version that was rejected or is held."`
	Reject     rejectCmd     `cmd:"" help:"Reject a held version."`
	Rollback   rollbackCmd   `cmd:"" help:"Take a visible version out."`
	FalseAlarm falseAlarmCmd `cmd:"" name:"false-alarm" help:"Note that there was nothing wrong with a version."`
	Freeze     freezeCmd     `cmd:"" help:"Hold every decision of a view."`
	Thaw       thawCmd       `cmd:"" help:"End a freeze."`

	Baseline    baselineCmd    `cmd:"" help:"Show or change what a view's windows are compared with."`
	Rules       rulesCmd       `cmd:"" help:"Check rules, test them, and try them on the past."`
	Deadletters deadlettersCmd `cmd:"" help:"Look at records that were not accepted."`

	Backup    backupCmd    `cmd:"" help:"Write the registry, and where the taps are, into one file."`
	Restore   restoreCmd   `cmd:"" help:"Put a backup in place, and fill the online store again from the log."`
	Reread    rereadCmd    `cmd:"" help:"Have partitions whose progress is lost read from the start of the log."`
	Reconcile reconcileCmd `cmd:"" help:"Hold what readers get against the log, entity by entity, and repair what differs."`

	Bench   benchCmd   `cmd:"" help:"Measure a server."`
	Probe   probeCmd   `cmd:"" help:"Write known values and planted faults all the time, and say whether the gate catches them."`
	Config  configCmd  `cmd:"" help:"Check configuration."`
	Doctor  doctorCmd  `cmd:"" help:"Check a server and the local configuration, and say what to do."`
	Version versionCmd `cmd:"" help:"Show the version."`
	Docs    docsCmd    `cmd:"" hidden:"" help:"Write the reference pages into a folder."`
}

// Exit codes of the contract.
const (
	exitDone = iota
	exitFailed
	exitUsage
	exitBlocked
)

var (
	// errUsage is an error that the command line or the configuration is wrong.
	errUsage = errors.New("usage")
	// errBlocked is an error that the gate did not publish what was pushed.
	errBlocked = errors.New("blocked by the gate")
)

// env is what a command works with.
type env struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	model  *kong.Application
	set    map[string]bool // names of the flags that were given
}

// exit ends parsing when help was shown.
type exit int

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			status, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(status)
		}
	}()
	parser, err := newParser(new(cli), stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "sluice: %v\n", err)
		return exitFailed
	}
	parsed, err := parser.Parse(normalise(args, parser.Model))
	if err != nil {
		report(stderr, fmt.Errorf("%w\n`%s --help` shows how", err, helpFor(err)))
		return exitUsage
	}
	e := &env{ctx: ctx, stdout: stdout, stderr: stderr, model: parser.Model, set: given(parsed)}
	if err := parsed.Run(e); err != nil {
		report(stderr, err)
		return exitCode(err)
	}
	return exitDone
}

func newParser(c *cli, stdout, stderr io.Writer) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("sluice"),
		kong.Description("A feature store that judges every window of writes before it is read."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
}

// normalise gives long flags that are written with one dash, as in
// -target=all, their second one.
func normalise(args []string, model *kong.Application) []string {
	known := map[string]bool{"help": true}
	eachNode(model.Node, func(n *kong.Node) {
		for _, f := range n.Flags {
			known[f.Name] = true
		}
	})
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "--" {
			copy(out[i:], args[i:])
			break
		}
		name, single := strings.CutPrefix(arg, "-")
		name, _, _ = strings.Cut(name, "=")
		if single && len(name) > 1 && known[name] {
			out[i] = "-" + arg
		}
	}
	return out
}

func eachNode(n *kong.Node, fn func(*kong.Node)) {
	fn(n)
	for _, child := range n.Children {
		eachNode(child, fn)
	}
}

// given returns the names of the flags on the command line.
func given(parsed *kong.Context) map[string]bool {
	set := map[string]bool{}
	for _, p := range parsed.Path {
		if p.Flag != nil && !p.Resolved {
			set[p.Flag.Name] = true
		}
	}
	return set
}

// helpFor returns the command whose help fits a parse error.
func helpFor(err error) string {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Command() != "" {
		words := strings.Fields(parse.Context.Command())
		for i, w := range words {
			if strings.HasPrefix(w, "<") {
				words = words[:i]
				break
			}
		}
		return strings.Join(append([]string{"sluice"}, words...), " ")
	}
	return "sluice"
}

// report writes an error for a person, one line a problem.
func report(w io.Writer, err error) {
	text := err.Error()
	if errors.Is(err, context.Canceled) { // a signal is the only thing that ends a command's context
		text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	}
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(w, "sluice: %s\n", line)
	}
	var answer *answerError
	if errors.As(err, &answer) && answer.Hint != "" {
		fmt.Fprintf(w, "sluice: %s\n", answer.Hint)
	}
}

func exitCode(err error) int {
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errBlocked):
		return exitBlocked
	}
	return exitFailed
}
