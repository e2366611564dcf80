package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/cmd/sluice/app"
	"sluice/feature"
	"sluice/internal/reconciliation"
)

type reconcileCmd struct {
	Views      []string    `arg:"" optional:"" help:"Views; without one all of them." placeholder:"VIEW"`
	ConfigFile string      `name:"config.file" help:"Configuration of the installation; without it everything is embedded." placeholder:"FILE"`
	Repair     bool        `help:"Write what the log says where readers get something else."`
	Limit      int         `help:"Differences that are listed of a view; all are counted, and repaired." default:"100" placeholder:"N"`
	Yes        bool        `short:"y" help:"Do not ask before --repair writes."`
	By         string      `help:"Who does it." env:"USER" placeholder:"NAME"`
	Reason     string      `help:"Why, for the audit log." placeholder:"TEXT"`
	Format     string      `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
	Config     configFlags `embed:""`
}

// Help shows examples.
func (*reconcileCmd) Help() string {
	return "Every entity of which the log has a row that readers see is read from the online store as a reader would, and compared byte for byte: a row that is missing, has other bytes, cannot be read or should not be there is named by bucket and key. " +
		"The platform may run; where rows are embedded it is stopped first. What changes meanwhile is looked at again until it can be told. " +
		"With --repair certified rows are put right. Those of versions that may still be rolled back are named and left; repeat it once they are certified. " +
		"Rows of versions that the log no longer gives as they were, since its records or the definitions of its time are gone, cannot be compared, and are counted. The command exits with 1 if anything differs that was not repaired." +
		"\n\nExamples:\n  sluice reconcile\n  sluice reconcile transactions -config.file=sluice.yaml --format=json\n  sluice reconcile transactions -config.file=sluice.yaml --repair --reason 'a script wrote into Redis'"
}

// errDiffer is that readers get something else than the log says.
var errDiffer = errors.New("rows differ from the log")

func (c *reconcileCmd) Run(e *env) error {
	cfg, err := loadConfig(c.ConfigFile, &c.Config, e.set)
	if err == nil {
		err = validate(cfg, "all")
	}
	if err == nil && c.Limit < 0 {
		err = fmt.Errorf("--limit %d: want 0 or more", c.Limit)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if c.Repair {
		if err := confirm(e, c.Yes, nil, "write rows of the online store where they differ from the log"); err != nil {
			return err
		}
	}
	progress := newProgress(e.stderr)
	results, err := app.Reconcile(e.ctx, cfg, app.ReconcileOptions{
		Views: c.Views, Repair: c.Repair, Listed: c.Limit, By: c.By, Reason: c.Reason, Log: newLogger(e.stderr, app.LogConfig{Level: "error"}),
		Tell: func(view string, p reconciliation.Progress) {
			progress.say("%s, look %d: %d of %d parts of the log, %d entities compared", view, p.Look, p.Parts, p.OfParts, p.Entities)
		},
	})
	progress.done()
	if errors.Is(err, app.ErrNoView) {
		return fmt.Errorf("%w: %w; sluice views lists them", errUsage, err)
	}
	if printed := c.print(e, results); err == nil {
		err = printed
	}
	return err
}

func (c *reconcileCmd) print(e *env, results []reconciliation.Result) error {
	left := 0
	for i := range results {
		left += results[i].Different - results[i].Repaired
	}
	if c.Format == "json" {
		if err := printJSON(e.stdout, map[string]any{"views": append([]reconciliation.Result{}, results...)}); err != nil {
			return err
		}
	} else {
		for i := range results {
			if err := printReconciled(e.stdout, &results[i], c.Repair); err != nil {
				return err
			}
		}
	}
	switch {
	case left == 0:
		return nil
	case c.Repair:
		return fmt.Errorf("%d %w and were not repaired: repeat it once their versions are certified (sluice versions VIEW)", left, errDiffer)
	}
	return fmt.Errorf("%d %w: sluice reconcile --repair writes what the log says", left, errDiffer)
}

func printReconciled(w io.Writer, r *reconciliation.Result, repair bool) error {
	fmt.Fprintf(w, "%s: %d entities, %d as the log has them, %d differ in %d buckets", plain(r.View), r.Entities, r.Same, r.Different, r.Buckets)
	if repair {
		fmt.Fprintf(w, ", %d repaired", r.Repaired)
	}
	if r.Expired > 0 {
		fmt.Fprintf(w, ", %d past their ttl and gone", r.Expired)
	}
	if r.Unread > 0 {
		fmt.Fprintf(w, ", %d that cannot be compared", r.Unread)
	}
	fmt.Fprintf(w, " (%s)\n", r.Took.Round(time.Millisecond))
	if len(r.Differences) > 0 {
		var rows [][]string
		for _, d := range r.Differences {
			rows = append(rows, []string{fmt.Sprint(d.Bucket), plain(d.Name), string(d.Kind), shown(d.Want), shown(d.Got), yesNo(d.Repaired)})
		}
		if err := table(w, "BUCKET KEY KIND LOG STORE REPAIRED", rows); err != nil {
			return err
		}
		if more := r.Different - len(r.Differences); more > 0 {
			fmt.Fprintf(w, "and %d more: --limit lists them\n", more)
		}
	}
	for _, u := range r.Unreadable {
		if _, err := fmt.Fprintf(w, "version %d cannot be compared: %s\n", u.Version, plain(strings.TrimSpace(u.Partition+" "+u.Reason))); err != nil {
			return err
		}
	}
	return nil
}

// shown names a record.
func shown(s *reconciliation.Shown) string {
	if s == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s of version %s", when(s.EventTime), number(feature.Version(s.Version)))
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
