package tap

import (
	"context"
	"errors"
	"fmt"

	"sluice/feature"
)

// MarkedRows is an online store whose servers may lose rows that they acknowledged,
// as Redis does when a replica that lagged behind takes over. Behind each batch it
// keeps a mark of the partition that the rows are from, by which that is found out.
type MarkedRows interface {
	Rows
	// Own takes a source over, which is read from offset on; Disown forgets it.
	Own(source string, offset int64)
	Disown(source string)
	// StageMarked is Stage for a source of which no row below offset is held back
	// for another call. It fails where rows that it had acknowledged are gone.
	StageMarked(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row, source string, offset int64) (bytes uint64, err error)
	// Lost tells whether rows of the source were lost since Own, and from which
	// offset on; acknowledged is the one up to which the caller counts on them.
	Lost(ctx context.Context, source string, acknowledged int64) (rewind int64, lost bool, err error)
}

// SourceSyncer is an online store of several parts that knows which of them have rows
// of a source: one that has none need not be waited for.
type SourceSyncer interface {
	// SyncSource makes what StageMarked staged for the source durable.
	SyncSource(ctx context.Context, source string) error
}

// sync makes what the partition has staged durable.
func (p *partition) sync(ctx context.Context) error {
	if of, ok := p.tap.deps.Rows.(SourceSyncer); ok && p.marked != nil {
		return of.SyncSource(ctx, p.at.String())
	}
	return p.tap.deps.Rows.Sync(ctx)
}

// errRowsLost reports rows that the online store acknowledged and no longer has. The
// partition goes back to its last checkpoint. Of rows before that the gate finds out:
// it reads every window back that was open when the store's servers changed.
var errRowsLost = errors.New("rows that the store acknowledged are gone")

// own takes the partition over at its store, unless it is its own already.
func (p *partition) own() {
	if marked, ok := p.tap.deps.Rows.(MarkedRows); ok && p.marked == nil {
		p.marked = marked
		marked.Own(p.at.String(), p.next)
	}
}

// disown gives the partition back at its store; nil has nothing.
func (p *partition) disown() {
	if p != nil && p.marked != nil {
		p.marked.Disown(p.at.String())
		p.marked = nil
	}
}

// send stages rows of a window, with a mark if the store keeps them.
func (p *partition) send(ctx context.Context, v *viewState, w *window, rows []feature.Row) (bytes uint64, err error) {
	if p.marked == nil {
		return p.tap.deps.Rows.Stage(ctx, v.view.ID, w.version, rows)
	}
	return p.marked.StageMarked(ctx, v.view.ID, w.version, rows, p.at.String(), p.heldFrom(w))
}

// heldFrom is an offset below which no row is held back but those of w. The record
// at hand may be for other views still.
func (p *partition) heldFrom(w *window) int64 {
	from := p.next - 1
	for v := range p.kept {
		for _, other := range v.windows {
			if other != w && len(other.rows) > 0 {
				from = min(from, other.from)
			}
		}
	}
	return from
}

// intact returns errRowsLost if the store no longer has what it acknowledged.
func (p *partition) intact(ctx context.Context) error {
	if p.marked == nil {
		return nil
	}
	rewind, lost, err := p.marked.Lost(ctx, p.at.String(), p.next)
	if err == nil && lost {
		err = fmt.Errorf("%w, from offset %d on", errRowsLost, rewind)
	}
	if err != nil {
		return errStore(fmt.Errorf("rows of %s: %w", p.at, err))
	}
	return nil
}
