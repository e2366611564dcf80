// Command sluice is the platform and its client: `sluice run` runs it, the other
// commands ask a running one over HTTP.
//
// Exit codes: 0 done, 1 failed, 2 usage, 3 blocked by the gate. Results go to
// standard output, progress and problems to standard error.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sluice/store/tabular"
)

func main() {
	if tabular.ServeChild() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
