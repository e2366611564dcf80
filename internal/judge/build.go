package judge

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// Evidence is what a case is built from.
type Evidence struct {
	Kind     string
	View     *feature.View
	Window   feature.Window
	Versions []feature.Version
	Layout   *sketch.Layout
	Current  []drift.WindowProfile
	History  []drift.WindowProfile // rising; over Layout
	Recent   []drift.WindowProfile // that passed before Current, rising, over Layout; history or after it
	Baseline *sketch.Profile       // merge of History; nil without
	Old      *drift.Reference      // whose spread serves while History is short; nil without
	Pinned   *Pinned               // without Recent; nil if nothing is pinned beside History
	Rules    []rules.Rule
	Memory   Memory
	Level    float64
}

// refit is how many windows of a view's length pass between two fits of its
// forest, which costs a hundred times as much as a reference.
const refit = 16

// Builder makes the cases of one view. It remembers what it counted in the windows
// of history, and the view's forest, which is fitted on the windows before the last
// multiple of 16 windows: so that it follows from the evidence alone, and is made
// seldom.
type Builder struct {
	samples drift.Samples
	forests []fitted // the latest last

	slowSamples drift.Samples
	last        *settled // nil before the first
}

// remembered is how many forests are: around a refit, windows and windows in
// probation are judged by different ones.
const remembered = 2

type fitted struct {
	key    uint64
	forest *drift.Joint
}

// NewBuilder returns an empty Builder.
func NewBuilder() *Builder { return &Builder{} }

// Case builds the case of e. The same evidence gives the same case, whatever the
// Builder made before.
func (b *Builder) Case(e Evidence) (*Case, error) {
	c := &Case{Kind: e.Kind, View: *e.View, Window: e.Window, Occasion: occasionOf(&e), Versions: e.Versions, Layout: e.Layout, Current: e.Current,
		Baseline: e.Baseline, Rules: e.Rules, Memory: e.Memory.Rules, Since: e.Memory.Since, Level: e.Level, History: len(e.History)}
	if len(e.History) == 0 || e.Baseline == nil {
		c.Baseline = nil
		return c, nil
	}
	var err error
	if e.Old != nil && len(e.History) < drift.MinWindows {
		c.Reference, err = drift.BorrowReference(e.View, e.Layout, e.History, e.Old)
		if errors.Is(err, drift.ErrSample) {
			c.Reference, err = nil, nil
		}
	} else {
		c.Reference, err = b.samples.BuildReference(e.View, e.Layout, e.History)
	}
	if err != nil {
		return nil, fmt.Errorf("build case: %w", err)
	}
	if c.calibrated() && needsForest(e) {
		if c.Forest, err = b.forest(e); err != nil {
			return nil, fmt.Errorf("build case: %w", err)
		}
	}
	if c.Slow, err = b.slow(e, c); err != nil {
		return nil, fmt.Errorf("build case: %w", err)
	}
	c.Pinned = pinned(e)
	return c, nil
}

// needsForest reports whether a rule reads the forest of the view. Windows in
// probation were held to it one by one when they were judged.
func needsForest(e Evidence) bool {
	return e.Kind == KindWindow && slices.ContainsFunc(e.Rules, func(r rules.Rule) bool { return r.Method == rules.Forest && r.Applies(e.View) })
}

// forest returns the view's forest; nil if there is too little to fit one on.
func (b *Builder) forest(e Evidence) (*drift.Joint, error) {
	history := e.History[:fitEnd(e)]
	key := keyOf(e, history, fitWindows)
	for _, f := range b.forests {
		if f.key == key {
			return f.forest, nil
		}
	}
	seed := uint64(1)
	if digest, err := hex.DecodeString(e.Layout.Digest()); err == nil && len(digest) >= 8 {
		seed = binary.BigEndian.Uint64(digest)
	}
	forest, err := drift.FitJoint(e.View, e.Layout, history[max(0, len(history)-fitWindows):], seed)
	if err != nil && !errors.Is(err, drift.ErrSample) {
		return nil, err
	}
	if err != nil {
		forest = nil
	}
	known := append(b.forests, fitted{key, forest})
	b.forests = known[max(0, len(known)-remembered):]
	return forest, nil
}

// early is refit while history is short.
const early = 4

// fitEnd returns how many windows of history lie before the last multiple of
// refit windows; while those are fewer than the detector needs, the last multiple
// of early windows.
func fitEnd(e Evidence) int {
	n := len(e.History)
	span := refit * int64(e.View.Window.Size)
	if span <= 0 {
		return n
	}
	last := e.History[n-1].Window.Start.UnixNano()
	for i, w := range e.History {
		if w.Window.Start.UnixNano() >= last-last%span {
			if i < drift.MinWindows {
				return max(min(n, drift.MinWindows), n-n%early)
			}
			return i
		}
	}
	return n
}

// fitWindows is how many windows, the latest, a forest is fitted on. It is well
// below the length of a trailing baseline, so that a forest does not change with
// every window that leaves history.
const fitWindows = 32

// keyOf names the last windows of history, and the view that they are read by. What is
// remembered under it must be what would be made anew, or a verdict would hang on when its
// process started.
func keyOf(e Evidence, history []drift.WindowProfile, windows int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s %d %q", e.View.ID, e.Layout.Digest(), e.View.Window.Size, e.View.Baseline.Season)
	for _, f := range e.View.Features {
		fmt.Fprintf(h, " %d:%d:%q", f.ID, f.Type, f.Name)
	}
	for _, w := range history[max(0, len(history)-windows):] {
		fmt.Fprintf(h, " %d:%d:%x", w.Window.Start.UnixNano(), w.Profile.Rows, sampleOf(w.Profile))
	}
	return h.Sum64()
}

// sampleOf names which rows a profile samples, and with them what it counts.
func sampleOf(p *sketch.Profile) uint64 {
	sum := uint64(len(p.Sample))
	for i := range p.Sample {
		sum = sum*0x9e3779b97f4a7c15 + p.Sample[i].Hash + p.Sample[i].Times
	}
	return sum
}
