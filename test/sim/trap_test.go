package sim

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice/feature"
	"sluice/store/embedded"
	"sluice/store/registry"
)

// The steps of a version's life, and what may fail at each.
var (
	cellSteps = []string{"open", "write", "seal", "audit", "decide", "broadcast", "certify", "sweep"}
	cellParts = []string{"app", "rows", "registry", "log"}
	cellCalls = []string{"sweep/fold", "sweep/drop"}
)

// outage is how long a part that failed stays away.
const outage = 300 * time.Millisecond

var errDown = errors.New("down")

// trap makes a part fail at one call of one step, before or after that took effect:
// the process dies of SIGKILL, or a store or the log does not answer for a while. A step
// of several calls may be narrowed down to one of them: sweep/drop.
type trap struct {
	step, part string
	nth        int // of the step's calls
	after      bool
	fail       func(part string) // makes the log fail, and the process die

	mu     sync.Mutex
	calls  int
	sprung bool
	back   time.Time // when the part answers again
	news   bool      // a decision is not broadcast yet
}

// at passes a call of a step to part, of which it asks for something; empty is none.
func at[T any](t *trap, step, part string, do func() (T, error)) (result T, err error) {
	t.mu.Lock()
	whole, _, _ := strings.Cut(step, "/")
	now := step != "" && (step == t.step || whole == t.step) && !t.sprung
	if now {
		t.calls++
		now = t.calls == t.nth
	}
	if now {
		t.sprung = true
	}
	t.mu.Unlock()
	if now && t.after {
		result, err = do()
	}
	if now {
		t.spring()
	}
	if now && t.after && t.part != part {
		return result, err
	}
	if t.down(part) {
		var none T
		return none, errDown
	}
	return do()
}

func (t *trap) spring() {
	t.mu.Lock()
	t.back = time.Now().Add(outage)
	t.mu.Unlock()
	t.fail(t.part)
}

// down reports whether a part does not answer.
func (t *trap) down(part string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sprung && part != "" && part == t.part && time.Now().Before(t.back)
}

func (t *trap) hit() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sprung
}

// broadcast is the step of the first look at the vectors after a decision.
func (t *trap) broadcast() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.news {
		return ""
	}
	t.news = false
	return "broadcast"
}

func die() {
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {} // until the signal has come
}

// trappedRegistry is the real registry behind a trap.
type trappedRegistry struct {
	*trap
	*registry.Registry
}

func (r trappedRegistry) Apply(ctx context.Context, c feature.Commit) (feature.Vector, error) {
	return at(r.trap, stepOf(c), "registry", func() (feature.Vector, error) {
		v, err := r.Registry.Apply(ctx, c)
		if err == nil && len(c.Verdicts) > 0 {
			r.trap.mu.Lock()
			r.trap.news = true
			r.trap.mu.Unlock()
		}
		return v, err
	})
}

// stepOf names the step that a commit takes. One that decides on a version and
// certifies another counts as the latter, which is the rarer.
func stepOf(c feature.Commit) string {
	for _, info := range c.Versions {
		switch info.Step {
		case feature.StepSwept:
			return "sweep"
		case feature.StepCertified:
			return "certify"
		}
	}
	switch {
	case c.Seal != nil:
		return "seal"
	case len(c.Verdicts) > 0:
		return "decide"
	}
	return ""
}

func (r trappedRegistry) OpenVersion(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error) {
	return at(r.trap, "open", "registry", func() (feature.VersionInfo, error) { return r.Registry.OpenVersion(ctx, view, w, now) })
}

func (r trappedRegistry) LeaveIdle(ctx context.Context, topic string, p int32, view feature.ViewID) (uint64, error) {
	return at(r.trap, "", "registry", func() (uint64, error) { return r.Registry.LeaveIdle(ctx, topic, p, view) })
}

func (r trappedRegistry) Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error) {
	return at(r.trap, "", "registry", func() (feature.Vector, error) { return r.Registry.Vector(ctx, view) })
}

func (r trappedRegistry) Vectors(ctx context.Context) (map[feature.ViewID]feature.Vector, error) {
	return at(r.trap, r.broadcast(), "registry", func() (map[feature.ViewID]feature.Vector, error) { return r.Registry.Vectors(ctx) })
}

func (r trappedRegistry) Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	return at(r.trap, "", "registry", func() ([]feature.VersionInfo, error) { return r.Registry.Versions(ctx, view, after, limit) })
}

func (r trappedRegistry) VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error) {
	return at(r.trap, "", "registry", func() (feature.VersionInfo, error) { return r.Registry.VersionOf(ctx, view, start) })
}

func (r trappedRegistry) Memory(ctx context.Context, view feature.ViewID) ([]byte, error) {
	return at(r.trap, "", "registry", func() ([]byte, error) { return r.Registry.Memory(ctx, view) })
}

func (r trappedRegistry) History(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.HistoryRow, error) {
	return at(r.trap, "", "registry", func() ([]feature.HistoryRow, error) { return r.Registry.History(ctx, view, from, to) })
}

// trappedRows is the real row store behind a trap; audit is the step of a read, which
// only the gate's is.
type trappedRows struct {
	*trap
	*embedded.Store
	audit string
}

func (r trappedRows) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	return at(r.trap, "write", "rows", func() (uint64, error) { return r.Store.Stage(ctx, view, version, rows) })
}

func (r trappedRows) Sync(ctx context.Context) error {
	_, err := at(r.trap, "", "rows", func() (struct{}, error) { return struct{}{}, r.Store.Sync(ctx) })
	return err
}

func (r trappedRows) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	return at(r.trap, r.audit, "rows", func() ([][]feature.Record, error) { return r.Store.Read(ctx, view, keys, dst) })
}

func (r trappedRows) Drop(ctx context.Context, view feature.ViewID, version feature.Version) (int, error) {
	return at(r.trap, "sweep/drop", "rows", func() (int, error) { return r.Store.Drop(ctx, view, version) })
}

func (r trappedRows) Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (int, error) {
	return at(r.trap, "sweep/fold", "rows", func() (int, error) { return r.Store.Fold(ctx, view, floor, dead, touched) })
}
