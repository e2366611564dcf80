package main

import (
	"fmt"

	"sluice/internal/admin"
)

// release is the version of the program; the linker sets it.
var release string

type versionCmd struct {
	Format string `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
}

// Help shows examples.
func (*versionCmd) Help() string {
	return "Examples:\n  sluice version\n  sluice version --format json"
}

func (c *versionCmd) Run(e *env) error {
	build := admin.ReadBuild(release)
	if c.Format == "json" {
		return printJSON(e.stdout, build)
	}
	_, err := fmt.Fprintf(e.stdout, "sluice %s (%s, %s)\n", build.Version, build.Revision, build.Go)
	return err
}
