package sim

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sluice/feature"
)

// PutReadership replaces what a process said of an hour before.
func (l *ledger) PutReadership(_ context.Context, list []feature.Readership) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range list {
		s := l.shelf(r.View)
		r.Window = utc(r.Window)
		r.Reads = slices.Clone(r.Reads)
		at, found := slices.BinarySearchFunc(s.readership, r, func(a, b feature.Readership) int {
			return cmp.Or(a.Window.Start.Compare(b.Window.Start), cmp.Compare(a.Process, b.Process))
		})
		if found {
			s.readership[at] = r
		} else {
			s.readership = slices.Insert(s.readership, at, r)
		}
	}
	return nil
}

func (l *ledger) Readership(_ context.Context, view feature.ViewID, from time.Time) ([]feature.Readership, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.shelf(view).readership), func(r feature.Readership) bool { return r.Window.Start.Before(from) }), nil
}

func (l *ledger) RetainReadership(_ context.Context, view feature.ViewID, before time.Time) (removed int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shelf(view)
	n := len(s.readership)
	s.readership = slices.DeleteFunc(s.readership, func(r feature.Readership) bool { return !before.IsZero() && !r.Window.End.After(before) })
	return n - len(s.readership), nil
}
