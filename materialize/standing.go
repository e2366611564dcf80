package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sluice/feature"
)

// Kinds of decisions about a baseline.
const (
	baseTrailing = "trailing" // no decision is in force: history is what passed last
	basePinned   = "pinned"   // history ends with a window
	baseAccepted = "accepted" // layout and history start anew with a window
	baseReverted = "reverted" // an earlier decision is taken back

	baseReference = "reference" // none, but what is pinned beside a trailing history
)

// standing is what the decisions about a view's baseline amount to: those that are
// in force, the last on top of those that come back if it is taken back.
type standing struct {
	rows  []feature.BaselineRow
	stack []int // positions in rows
}

// newStanding works it out for a view whose definition names the data set of that key;
// others that it named before no longer count.
func newStanding(rows []feature.BaselineRow, key string) standing {
	s := standing{rows: rows}
	for i, row := range rows {
		if row.Kind == baseReference {
			continue
		}
		if row.Kind == baseDataset {
			if d, err := decodeDataset(row.Body); err != nil || d.Key != key {
				continue
			}
		}
		if row.Kind != baseReverted {
			s.stack = append(s.stack, i)
			continue
		}
		s.stack = slices.DeleteFunc(s.stack, func(at int) bool { return at == row.Undoes-1 })
	}
	return s
}

func readStanding(ctx context.Context, r Records, view *feature.View) (standing, error) {
	rows, err := r.Baselines(ctx, view.ID)
	if err != nil {
		return standing{}, fmt.Errorf("read baselines of %s: %w", view.Name, err)
	}
	return newStanding(rows, datasetKey(view)), nil
}

// top returns the decision in force and its number; nil and 0 if there is none.
func (s *standing) top() (*feature.BaselineRow, int) {
	n := len(s.stack)
	if n == 0 {
		return nil, 0
	}
	return &s.rows[s.stack[n-1]], s.stack[n-1] + 1
}

// without returns what would stand without the decision in force.
func (s standing) without() standing {
	s.stack = s.stack[:max(0, len(s.stack)-1)]
	return s
}

// anchor returns the decision that bounds history: a person's, or else the version
// that the view's definition pins; nil if history is simply trailing.
func (s *standing) anchor(ctx context.Context, r Records, view *feature.View) (*feature.BaselineRow, error) {
	row, _ := s.top()
	version := view.Baseline.Version
	if row != nil || view.Baseline.From != basePinned || version == 0 {
		return row, nil
	}
	info, err := r.Version(ctx, view.ID, version)
	if errors.Is(err, feature.ErrNotFound) {
		return nil, nil // not there yet: history grows up to it
	}
	if err != nil {
		return nil, fmt.Errorf("read pinned version %d of %s: %w", version, view.Name, err)
	}
	return &feature.BaselineRow{Kind: basePinned, Version: version, From: info.Window.Start}, nil
}
