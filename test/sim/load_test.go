package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"

	"sluice/feature"
)

// counts are numbers of what histories asked of the platform, by name.
type counts map[string]int

// Kinds of histories.
const (
	oneView = "one view"
	inGroup = "two views of a group"
)

// usual is what a history of a kind has on average, as counted in 4,000 and, but for the
// faults, in 20,000; what is left out in 1,500.
var usual = map[string]map[string]float64{
	oneView: {
		"operations": 39, "reads of every key": 44, "publications": 3, "rollbacks": .5, "blocked versions": .82,
		"faults at open": .2, "faults at write": .35, "faults at seal": .019, "faults at audit": .018, "faults at decide": .014,
		"faults at certify": .013, "faults at broadcast": 1.1, "faults at sweep": .036,
		"windows left out": .88, "windows made whole": .15, "windows that rested in the log": .34,
	},
	inGroup: {
		"operations": 39, "reads of every key": 44, "publications": 4.2, "rollbacks": .52, "blocked versions": 1.2,
		"faults at open": .22, "faults at write": .26, "faults at seal": .01, "faults at audit": .009, "faults at decide": .015,
		"faults at certify": .01, "faults at broadcast": 1.1, "faults at sweep": .036,
		"windows left out": 1.1, "windows made whole": .2, "windows that rested in the log": .4,
	},
}

// load is what a history, which had so many operations, asked of the platform.
func (w *world) load(ops int) counts {
	n := counts{"histories": 1, "operations": ops, "reads of every key": w.reads}
	for _, l := range w.lanes {
		n["windows left out"] += len(l.lacking)
		n["windows that rested in the log"] += len(l.oracle.rested)
		for _, info := range l.versions() {
			if l.lacking[info.Version] && info.State == feature.StateVisible {
				n["windows made whole"]++
			}
			if !info.PublishedAt.IsZero() {
				n["publications"]++
			}
			switch info.State {
			case feature.StateRolledBack:
				n["rollbacks"]++
			case feature.StateRejected:
				n["blocked versions"]++
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for step, faults := range w.breaks {
		n["faults at "+step] = faults
	}
	return n
}

// tally is the load of histories, by their kind.
type tally struct {
	mu sync.Mutex
	of map[string]counts
}

// add adds that of a history.
func (a *tally) add(w *world) {
	kind := oneView
	if w.grouped() {
		kind = inGroup
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		a.of = map[string]counts{}
	}
	if a.of[kind] == nil {
		a.of[kind] = counts{}
	}
	for name, n := range w.loaded {
		a.of[kind][name] += n
	}
}

// total is how many there were of something in all histories.
func (a *tally) total(name string) (n int) {
	for _, of := range a.of {
		n += of[name]
	}
	return n
}

// hold says what the histories asked for, and fails the test if that was too little to
// prove anything.
func (a *tally) hold(t *testing.T) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(a.of)) {
		t.Logf("of %s: %v", kind, a.of[kind])
		if t.Failed() {
			continue // not all of them were run
		}
		for _, problem := range void(a.of[kind], usual[kind]) {
			t.Errorf("of %s: %s", kind, problem)
		}
	}
}

// void says of what there was too little in so many histories.
func void(of counts, usual map[string]float64) (problems []string) {
	n := of["histories"]
	for _, name := range slices.Sorted(maps.Keys(usual)) {
		if want := least(usual[name] * float64(n)); of[name] < want {
			problems = append(problems, fmt.Sprintf("%d %s in %d histories, want %d: the run is void", of[name], name, n, want))
		}
	}
	return problems
}

// least is how many there have to be where n are usual: half of them, and of few, whose
// number is a matter of chance, less by four standard deviations, of events that mostly
// come in pairs.
func least(n float64) int {
	return int(max(0, min(n/2, n-4*math.Sqrt(2*n))))
}

// TestVoid: a run that asked for too little of one thing says of which.
func TestVoid(t *testing.T) {
	of := func(histories int, share float64, but map[string]int) counts {
		n := counts{"histories": histories}
		for name, each := range usual[inGroup] {
			n[name] = int(share * each * float64(histories))
		}
		maps.Copy(n, but)
		return n
	}
	for name, tc := range map[string]struct {
		of   counts
		want []string
	}{
		"as usual":               {of(5000, 1, nil), nil},
		"three fifths":           {of(50_000, .6, nil), nil},
		"no rollback":            {of(5000, 1, map[string]int{"rollbacks": 0}), []string{"0 rollbacks in 5000 histories, want 1300: the run is void"}},
		"no fault at a step":     {of(5000, 1, map[string]int{"faults at certify": 0}), []string{"0 faults at certify in 5000 histories, want 10: the run is void"}},
		"few, and so by chance":  {of(300, 1, map[string]int{"faults at certify": 0}), nil},
		"few, and not by chance": {of(300, 1, map[string]int{"faults at write": 9}), []string{"9 faults at write in 300 histories, want 28: the run is void"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := void(tc.of, usual[inGroup]); !slices.Equal(got, tc.want) {
				t.Errorf("void(%v) = %q, want %q", tc.of, got, tc.want)
			}
		})
	}
}
