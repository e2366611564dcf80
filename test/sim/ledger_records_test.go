package sim

import (
	"context"
	"slices"
	"time"

	"sluice/feature"
)

// keepRecord keeps what the rules read for a verdict apart from it.
func (l *ledger) keepRecord(view feature.ViewID, v *feature.VerdictRow) {
	if len(v.Record) > 0 {
		l.noted++
		l.records = append(l.records, feature.RecordRow{Seq: l.noted, View: view, Verdict: v.ID, Kind: v.Kind, Version: v.Version, Window: v.Window,
			State: v.State, Decision: v.Decision, Body: v.Record})
	}
	v.Record = nil
}

func (l *ledger) Records(_ context.Context, from, to time.Time, after int64, limit int) ([]feature.RecordRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := []feature.RecordRow{}
	for _, r := range l.records {
		if full := limit > 0 && len(rows) == limit; !full && r.Seq > after && r.Window.End.After(from) && (to.IsZero() || !r.Window.End.After(to)) {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func (l *ledger) LastRecord(context.Context) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) == 0 {
		return time.Time{}, nil
	}
	return l.records[len(l.records)-1].Window.End, nil
}

func (l *ledger) RetainRecords(_ context.Context, view feature.ViewID, before time.Time) (removed int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.records)
	l.records = slices.DeleteFunc(l.records, func(r feature.RecordRow) bool { return r.View == view && !r.Window.End.After(before) })
	return n - len(l.records), nil
}
