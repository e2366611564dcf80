package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrMissing says that a service which a test needs does not run.
var ErrMissing = errors.New("not up")

// tool is the program services, working on one state folder.
type tool struct {
	path  string
	state string // absolute
}

// find looks for the program in this module: go test runs in a package's folder.
func find(state string) (tool, error) {
	dir, err := os.Getwd()
	if err != nil {
		return tool{}, fmt.Errorf("services: %w", err)
	}
	for {
		path := filepath.Join(dir, "test", "services", "services")
		if _, err := os.Stat(path); err == nil {
			return tool{path: path, state: state}, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return tool{}, fmt.Errorf("services: %w", err)
		}
		if dir == filepath.Dir(dir) {
			return tool{}, errors.New("services: no test/services/services in or above the working directory: run the test inside the repository")
		}
		dir = filepath.Dir(dir)
	}
}

// command returns the program with a verb.
func (t tool) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, t.path, args...)
	cmd.Env = append(os.Environ(), "SERVICES_STATE="+t.state)
	return cmd
}

// run returns what the program prints. The error holds what it reports.
func (t tool) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := t.command(ctx, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // the program ends what it began
	cmd.WaitDelay = 30 * time.Second
	var report bytes.Buffer
	cmd.Stderr = &report
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("services %s: %w\n%s", strings.Join(args, " "), errors.Join(err, ctx.Err()), report.Bytes())
	}
	return out, nil
}

// json decodes what the program prints.
func (t tool) json(ctx context.Context, into any, args ...string) error {
	out, err := t.run(ctx, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("services %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// missing says what does not run, and how to start it.
func (t tool) missing(names, up []string) error {
	return fmt.Errorf("services %s: %w in %s (there: %s); start them with\n  SERVICES_STATE=%s %s up %s\nor unset %s, and the test starts its own",
		strings.Join(names, " "), ErrMissing, t.state, strings.Join(up, " "), t.state, t.path, strings.Join(names, " "), Shared)
}
