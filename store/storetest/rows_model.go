package storetest

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"sluice/feature"
)

// testHistories runs random histories of staging, replays, publishing, blocking,
// certifying, leases, drops and folds, and after every step reads every key with
// every live vector: the answer must be that of a model that keeps every write.
//
// The model holds two things that callers must keep: a version is written only
// above the floor and until it is dropped, and a write is not older than a deletion
// of its key that was certified (Fold forgets such deletions).
func testHistories(t *testing.T, r *rows) {
	view := feature.ViewID(0)
	check := func(t *rapid.T) {
		view++
		m := newHistory(t, r, view)
		t.Repeat(map[string]func(*rapid.T){
			"window":  m.window,
			"write":   m.write,
			"replay":  m.replay,
			"publish": m.publish,
			"block":   m.block,
			"settle":  m.settle,
			"certify": m.certify,
			"lease":   func(*rapid.T) { m.lease() },
			"expire":  m.expire,
			"drop":    m.drop,
			"fold":    m.fold,
			"":        m.check,
		})
	}
	for range historyRounds {
		rapid.Check(t, check)
	}
}

// historyRounds times rapid's own number of histories are run: enough to find every
// planted fault of Stage and Fold that was tried.
const historyRounds = 8

var historyKeys = []feature.Key{"", "a", "a\x00"}

// history is the model: every write, what became of every version, and the vectors
// that readers may still hold.
type history struct {
	t       *rapid.T
	store   *rows
	view    feature.ViewID
	writes  []written
	states  map[feature.Version]feature.State // of versions 1 to len
	swept   map[feature.Version]bool          // dropped: writes to them are refused
	vector  feature.Vector
	leases  []feature.Vector
	deleted map[feature.Key]int64 // newest certified deletion
	seq     uint64
}

func newHistory(t *rapid.T, store *rows, view feature.ViewID) *history {
	m := &history{t: t, store: store, view: view, states: map[feature.Version]feature.State{}, swept: map[feature.Version]bool{}, deleted: map[feature.Key]int64{}}
	m.lease()
	return m
}

type written struct {
	version feature.Version
	row     feature.Row
}

// versions lists the versions for which is holds.
func (m *history) versions(is func(feature.Version, feature.State) bool) (versions []feature.Version) {
	for v := feature.Version(1); int(v) <= len(m.states); v++ {
		if is(v, m.states[v]) {
			versions = append(versions, v)
		}
	}
	return versions
}

// writable are the versions that may be written: above the floor, rows not dropped.
func (m *history) writable() []feature.Version {
	return m.versions(func(v feature.Version, _ feature.State) bool { return v > m.vector.Floor && !m.swept[v] })
}

// window opens a version, writes some rows and mostly decides on it.
func (m *history) window(t *rapid.T) {
	if len(m.writable()) > feature.MaxVisible {
		return
	}
	m.states[feature.Version(len(m.states)+1)] = feature.StateStaged
	for range rapid.IntRange(1, 3).Draw(t, "writes") {
		m.write(t)
	}
	switch rapid.IntRange(0, 4).Draw(t, "decision") {
	case 0:
	case 1:
		m.block(t)
	default:
		m.publish(t)
	}
}

// settle is what a gate does once every lease has run out: certify and fold.
func (m *history) settle(t *rapid.T) {
	m.certify(t)
	m.expire(t)
	m.fold(t)
}

func (m *history) write(t *rapid.T) {
	open := m.writable()
	if len(open) == 0 {
		return
	}
	version := rapid.SampledFrom(open).Draw(t, "version")
	var batch []feature.Row
	for range rapid.IntRange(1, 4).Draw(t, "rows") {
		m.seq++
		key := rapid.SampledFrom(historyKeys).Draw(t, "key")
		text := fmt.Sprint("row ", m.seq)
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			text = ""
		}
		at := m.deleted[key] + int64(rapid.IntRange(0, 6).Draw(t, "after"))
		batch = append(batch, row(key, record(version, at, m.seq, text)))
	}
	m.stage(t, version, batch)
}

func (m *history) stage(t *rapid.T, version feature.Version, batch []feature.Row) {
	if _, err := m.store.Stage(m.store.t.Context(), m.view, version, batch); err != nil {
		t.Fatalf("Stage(%d) = %v", version, err)
	}
	for _, x := range batch {
		m.writes = append(m.writes, written{version, x})
	}
}

// replay stages a suffix of the log again, as a writer does that starts anew.
func (m *history) replay(t *rapid.T) {
	open := m.writable()
	from := rapid.IntRange(0, len(m.writes)).Draw(t, "from")
	for _, w := range slices.Clone(m.writes[from:]) {
		if slices.Contains(open, w.version) {
			m.stage(t, w.version, []feature.Row{w.row})
		}
	}
}

