package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sluice/feature"
)

func (l *ledger) Version(_ context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shelf(view)
	if version == 0 || int(version) > len(s.versions) {
		return feature.VersionInfo{}, fmt.Errorf("version %d: %w", version, feature.ErrNotFound)
	}
	return s.versions[version-1], nil
}

func (l *ledger) VersionOf(_ context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, ok := l.shelf(view).of(start)
	if !ok {
		return info, feature.ErrNotFound
	}
	return info, nil
}

func (l *ledger) Versions(_ context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.shelf(view).versions
	all = all[min(int(after), len(all)):]
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return slices.Clone(all), nil
}

func (l *ledger) Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error) {
	if err := ctx.Err(); err != nil {
		return feature.Vector{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shelf(view).current(), nil
}

func (l *ledger) Vectors(ctx context.Context) (map[feature.ViewID]feature.Vector, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[feature.ViewID]feature.Vector{}
	for id, s := range l.views {
		if s.vector != nil {
			all[id] = *s.vector
		}
	}
	return all, nil
}

func (l *ledger) Verdict(_ context.Context, id string) (feature.VerdictRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.verdicts {
		if v.ID == id {
			return v.VerdictRow, nil
		}
	}
	return feature.VerdictRow{}, feature.ErrNotFound
}

func (l *ledger) Verdicts(_ context.Context, view feature.ViewID, after string, limit int) ([]feature.VerdictRow, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pages, next, err := behind(l.verdicts, after, limit, func(v verdictAt) bool { return v.view == view })
	rows := []feature.VerdictRow{}
	for _, v := range pages {
		rows = append(rows, v.VerdictRow)
	}
	return rows, next, err
}

// behind returns what lies behind a cursor, which counts all rows, and the next one.
func behind[T any](all []T, after string, limit int, is func(T) bool) (some []T, next string, err error) {
	from := 0
	if after != "" {
		if from, err = strconv.Atoi(after); err != nil || from < 0 {
			return nil, "", refuse("cursor %q", after)
		}
	}
	next = after
	for i := min(from, len(all)); i < len(all) && (limit <= 0 || len(some) < limit); i++ {
		if is(all[i]) {
			some, next = append(some, all[i]), strconv.Itoa(i+1)
		}
	}
	return some, next, nil
}

func (l *ledger) Blob(_ context.Context, digest string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.blobs[digest]
	if !ok {
		return nil, feature.ErrNotFound
	}
	return b, nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (l *ledger) Memory(_ context.Context, view feature.ViewID) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shelf(view).memory, nil
}

func (l *ledger) History(_ context.Context, view feature.ViewID, from, to time.Time) ([]feature.HistoryRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.shelf(view).history), func(h feature.HistoryRow) bool {
		return h.Window.Start.Before(from) || !to.IsZero() && !h.Window.Start.Before(to)
	}), nil
}

func (l *ledger) Layouts(_ context.Context, view feature.ViewID) ([]feature.LayoutRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.shelf(view).layouts), nil
}

func (l *ledger) Baseline(_ context.Context, view feature.ViewID) (*feature.BaselineRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.shelf(view).baselines
	if len(all) == 0 {
		return nil, nil
	}
	row := all[len(all)-1]
	return &row, nil
}

func (l *ledger) Baselines(_ context.Context, view feature.ViewID) ([]feature.BaselineRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.shelf(view).baselines), nil
}

func (l *ledger) Retain(_ context.Context, view feature.ViewID, newest int, profilesBefore, windowsBefore time.Time) (profiles, windows int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.shelf(view)
	kept := []feature.HistoryRow{}
	for i, h := range s.history {
		spared := i >= len(s.history)-newest
		gone := func(before time.Time) bool { return !spared && !before.IsZero() && !h.Window.End.After(before) }
		switch {
		case gone(windowsBefore):
			windows++
			continue
		case gone(profilesBefore) && h.Profile != nil:
			profiles++
			h.Profile = nil
		}
		kept = append(kept, h)
	}
	if profiles+windows > 0 {
		s.history = kept
		l.signal()
	}
	return profiles, windows, nil
}

func (l *ledger) AuditLog(_ context.Context, after string, limit int) ([]feature.Audit, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return behind(l.audit, after, limit, func(feature.Audit) bool { return true })
}

func (l *ledger) WriteAudit(_ context.Context, row feature.Audit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.signal()
	return l.note(row)
}
