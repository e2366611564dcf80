// Command compile writes the compiled dashboards into the folder that its first
// argument names, and the reference of metrics into the file that its second
// one names. `go generate ./dashboards` runs it.
package main

import (
	"fmt"
	"os"

	"sluice/dashboards"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compile:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want FOLDER METRICS.md, got %d arguments", len(args))
	}
	if err := dashboards.Export(args[0]); err != nil {
		return err
	}
	return os.WriteFile(args[1], dashboards.Reference(), 0o644)
}
