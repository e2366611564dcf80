package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// guard is a process that clears a state folder when its standard input ends:
// end closes it, and if this process dies, the kernel does.
type guard struct {
	end func() error // returns when the folder is cleared
}

// guard starts a guard of the tool's state folder.
func (t tool) guard() (*guard, error) {
	report, err := os.CreateTemp("", "sluice-guard-") // a pipe would break if this process died
	if err != nil {
		return nil, fmt.Errorf("services guard: %w", err)
	}
	cmd := t.command(context.Background(), "guard")
	cmd.Stderr = report
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no interrupt from a terminal
	alive, err := cmd.StdinPipe()
	if err := errors.Join(err, os.Remove(report.Name())); err != nil {
		return nil, errors.Join(fmt.Errorf("services guard: %w", err), report.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("services guard: %w", err), report.Close())
	}
	return &guard{end: sync.OnceValue(func() error {
		defer report.Close()
		alive.Close()
		if err := cmd.Wait(); err != nil {
			said, _ := io.ReadAll(io.NewSectionReader(report, 0, 1<<16))
			return fmt.Errorf("services guard of %s: %w\n%s", t.state, err, said)
		}
		return nil
	})}, nil
}