func (m *history) publish(t *rapid.T) {
	staged := m.versions(func(v feature.Version, s feature.State) bool { return s == feature.StateStaged && v > m.vector.Floor })
	if len(staged) == 0 {
		return
	}
	version := rapid.SampledFrom(staged).Draw(t, "version")
	if next, ok := m.vector.With(version); ok {
		m.vector, m.states[version] = next, feature.StateVisible
	}
}

// block rejects a staged version or rolls back a visible one.
func (m *history) block(t *rapid.T) {
	above := m.versions(func(v feature.Version, s feature.State) bool { return v > m.vector.Floor && !s.Dead() })
	if len(above) == 0 {
		return
	}
	version := rapid.SampledFrom(above).Draw(t, "version")
	m.vector, _ = m.vector.Without(version)
	m.states[version] = feature.StateRejected
}

// certify raises the floor past versions that are visible or dead.
func (m *history) certify(t *rapid.T) {
	floor := m.vector.Floor
	var dead []feature.Version
	for v := floor + 1; int(v) <= len(m.states) && m.states[v] != feature.StateStaged; v++ {
		if rapid.IntRange(0, 3).Draw(t, "on") == 0 {
			break
		}
		floor = v
		if m.states[v].Dead() && !m.swept[v] {
			dead = append(dead, v)
		}
	}
	m.vector = m.vector.Raise(floor, dead)
	for _, w := range m.writes {
		if x := w.row.Record; x.Deleted && w.version <= floor && !m.states[w.version].Dead() {
			m.deleted[w.row.Key] = max(m.deleted[w.row.Key], x.EventTime)
		}
	}
}

func (m *history) lease() { m.leases = append(m.leases, m.vector) }

// expire ends every lease but one on the vector in force.
func (m *history) expire(*rapid.T) {
	m.leases = []feature.Vector{m.vector}
}

// drop removes a dead version that no lease sees, and takes it off the dead.
func (m *history) drop(t *rapid.T) {
	dead := m.versions(func(v feature.Version, s feature.State) bool {
		return s.Dead() && !slices.ContainsFunc(m.leases, func(l feature.Vector) bool { return l.Sees(v) })
	})
	if len(dead) == 0 {
		return
	}
	version := rapid.SampledFrom(dead).Draw(t, "version")
	if _, err := m.store.Drop(m.store.t.Context(), m.view, version); err != nil {
		t.Fatalf("Drop(%d) = %v", version, err)
	}
	m.swept[version] = true
	m.vector = m.vector.Swept([]feature.Version{version})
}

// fold folds up to the lowest floor of any lease.
func (m *history) fold(t *rapid.T) {
	floor := m.vector.Floor
	for _, l := range m.leases {
		floor = min(floor, l.Floor)
	}
	all := m.versions(func(feature.Version, feature.State) bool { return true })
	dead := m.versions(func(v feature.Version, s feature.State) bool { return v <= floor && s.Dead() })
	touched := all
	if len(all) > 0 && rapid.Bool().Draw(t, "some") {
		touched = rapid.SliceOfDistinct(rapid.SampledFrom(all), func(v feature.Version) feature.Version { return v }).Draw(t, "touched")
	}
	if _, err := m.store.Fold(m.store.t.Context(), m.view, floor, dead, touched); err != nil {
		t.Fatalf("Fold(%d, %v, %v) = %v", floor, dead, touched, err)
	}
	if len(touched) < len(all) {
		return
	}
	for i, chain := range m.store.read(m.view, historyKeys...) {
		below := slices.DeleteFunc(chain, func(x feature.Record) bool { return x.Version > floor })
		if len(below) > 1 {
			t.Fatalf("key %q keeps %s up to floor %d after a fold of all", historyKeys[i], showChain(below), floor)
		}
	}
}

// check reads every key with every vector that a reader may hold.
func (m *history) check(t *rapid.T) { m.compare(t, m.store.read(m.view, historyKeys...)) }

// compare looks at the chains of historyKeys with every vector that a reader may hold.
func (m *history) compare(t *rapid.T, chains [][]feature.Record) {
	for i, key := range historyKeys {
		var all []feature.Record
		for _, w := range m.writes {
			if w.row.Key == key && !m.swept[w.version] {
				all = append(all, w.row.Record)
			}
		}
		for _, v := range append(slices.Clone(m.leases), m.vector) {
			got, found := v.Resolve(chains[i])
			want, exists := v.Resolve(all)
			if found != exists || !sameChain([]feature.Record{got}, []feature.Record{want}) {
				t.Fatalf("view %d key %q with %+v reads %s (%t), want %s (%t); chain %s", m.view, key, v,
					showChain([]feature.Record{got}), found, showChain([]feature.Record{want}), exists, showChain(chains[i]))
			}
		}
	}
}
