package tap

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// Owners is where it is noted, apart from the profiles topic, as whose a partition was read
// last. What a process has of a partition in memory stands for it as long as nobody else has
// read the partition since.
type Owners interface {
	// SourceOwner returns the name of a partition's last owner, empty if none was noted.
	SourceOwner(ctx context.Context, topic string, partition int32) (owner string, err error)
	// SwapSourceOwner notes next as the last owner in place of last, and reports whether next
	// is noted now. It changes nothing if another one is. The same call may be made again.
	SwapSourceOwner(ctx context.Context, topic string, partition int32, last, next string) (swapped bool, err error)
}

// tenure is as whose a state in memory is noted.
type tenure struct {
	name      string
	former    string // whom it is to follow
	noted     bool   // name has taken the place of former; until then nothing is read
	overtaken bool   // somebody else has
}

// follows is the tenure of whoever follows last.
func follows(last string) tenure { return tenure{name: rand.Text(), former: last} }

// lastOwner returns as whose the partition was read last.
func (t *Tap) lastOwner(ctx context.Context, at source) (string, error) {
	if t.deps.Owners == nil {
		return "", nil
	}
	last, err := t.deps.Owners.SourceOwner(ctx, at.topic, at.partition)
	if err != nil {
		return "", errRegistry(err)
	}
	return last, nil
}

// stands reports whether nobody else has read the partition since this state of it, where
// last is its last owner. One that is not noted, or not known to be, has read nothing since
// it took the state over.
func (p *partition) stands(last string) bool {
	return p.tap.deps.Owners == nil || !p.tenure.overtaken && (last == p.tenure.name || !p.tenure.noted && last == p.tenure.former)
}

// enter notes the partition's new owner, before it reads or saves anything. The error is
// errFenced if another one has come first.
func (p *partition) enter(ctx context.Context) error {
	if p.tap.deps.Owners == nil {
		return nil
	}
	swapped, err := p.tap.deps.Owners.SwapSourceOwner(ctx, p.at.topic, p.at.partition, p.tenure.former, p.tenure.name)
	switch {
	case err != nil:
		return errRegistry(err)
	case !swapped:
		p.tenure.overtaken = true
		return fmt.Errorf("%s was taken by another owner meanwhile: %w", p.at, errFenced)
	}
	p.tenure.noted = true
	return nil
}

// letTime is how long what a process has of a partition that it let go of is kept, if nobody
// takes it: one whose topic is read no more takes memory no longer.
const letTime = 10 * time.Minute

// let keeps what an owner that has ended has of its partition, until another one has taken it.
func (t *Tap) let(o *owner) {
	if o.kept == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.owners[o.at] != nil: // it is that one's at its store, too
		return
	case t.deps.Owners == nil || t.lost:
		o.kept.disown()
		return
	}
	o.letAt, o.kept.away = time.Now(), true
	o.saved.Store(&savedAt{o.kept.saves.home, o.kept.saves.whole, o.kept.saves.at})
	o.mark.Store(nil) // it is expected to be overtaken
	t.letGo[o.at] = o
}

// regain returns what the process still has of a partition, which is its own again; nil if
// it has nothing. The caller holds t.mu.
func (t *Tap) regain(at source) *partition {
	o := t.letGo[at]
	if o == nil {
		return nil
	}
	delete(t.letGo, at)
	return o.kept
}

// giveBack saves what this process has of partitions that it let go of, where the profiles
// topic has lost it and nobody has read them since.
func (t *Tap) giveBack(ctx context.Context) {
	t.mu.Lock()
	var given []*owner
	for _, o := range t.letGo {
		given = append(given, o)
	}
	clear(t.letGo) // nobody else has them while they are saved
	t.mu.Unlock()
	for _, o := range given {
		keep, err := o.giveBack(ctx)
		if err != nil && ctx.Err() == nil {
			t.deps.Logger.Warn("what is known of a partition that was let go of is not saved again", "partition", o.at.String(), "tried again", keep, "err", err)
		}
		t.mu.Lock()
		switch mine := t.owners[o.at] != nil; {
		case keep && (err != nil || !mine):
			t.letGo[o.at] = o
		case !mine:
			o.kept.disown()
		}
		t.mu.Unlock()
	}
}

// forget drops what is kept of partitions that were let go of.
func (t *Tap) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for at, o := range t.letGo {
		if t.owners[at] == nil {
			o.kept.disown()
		}
	}
	clear(t.letGo)
}

// giveBack saves what the owner, which has ended, has of its partition if the profiles topic
// lost it. It reports whether that is to be kept on.
func (o *owner) giveBack(ctx context.Context) (keep bool, err error) {
	p := o.kept
	last, err := o.tap.lastOwner(ctx, o.at)
	switch {
	case time.Since(o.letAt) > letTime:
		return false, nil
	case err != nil:
		return true, err
	case !p.stands(last):
		return false, nil
	case o.gap.Load() == nil && !p.saves.again:
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	there, err := o.tap.log.hasProgress(ctx, o.at)
	if there || err != nil {
		return err != nil, err // somebody has put it back
	}
	w, err := newWriter(o.tap.log.cfg.Brokers, o.at)
	if err != nil {
		return true, err
	}
	defer w.close()
	return o.saveAgain(ctx, w)
}

// saveAgain claims the partition and saves it, unless it has progress again by then.
func (o *owner) saveAgain(ctx context.Context, w *writer) (keep bool, err error) {
	p := o.kept
	found, err := o.tap.fence(ctx, o.at, w)
	if err != nil {
		return true, err
	}
	if !p.outlives(found) {
		return false, nil
	}
	if err := p.goOn(found); err != nil {
		return !p.midway, err
	}
	if err := p.enter(ctx); err != nil {
		return !p.tenure.overtaken, err
	}
	o.tap.metrics.errors.WithLabelValues(reasonProfiles).Inc()
	if err := p.checkpoint(ctx, w, true); err != nil {
		return !p.midway, err
	}
	o.offset.Store(p.next)
	o.saved.Store(&savedAt{p.saves.home, p.saves.whole, p.saves.at})
	o.gap.Store(nil)
	return true, nil
}

// hasProgress reports whether the profiles topic has progress of a partition.
func (l *Log) hasProgress(ctx context.Context, at source) (bool, error) {
	states, err := l.statesOf(ctx, at.partition)
	if err != nil {
		return false, fmt.Errorf("%s: %w: %w", at, errLog, err)
	}
	for _, s := range states {
		if s.Topic == at.topic && s.Partition == at.partition {
			return true, nil
		}
	}
	return false, nil
}
