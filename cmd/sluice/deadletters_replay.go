package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/feature"
	"sluice/internal/control"
)

type deadlettersReplayCmd struct {
	connection
	Record []string `arg:"" optional:"" help:"Records, as list names them: TOPIC/PARTITION/OFFSET. Without any, the filters choose."`
	View   string   `help:"Only of this view." placeholder:"VIEW"`
	Code   string   `help:"Only those refused for this reason, such as decode, type or expect." placeholder:"CODE"`
	Kind   string   `help:"Only quarantined or dead_lettered ones." placeholder:"KIND"`
	Since  string   `help:"Only those refused then or later: a time, or how long ago." placeholder:"1h"`
	All    bool     `help:"All of them; needed where no filter and no record is given."`
	DryRun bool     `name:"dry-run" help:"Only say which would be sent."`
	Again  bool     `help:"Also those that were sent again before."`
	Yes    bool     `short:"y" help:"Do not ask."`
	Reason string   `help:"Why, for the audit log." placeholder:"TEXT"`
	By     string   `help:"Who does it, where the server knows no tokens." env:"USER" placeholder:"NAME"`
}

// Help shows examples.
func (*deadlettersReplayCmd) Help() string {
	return "The original bytes go back with key and headers, and the header sluice-replay-of that names the refused record. Mend what was wrong first: what is refused again becomes a dead letter again. " +
		"A record that was replayed is left alone unless --again is given. It needs the role operator, and exits with 1 if a record could not be sent." +
		"\n\nExamples:\n  sluice deadletters replay --view carrier_delays --code expect --dry-run\n  sluice deadletters replay --view carrier_delays --code expect --reason 'bound was too tight'" +
		"\n  sluice deadletters replay sluice.writes/0/1234 --yes --reason 'feature added'"
}

// errNotReplayed is that some dead letters could not be sent again.
var errNotReplayed = errors.New("dead letters not replayed")

// replaySummary is what a replay did, over all its requests.
type replaySummary struct {
	Replayed int                      `json:"replayed"`
	Already  int                      `json:"already"`
	Failed   int                      `json:"failed"`
	DryRun   bool                     `json:"dry_run"`
	Items    []control.ReplayedLetter `json:"items"`
}

func (c *deadlettersReplayCmd) Run(e *env) error {
	request, err := c.request()
	if err != nil {
		return err
	}
	if !c.DryRun && !c.Yes {
		planned, err := c.replay(e, request, true)
		if err != nil {
			return err
		}
		if planned.Replayed == 0 {
			return c.print(e, planned)
		}
		if err := confirm(e, false, nil, "send %d records again", planned.Replayed); err != nil {
			return err
		}
	}
	done, err := c.replay(e, request, c.DryRun)
	if err != nil {
		return err
	}
	return c.print(e, done)
}

// request checks the flags and makes the request of them.
func (c *deadlettersReplayCmd) request() (map[string]any, error) {
	since, err := sinceTime(c.Since, time.Now())
	if err != nil {
		return nil, err
	}
	if err := checkKind(c.Kind); err != nil {
		return nil, err
	}
	for _, record := range c.Record {
		if _, err := recordPath(record); err != nil {
			return nil, err
		}
	}
	filter := control.LetterFilter{View: c.View, Kind: c.Kind, Reason: feature.Code(c.Code), Since: since}
	switch {
	case len(c.Record) == 0 && filter == (control.LetterFilter{}) && !c.All:
		return nil, fmt.Errorf("%w: name records, choose with --view, --code, --kind or --since, or say --all", errUsage)
	case !c.DryRun && strings.TrimSpace(c.Reason) == "":
		return nil, fmt.Errorf("%w: --reason is missing: say why, for the audit log", errUsage)
	}
	return map[string]any{"select": filter, "records": c.Record, "all": c.All, "again": c.Again, "by": c.By, "reason": c.Reason}, nil
}

// replay sends the request until all is done.
func (c *deadlettersReplayCmd) replay(e *env, request map[string]any, dryRun bool) (replaySummary, error) {
	done := replaySummary{DryRun: dryRun, Items: []control.ReplayedLetter{}}
	progress := newProgress(e.stderr)
	defer progress.done()
	request["dry_run"], request["after"] = dryRun, ""
	for {
		var answer struct {
			replaySummary
			Next string `json:"next"`
		}
		if err := c.post(e.ctx, "/api/v1/deadletters/replay", request, &answer); err != nil {
			return done, err
		}
		done.Replayed += answer.Replayed
		done.Already += answer.Already
		done.Failed += answer.Failed
		done.Items = append(done.Items, answer.Items...)
		if answer.Next == "" {
			return done, nil
		}
		request["after"] = answer.Next
		progress.say("%d records so far", len(done.Items))
	}
}

func (c *deadlettersReplayCmd) print(e *env, done replaySummary) error {
	if c.Format == "json" {
		if err := printJSON(e.stdout, done); err != nil {
			return err
		}
	} else if err := c.printTable(e, done); err != nil {
		return err
	}
	if done.Failed > 0 {
		return fmt.Errorf("%d of %d: %w", done.Failed, len(done.Items), errNotReplayed)
	}
	return nil
}

func (c *deadlettersReplayCmd) printTable(e *env, done replaySummary) error {
	var rows [][]string
	for _, l := range done.Items {
		outcome := l.Outcome
		if done.DryRun && outcome == "replayed" {
			outcome = "would be replayed"
		}
		rows = append(rows, []string{l.Record, string(l.Reason), l.View, outcome, l.To, l.Text})
	}
	if err := table(e.stdout, "RECORD REASON VIEW OUTCOME TO TEXT", rows); err != nil {
		return err
	}
	sent := "replayed"
	if done.DryRun {
		sent = "would be replayed"
	}
	_, err := fmt.Fprintf(e.stdout, "%d %s, %d already replayed before, %d failed\n", done.Replayed, sent, done.Already, done.Failed)
	return err
}
