package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/feature"
	"sluice/internal/suite"
)

type importCmd struct {
	Feast             importFeastCmd `cmd:"" help:"Make definitions of what a Feast registry holds."`
	GreatExpectations importSuiteCmd `cmd:"" name:"great-expectations" help:"Make a view's expectations of an expectation suite."`
}

type importSuiteCmd struct {
	Suite  string `arg:"" help:"File of the suite, as Great Expectations 0.x or 1.x saves it: JSON."`
	View   string `required:"" help:"Name of the view." placeholder:"VIEW"`
	Strict bool   `help:"Exit with 1 if something was not understood."`
}

// Help shows examples.
func (*importSuiteCmd) Help() string {
	return "No server is needed. The definition goes to standard output; what has no counterpart is listed with the reason on standard error, and as comments at the end. A suite knows neither join keys nor, at times, types: read the file before it is applied. " +
		"mostly becomes bad, the share of writes that may break what a feature expects: the largest of the feature's expectations. It exits with 0 if the suite could be read." +
		"\n\nExamples:\n  sluice import great-expectations payments.json --view payments > features/payments.yaml\n  sluice import great-expectations payments.json --view payments --strict"
}

// errUnread is that a part of a suite was not understood.
var errUnread = errors.New("not understood")

func (c *importSuiteCmd) Run(e *env) error {
	if !feature.ValidName(c.View) {
		return fmt.Errorf("%w: --view %.100q: want a lower-case letter, then up to 62 lower-case letters, digits and _", errUsage, c.View)
	}
	file, err := os.Open(c.Suite)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, suite.MaxBytes+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(c.Suite), err)
	}
	r, err := suite.Read(text, c.View)
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(c.Suite), err)
	}
	for _, u := range r.Unread {
		fmt.Fprintf(e.stderr, "not understood: %s\n", plain(u.String()))
	}
	if _, err := io.WriteString(e.stdout, r.YAML()); err != nil {
		return err
	}
	if n := len(r.Unread); c.Strict && n > 0 {
		return fmt.Errorf("%d of %d expectations: %w", n, n+r.Understood, errUnread)
	}
	return nil
}
