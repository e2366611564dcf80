package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/feature"
)

const (
	verdictColumns = `seq, id, kind, version, window_start, window_end, state, decision, at, body, evidence`
	verdictQuery   = `SELECT ` + verdictColumns + ` FROM verdicts WHERE id = $1`
	verdictsQuery  = `SELECT ` + verdictColumns + ` FROM verdicts WHERE view_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`
	blobQuery      = `SELECT packed FROM blobs WHERE digest = $1`
	hasBlobQuery   = `SELECT count(*) FROM blobs WHERE digest = $1`
	historyQuery   = `SELECT window_start, window_end, version, layout, normal, profile, summary FROM history
		WHERE view_id = $1 AND window_start >= $2 AND window_start < $3 ORDER BY window_start`
	layoutsQuery   = `SELECT starts, digest, packed FROM layouts WHERE view_id = $1 ORDER BY starts, seq`
	baselineQuery  = `SELECT body FROM baselines WHERE view_id = $1 ORDER BY seq DESC LIMIT 1`
	baselinesQuery = `SELECT body FROM baselines WHERE view_id = $1 ORDER BY seq`
	memoryQuery    = `SELECT packed FROM memories WHERE view_id = $1`
)

// Verdict returns a verdict; ErrNotFound if there is none of that id.
func (s *Registry) Verdict(ctx context.Context, id string) (feature.VerdictRow, error) {
	p, err := one(ctx, s, scanVerdict, verdictQuery, id)
	if err != nil {
		return feature.VerdictRow{}, fmt.Errorf("read verdict %.80q: %w", id, missing(err))
	}
	return p.item, nil
}

// Verdicts lists the verdicts of a view in the order of their commits, behind the
// cursor after, at most limit of them. It returns the cursor behind the last one,
// which is after if there is none: pages end when a page is empty, and whoever
// waits for news asks with it again.
func (s *Registry) Verdicts(ctx context.Context, view feature.ViewID, after string, limit int) ([]feature.VerdictRow, string, error) {
	seq, err := parseCursor(after)
	if err != nil {
		return nil, "", fmt.Errorf("list verdicts: %w", err)
	}
	pages, err := all(ctx, s, scanVerdict, verdictsQuery, int64(view), seq, rowLimit(limit))
	if err != nil {
		return nil, "", fmt.Errorf("list verdicts of view %d: %w", view, err)
	}
	rows, next := cut(pages, after)
	return rows, next, nil
}

func scanVerdict(row scanner) (p page[feature.VerdictRow], err error) {
	v := &p.item
	var start, end, at int64
	if err = row.Scan(&p.seq, &v.ID, &v.Kind, unsigned[feature.Version]{&v.Version}, &start, &end, &v.State, &v.Decision, &at, &v.Body, &v.Case); err != nil {
		return p, err
	}
	v.Window = feature.Window{Start: fromNanos(start), End: fromNanos(end)}
	v.At = fromNanos(at)
	return p, errors.Join(unpackIn(&v.Body), unpackIn(&v.Case))
}

func unpackIn(b *[]byte) (err error) {
	*b, err = unpack(*b)
	return err
}

// digestOf is the name of a blob.
func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func scanCount(row scanner) (n int, err error) { return n, row.Scan(&n) }

// Blob returns the bytes of a digest; ErrNotFound if they were never stored.
func (s *Registry) Blob(ctx context.Context, digest string) ([]byte, error) {
	b, err := one(ctx, s, scanPacked, blobQuery, digest)
	if err != nil {
		return nil, fmt.Errorf("read blob %.80q: %w", digest, missing(err))
	}
	return b, nil
}

func scanPacked(row scanner) (b []byte, err error) {
	if err := row.Scan(&b); err != nil {
		return nil, err
	}
	return b, unpackIn(&b)
}

// Memory returns what the gate last stored of a view; nil before that.
func (s *Registry) Memory(ctx context.Context, view feature.ViewID) ([]byte, error) {
	b, err := one(ctx, s, scanPacked, memoryQuery, int64(view))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read memory of view %d: %w", view, err)
	}
	return b, nil
}

// History lists the windows of a view's history that start within [from, to),
// rising. A zero time leaves that end open. Profiles that Retain removed are nil.
func (s *Registry) History(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.HistoryRow, error) {
	until := nanos(to)
	if to.IsZero() {
		until = math.MaxInt64
	}
	rows, err := all(ctx, s, scanHistory, historyQuery, int64(view), nanos(from), until)
	if err != nil {
		return nil, fmt.Errorf("list history of view %d: %w", view, err)
	}
	return rows, nil
}

func scanHistory(row scanner) (h feature.HistoryRow, err error) {
	var start, end, normal int64
	if err = row.Scan(&start, &end, unsigned[feature.Version]{&h.Version}, &h.Layout, &normal, &h.Profile, &h.Summary); err != nil {
		return h, err
	}
	h.Window = feature.Window{Start: fromNanos(start), End: fromNanos(end)}
	h.Normal = normal != 0
	return h, errors.Join(unpackIn(&h.Profile), unpackIn(&h.Summary))
}

// Layouts lists a view's layouts by the window they apply from; of two with the
// same one, the later stored is the later listed.
func (s *Registry) Layouts(ctx context.Context, view feature.ViewID) ([]feature.LayoutRow, error) {
	rows, err := all(ctx, s, func(row scanner) (l feature.LayoutRow, err error) {
		var from int64
		if err = row.Scan(&from, &l.Digest, &l.Body); err != nil {
			return l, err
		}
		l.From = fromNanos(from)
		return l, unpackIn(&l.Body)
	}, layoutsQuery, int64(view))
	if err != nil {
		return nil, fmt.Errorf("list layouts of view %d: %w", view, err)
	}
	return rows, nil
}

// Baseline returns the last decision about a view's baseline; nil without any.
func (s *Registry) Baseline(ctx context.Context, view feature.ViewID) (*feature.BaselineRow, error) {
	row, err := one(ctx, s, decoded[feature.BaselineRow], baselineQuery, int64(view))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read baseline of view %d: %w", view, err)
	}
	return &row, nil
}

// Baselines lists the decisions about a view's baseline in their order.
func (s *Registry) Baselines(ctx context.Context, view feature.ViewID) ([]feature.BaselineRow, error) {
	rows, err := all(ctx, s, decoded[feature.BaselineRow], baselinesQuery, int64(view))
	if err != nil {
		return nil, fmt.Errorf("list baselines of view %d: %w", view, err)
	}
	return rows, nil
}
