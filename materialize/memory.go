package materialize

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
)

// memory is what the gate must remember of a view between two decisions; it is
// stored with each of them.
type memory struct {
	// Short are held versions with too few rows, judged together with the next.
	Short []feature.Version `json:"short,omitempty"`
	// Waiting are versions that passed but could not be listed: the view was
	// frozen, or the list was full.
	Waiting []feature.Version `json:"waiting,omitempty"`
	// Poisoned are held versions that passed, of windows whose source was poisoned. Their
	// hold budget runs.
	Poisoned []feature.Version `json:"poisoned,omitempty"`
	// Shelf are versions that passed while the view kept the rows of as many as it may:
	// theirs are published from the log.
	Shelf []feature.Version `json:"shelf,omitempty"`
	// Offline are those on the shelf, and held ones, whose rows are not all in the store:
	// taps left some out.
	Offline []feature.Version `json:"offline,omitempty"`
	// Unfolded and newer versions are not folded though they are certified, since rows on the
	// shelf are older than theirs: a deletion that is folded away would not hide them; 0: all are.
	Unfolded feature.Version `json:"unfolded,omitempty"`
	// Probation holds what probation said at the last judged windows, newest last.
	Probation []outcome `json:"probation,omitempty"`
	// Served is the end of the newest window that was ever certified.
	Served time.Time `json:"served"`
	// Book rises whenever what windows are compared with changes in another way
	// than by the verdict on a window: a book read before that is out of date.
	Book uint64 `json:"book"`
	// Rollbacks are the times of automatic rollbacks within the last hour.
	Rollbacks []time.Time `json:"rollbacks,omitempty"`
	// Alarms and Spread are the judge's own.
	Alarms []byte `json:"alarms,omitempty"`
	Spread []byte `json:"spread,omitempty"`
	// Shards are the data sets of the row store at the last decision, and Suspect the
	// newest version that was open when they last changed.
	Shards  string          `json:"shards,omitempty"`
	Suspect feature.Version `json:"suspect,omitempty"`
	// Mended are the data sets since which rows of versions that are judged were read back.
	Mended string `json:"mended,omitempty"`
	// Reads is what is known of what readers were given.
	Reads reads `json:"reads,omitzero"`
	// Stale is the freshness level that was last told.
	Stale string `json:"stale,omitempty"`
}

// outcome is what probation said when a window was judged: nothing, if there was
// no verdict, or whether it failed, and from which window on.
type outcome struct {
	Failed bool      `json:"failed"`
	Onset  time.Time `json:"onset"`
}

func decodeMemory(b []byte) (memory, error) {
	var m memory
	if len(b) == 0 {
		return m, nil
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("decode memory: %w: %w", feature.ErrCorrupt, err)
	}
	return m, nil
}

func (m memory) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings, numbers and times only
	}
	return b
}

// drop takes a version that is no longer held off all lists.
func (m *memory) drop(version feature.Version) {
	is := func(v feature.Version) bool { return v == version }
	m.Short = slices.DeleteFunc(m.Short, is)
	m.Waiting = slices.DeleteFunc(m.Waiting, is)
	m.Shelf = slices.DeleteFunc(m.Shelf, is)
	m.Poisoned = slices.DeleteFunc(m.Poisoned, is)
}

// rolledBack notes a rollback and returns how many there were in the last hour.
func (m *memory) rolledBack(now time.Time) int {
	m.Rollbacks = slices.DeleteFunc(m.Rollbacks, func(t time.Time) bool { return now.Sub(t) >= time.Hour })
	m.Rollbacks = append(m.Rollbacks, now)
	return len(m.Rollbacks)
}

// wait puts a version among those that wait for room, in its place.
func (m *memory) wait(version feature.Version) {
	if at, found := slices.BinarySearch(m.Waiting, version); !found {
		m.Waiting = slices.Insert(m.Waiting, at, version)
	}
}

// shelve puts a version on the shelf, in its place.
func (m *memory) shelve(version feature.Version) {
	if at, found := slices.BinarySearch(m.Shelf, version); !found {
		m.Shelf = slices.Insert(m.Shelf, at, version)
	}
}

// judged makes room for what probation says at one more judged window, and keeps
// the last windows of them.
func (m *memory) judged(windows int) {
	m.Probation = append(m.Probation, outcome{})
	if n := len(m.Probation); n > windows {
		m.Probation = slices.Clone(m.Probation[n-windows:])
	}
}

// probation notes what probation said at the window that was judged last, and
// returns how many of the last windows failed and the earliest onset among those.
func (m *memory) probation(o outcome) (failed int, onset time.Time) {
	if n := len(m.Probation); n > 0 {
		m.Probation[n-1] = o
	}
	for _, p := range m.Probation {
		if !p.Failed {
			continue
		}
		if failed == 0 || p.Onset.Before(onset) {
			onset = p.Onset
		}
		failed++
	}
	return failed, onset
}
