package materialize

import (
	"slices"
	"time"
)

// recent is how many windows that passed are shown to the judge beside history: as many
// as small shifts add up over.
const recent = 16

// passed is how many windows that passed and are no history are kept: more than are
// shown, so that those do not run short where some are rolled back, and a book that was
// read again shows the same.
const passed = 3 * recent

// latest returns the last windows that passed and start before t, rising: those of
// history, or where that is pinned or a data set those after it.
func (b *Book) latest(t time.Time) []WindowProfile {
	from := b.entries
	if _, to := b.span(); b.dataset != nil || !to.IsZero() && !t.Before(to) {
		from = b.later
	}
	n, _ := slices.BinarySearchFunc(from, t, func(x entry, t time.Time) int { return x.window.Start.Compare(t) })
	var all []WindowProfile
	for _, e := range from[max(0, n-recent):n] {
		if e.profile.Layout().Digest() == b.layout().Digest() {
			all = append(all, WindowProfile{e.window, e.profile})
		}
	}
	return all
}
