package sim

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"sluice/feature"
)

// AddExposure adds reads, of each report once; whoever waits for a change is not told.
func (l *ledger) AddExposure(_ context.Context, report feature.ExposureReport) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(report.Reads) == 0 {
		return nil
	}
	if report.Process == "" || report.Number == 0 {
		return refuse("a report without a process or a number")
	}
	if report.Number <= l.reports[report.Process] {
		return nil
	}
	if l.reports == nil {
		l.reports = map[string]uint64{}
	}
	l.reports[report.Process] = report.Number
	for _, d := range report.Reads {
		reads := l.shelf(d.View).reads
		e := reads[d.Version]
		e.Version, e.Reads = d.Version, e.Reads+d.Reads
		if e.First.IsZero() || !d.First.IsZero() && d.First.Before(e.First) {
			e.First = d.First
		}
		if d.Last.After(e.Last) {
			e.Last = d.Last
		}
		reads[d.Version] = e
	}
	return nil
}

// Await has nothing to wait for: what is asked for is carried out, or not, before the answer.
func (l *ledger) Await(ctx context.Context, _ feature.ViewID) error { return ctx.Err() }

func (l *ledger) Exposure(_ context.Context, view feature.ViewID, first, last feature.Version) (all []feature.VersionReads, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reads := l.shelf(view).reads
	for _, version := range slices.Sorted(maps.Keys(reads)) {
		if version >= first && version <= last {
			all = append(all, reads[version])
		}
	}
	return all, nil
}

// PutServed replaces what a process said of a window before.
func (l *ledger) PutServed(_ context.Context, p feature.ServedProfile) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shelf(p.View)
	p.Window = utc(p.Window)
	at, found := slices.BinarySearchFunc(s.served, p, func(a, b feature.ServedProfile) int {
		return cmp.Or(a.Window.Start.Compare(b.Window.Start), cmp.Compare(a.Process, b.Process))
	})
	if found {
		s.served[at] = p
	} else {
		s.served = slices.Insert(s.served, at, p)
	}
	return nil
}

func (l *ledger) Served(_ context.Context, view feature.ViewID, from, to time.Time) ([]feature.ServedProfile, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.shelf(view).served), func(p feature.ServedProfile) bool {
		return p.Window.Start.Before(from) || !to.IsZero() && !p.Window.Start.Before(to)
	}), nil
}

func (l *ledger) RetainServed(_ context.Context, view feature.ViewID, before time.Time) (removed int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shelf(view)
	n := len(s.served)
	s.served = slices.DeleteFunc(s.served, func(p feature.ServedProfile) bool { return !before.IsZero() && !p.Window.End.After(before) })
	return n - len(s.served), nil
}
