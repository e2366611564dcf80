package tap

import (
	"context"
	"fmt"
)

// producing is a producer of the transactional id of a source partition, after its last
// transaction.
type producing struct {
	id    int64
	epoch int16
}

// mark returns this writer's. It does not ask the broker once there was a transaction.
func (w *writer) mark(ctx context.Context) (producing, error) {
	id, epoch, err := w.client.ProducerID(ctx)
	return producing{id, epoch}, err
}

// sighting is another producer of the id than the owner's, as a look saw both.
type sighting struct{ own, other producing }

// overtaken looks which owners somebody has overtaken who puts another state in place, as
// restore and reread do: one that has nothing to save would not be fenced before its next
// record, and go on from where it was until then. A mark that an owner's own transaction has
// moved while it was asked for is gone at the next look, so that it takes two of one kind.
func (t *Tap) overtaken(ctx context.Context, owners []*owner) error {
	ids, of := []string(nil), map[string]*owner{}
	for _, o := range owners {
		if o.mark.Load() != nil {
			id := transactionalID(o.at)
			ids, of[id] = append(ids, id), o
		}
	}
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	described, err := t.log.admin.DescribeTransactions(ctx, ids...)
	for id, d := range described {
		if o := of[id]; o != nil && d.Err == nil {
			o.see(producing{d.ProducerID, d.ProducerEpoch})
		}
	}
	if err != nil {
		return fmt.Errorf("describe the producers of %d partitions: %w", len(ids), err)
	}
	return nil
}

// see compares what the broker has with the owner's own mark.
func (o *owner) see(now producing) {
	own := o.mark.Load()
	if own == nil || *own == now {
		o.sighted.Store(nil)
		return
	}
	seen := &sighting{*own, now}
	if before := o.sighted.Swap(seen); before != nil && *before == *seen {
		o.lost.Store(true)
	}
}

// superseded ends the session of an owner that was overtaken.
func (o *owner) superseded() error {
	if !o.lost.Load() {
		return nil
	}
	return fmt.Errorf("%w: its state was put in place by somebody else", errFenced)
}
