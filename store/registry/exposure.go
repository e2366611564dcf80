package registry

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/feature"
)

const (
	addExposure = `INSERT INTO exposures (view_id, version, reads, first_read, last_read) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (view_id, version) DO UPDATE SET reads = exposures.reads + excluded.reads,
		first_read = CASE WHEN excluded.first_read < exposures.first_read THEN excluded.first_read ELSE exposures.first_read END,
		last_read = CASE WHEN excluded.last_read > exposures.last_read THEN excluded.last_read ELSE exposures.last_read END`
	takeReportQuery = `INSERT INTO reporters (process, number, at) VALUES ($1, $2, $3)
		ON CONFLICT (process) DO UPDATE SET number = excluded.number, at = excluded.at WHERE reporters.number < excluded.number`
	forgetReporters = `DELETE FROM reporters WHERE at < $1`
	exposureQuery   = `SELECT version, reads, first_read, last_read FROM exposures WHERE view_id = $1 AND version >= $2 AND version <= $3 ORDER BY version`
)

// AddExposure adds what a process has shown since it last said so, all of it or nothing, and
// once: a report whose number is not above the last one of the process was recorded before,
// and changes nothing. It is no change that anybody waits for.
func (s *Registry) AddExposure(ctx context.Context, report feature.ExposureReport) error {
	if len(report.Reads) == 0 {
		return nil
	}
	if report.Process == "" || report.Number == 0 {
		return fmt.Errorf("add exposure: %w", invalid("a report without a process or a number"))
	}
	// In one order for everybody, so that no two wait for each other's rows.
	deltas := slices.SortedFunc(slices.Values(report.Reads), func(a, b feature.Exposure) int {
		return cmp.Or(cmp.Compare(a.View, b.View), cmp.Compare(a.Version, b.Version))
	})
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		if fresh, err := takeReport(ctx, tx, report); err != nil || !fresh {
			return err
		}
		for _, d := range deltas {
			if err := tx.put(ctx, naming("version %d of view %d", d.Version, d.View), addExposure,
				int64(d.View), int64(d.Version), int64(d.Reads), firstNanos(d.First), nanos(d.Last)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add exposure: %w", err)
	}
	return nil
}

// takeReport notes the number of a process's report, and reports whether that is news. It
// waits for a transaction that has the same report and is not over. With the first report of
// a process those of processes are forgotten that have said nothing for long.
func takeReport(ctx context.Context, tx *transaction, report feature.ExposureReport) (fresh bool, err error) {
	now := time.Now()
	if report.Number == 1 {
		if _, err := tx.ExecContext(ctx, forgetReporters, now.Add(-reporterKept).UnixNano()); err != nil {
			return false, err
		}
	}
	result, err := tx.ExecContext(ctx, takeReportQuery, report.Process, int64(report.Number), now.UnixNano())
	if err != nil {
		return false, fmt.Errorf("report %d of %s: %w", report.Number, report.Process, err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// reporterKept is how long after its last report a process may repeat it. It tries again
// every second.
const reporterKept = 30 * 24 * time.Hour

// Exposure returns how often the versions of a view from first to last were shown,
// rising; one that never was is not in it.
func (s *Registry) Exposure(ctx context.Context, view feature.ViewID, first, last feature.Version) ([]feature.VersionReads, error) {
	rows, err := all(ctx, s, scanExposure, exposureQuery, int64(view), int64(first), int64(min(last, math.MaxInt64)))
	if err != nil {
		return nil, fmt.Errorf("read exposure of view %d: %w", view, err)
	}
	return rows, nil
}

func scanExposure(row scanner) (r feature.VersionReads, err error) {
	var first, last int64
	if err = row.Scan(unsigned[feature.Version]{&r.Version}, unsigned[uint64]{&r.Reads}, &first, &last); err != nil {
		return r, err
	}
	if first != math.MaxInt64 {
		r.First = fromNanos(first)
	}
	r.Last = fromNanos(last)
	return r, nil
}

// firstNanos is the stored form of a time of which the earliest counts: the zero
// time is the greatest integer.
func firstNanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MaxInt64
	}
	return nanos(t)
}
