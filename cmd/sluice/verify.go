package main

import (
	"errors"
	"fmt"
	"net/url"
)

type verdictCmd struct {
	Verify verifyCmd `cmd:"" help:"Recompute a verdict from what is stored with it, and compare."`
}

type verifyCmd struct {
	connection
	ID string `arg:"" help:"Verdict."`
}

// Help shows examples.
func (*verifyCmd) Help() string {
	return "It exits with 0 if the recomputed verdict is equal, else with 1.\n\nExamples:\n  sluice verdict verify VERDICT"
}

// errDiffers is that a verdict is not the one that its evidence gives.
var errDiffers = errors.New("the recomputed verdict differs")

func (c *verifyCmd) Run(e *env) error {
	var answer struct {
		ID          string   `json:"id"`
		OK          bool     `json:"ok"`
		Differences []string `json:"differences"`
	}
	if err := c.post(e.ctx, "/api/v1/verdicts/"+url.PathEscape(c.ID)+"/verify", nil, &answer); err != nil {
		return err
	}
	if c.Format == "json" {
		if err := printJSON(e.stdout, answer); err != nil {
			return err
		}
	} else if answer.OK {
		fmt.Fprintf(e.stdout, "verdict %s: equal\n", plain(answer.ID))
	} else {
		for _, d := range answer.Differences {
			fmt.Fprintln(e.stdout, plain(d))
		}
	}
	if !answer.OK {
		return fmt.Errorf("verdict %s: %w", plain(answer.ID), errDiffers)
	}
	return nil
}
