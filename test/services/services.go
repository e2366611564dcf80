package services

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// Shared is the variable that names the state folder of services that run
// already. The program services sets it for the command that it runs.
const Shared = "SLUICE_TEST_SERVICES"

// patience bounds one call from a test; the first one installs everything.
const patience = 20 * time.Minute

// ErrShared says that a set is not this process's alone, so that a fault in it
// would be a fault for the tests of others.
var ErrShared = errors.New("the services are shared: take services of your own with Own")

// Set is services that are up.
type Set struct {
	tool   tool
	shared bool
	guard  *guard

	mu  sync.RWMutex
	env map[string]string
}

// Up starts the named services on stateDir, which Close deletes with all that is
// in it; empty is a new temporary folder. Services that a set of the same folder
// started go on. If this process dies before Close, its services are stopped all
// the same. If a service does not start, the others are stopped.
func Up(ctx context.Context, stateDir string, names ...string) (*Set, error) {
	if stateDir == "" {
		dir, err := os.MkdirTemp("", "sluice-services-")
		if err != nil {
			return nil, fmt.Errorf("services: state folder: %w", err)
		}
		stateDir = dir
	}
	dir, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, fmt.Errorf("services: state folder %s: %w", stateDir, err)
	}
	tool, err := find(dir)
	if err != nil {
		return nil, err
	}
	s := &Set{tool: tool, env: map[string]string{}}
	if s.guard, err = tool.guard(); err != nil {
		return nil, err
	}
	if err := s.Up(ctx, names...); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Attach returns the services that run already in stateDir. They are not this
// process's: faults are refused, and Close leaves them alone. The error says how
// to start those of names that are not up.
func Attach(ctx context.Context, stateDir string, names ...string) (*Set, error) {
	if !filepath.IsAbs(stateDir) {
		return nil, fmt.Errorf("services: state folder %q is no absolute path", stateDir)
	}
	tool, err := find(stateDir)
	if err != nil {
		return nil, err
	}
	s := &Set{tool: tool, shared: true, env: map[string]string{}}
	if err := s.learn(ctx, names); err != nil {
		return nil, err
	}
	return s, nil
}

// Up starts services, those of the set that were killed and others, and waits
// until they answer. What runs is left alone.
func (s *Set) Up(ctx context.Context, names ...string) error {
	if s.shared {
		return s.learn(ctx, names)
	}
	if _, err := s.tool.run(ctx, append([]string{"up"}, names...)...); err != nil {
		return err
	}
	return s.learn(ctx, nil)
}

// Close stops the services and deletes their data. Only processes that the set
// recorded are stopped. Further calls return what the first returned.
func (s *Set) Close() error {
	if s.shared {
		return nil
	}
	return s.guard.end()
}

// process is the set that the tests of this process share.
var process struct {
	sync.Mutex
	set *Set
}

// Start returns the named services, shared with other tests: those of the folder
// that SLUICE_TEST_SERVICES names, else services that the first call starts and
// that end with the process. The test fails at once if one cannot be had.
func Start(t testing.TB, names ...string) *Set {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	set, err := start(ctx, names)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func start(ctx context.Context, names []string) (*Set, error) {
	process.Lock()
	defer process.Unlock()
	if dir := os.Getenv(Shared); dir != "" {
		return Attach(ctx, dir, names...)
	}
	if process.set == nil {
		set, err := Up(ctx, "", names...)
		if err != nil {
			return nil, err
		}
		process.set = set
	} else if err := process.set.Up(ctx, names...); err != nil {
		return nil, err
	}
	return &Set{tool: process.set.tool, env: process.set.vars(), shared: true}, nil
}

// Own starts the named services for t alone, on fresh data, and stops them when
// t ends. Faults are allowed. The test fails at once if one cannot be had.
func Own(t testing.TB, names ...string) *Set {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	set, err := Up(ctx, "", names...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return set
}

// learn reads the environment of what is up; all of names must be.
func (s *Set) learn(ctx context.Context, names []string) error {
	var found map[string]map[string]string // service, variable
	if err := s.tool.json(ctx, &found, "env", "--json"); err != nil {
		return err
	}
	isUp := func(name string) bool { return found[name] != nil }
	if missing := slices.DeleteFunc(slices.Clone(names), isUp); len(missing) > 0 {
		return s.tool.missing(missing, slices.Sorted(maps.Keys(found)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, variables := range found {
		maps.Copy(s.env, variables)
	}
	return nil
}
