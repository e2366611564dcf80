package tap

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// batch is how many records are taken between two looks at the clock.
const batch = 4096

// maxClosing is how many windows may close within a batch before it is saved in
// the middle: a backlog of many windows is not read again from its start.
const maxClosing = 16

// owner is the goroutine that owns one source partition, and what others may see
// of it.
type owner struct {
	tap       *Tap
	at        source
	stop      context.CancelFunc // asks it to save and end
	drop      context.CancelFunc // makes it end without saving
	done      chan struct{}
	behind    atomic.Int64 // records of the log that it has still to take
	since     atomic.Int64 // unix nanoseconds: when the last one it took was written, if it is behind
	offset    atomic.Int64 // of the last checkpoint
	restored  atomic.Bool
	held      atomic.Bool // its progress is lost: it is not read
	abandoned atomic.Bool // the partition is another one's: nothing is saved any more
	trouble   atomic.Pointer[error]
	saved     atomic.Pointer[savedAt]
	gap       atomic.Pointer[gap]
	mark      atomic.Pointer[producing]
	sighted   atomic.Pointer[sighting]
	lost      atomic.Bool // to somebody who put a state in place
	kept      *partition  // of a session that ended between two records: what the log may have lost
	letAt     time.Time   // when it ended
}

// own starts an owner; kept is what this process has of the partition still.
func (t *Tap) own(at source, kept *partition) *owner {
	hard, drop := context.WithCancel(context.Background())
	soft, stop := context.WithCancel(hard)
	o := &owner{tap: t, at: at, stop: stop, drop: drop, done: make(chan struct{}), kept: kept}
	o.offset.Store(-1)
	go func() {
		defer close(o.done)
		defer drop()
		o.run(hard, soft)
	}()
	return o
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
	grace      = 20 * time.Second // to save a partition that goes
)

// run reads the partition until soft or hard ends. After an error the state is
// dropped and restored from the log, after a pause that grows.
func (o *owner) run(hard, soft context.Context) {
	defer func() { o.tap.let(o) }()
	pause := firstPause
	for ending := false; !ending; {
		began := time.Now()
		ending = soft.Err() != nil // then what may be lost is saved, once
		err := o.session(hard, soft)
		o.restored.Store(false)
		if err == nil || hard.Err() != nil || soft.Err() != nil && !o.rescues(err) {
			return
		}
		o.tell(err)
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		switch {
		case errors.Is(err, errFenced):
			pause = max(pause, time.Second) // if somebody else owns it now, the group will say so
		case o.held.Load():
			pause = lastPause // somebody has to do something
		}
		select {
		case <-time.After(pause):
		case <-soft.Done():
		}
		if o.abandoned.Load() {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// rescues reports whether what is known of the partition is to be saved though its session
// ended in err and the partition goes: the log may have lost what it had.
func (o *owner) rescues(err error) bool {
	return o.kept != nil && !o.abandoned.Load() && (errors.Is(err, errStatesGone) || errors.Is(err, errTransaction))
}

// tell counts and logs why the partition is not read on.
func (o *owner) tell(err error) {
	o.trouble.Store(&err)
	first := !o.held.Load()
	held := errors.Is(err, ErrProgressLost)
	o.held.Store(held)
	if held && !first {
		return
	}
	o.tap.metrics.errors.WithLabelValues(reason(err)).Inc()
	switch {
	case held:
		o.tap.deps.Logger.Error("partition is held: it was read before, and its progress is lost. Put it back with `sluice restore`, or have the partition read from the start of the log with `sluice reread`",
			"topic", o.at.topic, "partition", o.at.partition, "profiles", o.tap.log.cfg.Topics.Profiles, "err", err)
	default:
		o.tap.deps.Logger.Warn("partition is read again from its last checkpoint", "partition", o.at.String(), "err", err)
	}
}

// claim makes this process the partition's owner, as of its last checkpoint.
func (o *owner) claim(soft context.Context, w *writer) (*partition, error) {
	if err := o.tap.log.holdState(soft, o.at); err != nil {
		return nil, fmt.Errorf("%w: %w", errLog, err)
	}
	if o.held.Load() {
		if err := o.tap.stillHeld(soft, o.at); err != nil {
			return nil, err
		}
	}
	return o.tap.take(soft, o.at, w, o.kept)
}

// session owns the partition once, from claiming it to an error or the end.
func (o *owner) session(hard, soft context.Context) (err error) {
	w, err := newWriter(o.tap.log.cfg.Brokers, o.at)
	if err != nil {
		return err
	}
	defer w.close()
	o.mark.Store(nil)
	o.lost.Store(false)
	claiming := soft
	if o.kept != nil {
		claiming = hard
	}
	p, err := o.claim(claiming, w)
	if err != nil {
		if claiming.Err() != nil {
			return nil
		}
		return err
	}
	if p != o.kept {
		o.kept.disown()
	}
	o.kept = nil
	p.own()
	defer func() {
		if p.midway || p.tenure.overtaken {
			p.disown()
			return
		}
		p.away = p.away || errors.Is(err, errFenced) // then somebody else may have saved
		o.kept = p
	}()
	if err := p.enter(hard); err != nil {
		return err
	}
	reader, err := kgo.NewClient(append(append(baseOptions(o.tap.log.cfg.Brokers), readOptions(o.tap.portion)...),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // records that are gone unread are to be told of
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.at.topic: {o.at.partition: kgo.NewOffset().At(p.next)}}))...)
	if err != nil {
		return fmt.Errorf("read %s: %w: %w", o.at, errLog, err)
	}
	defer reader.Close()
	if err := o.save(hard, p, w, true); err != nil {
		return err
	}
	o.restored.Store(true)
	o.held.Store(false)
	o.trouble.Store(nil)
	o.tap.deps.Logger.Info("partition taken", "partition", o.at.String(), "offset", p.next, "epoch", p.epoch)
	defer func() { o.tap.deps.Logger.Info("partition left", "partition", o.at.String(), "saved", o.offset.Load()) }()
	return o.read(hard, soft, p, w, reader)
}

func (o *owner) save(ctx context.Context, p *partition, w *writer, all bool) error {
	if err := p.checkpoint(ctx, w, all); err != nil {
		return err
	}
	o.offset.Store(p.next)
	o.saved.Store(&savedAt{p.saves.home, p.saves.whole, p.saves.at})
	if now, err := w.mark(ctx); err == nil {
		o.mark.Store(&now)
	}
	p.noteBegun(ctx)
	return nil
}

// read takes records until soft ends, and saves what it has then.
func (o *owner) read(hard, soft context.Context, p *partition, w *writer, reader *kgo.Client) error {
	last := time.Now()
	for {
		err := o.superseded()
		if err == nil {
			err = o.refill(hard, p, w)
		}
		if err != nil {
			return err
		}
		fetches, err := o.poll(soft, reader)
		if err != nil || o.abandoned.Load() {
			return err
		}
		o.measure(fetches, p.next)
		p.midway = true
		if err := p.begin(); err != nil {
			return err
		}
		if batch := swollen(fetches); batch != nil {
			p.skip(hard, batch)
			pass(reader, batch)
			o.tap.deps.Logger.Warn("batch too large to be read; its records are dead-lettered", "partition", o.at.String(), "first", batch.Offset, "next", batch.NextOffset)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			if err := p.record(hard, iter.Next()); err != nil {
				return err
			}
			if p.closing >= maxClosing {
				if err := o.save(hard, p, w, false); err != nil {
					return err
				}
				p.midway = true
			}
		}
		o.measure(fetches, p.next)
		if err := p.silence(hard); err != nil {
			return err
		}
		p.midway = false
		if o.abandoned.Load() {
			return nil
		}
		ending := soft.Err() != nil
		if ending {
			o.look(hard)
			if err := o.refill(hard, p, w); err != nil {
				return err
			}
		}
		if p.urgent || p.changed && (ending || time.Since(last) >= o.tap.cfg.Checkpoint) {
			if err := o.save(hard, p, w, false); err != nil {
				return err
			}
			last = time.Now()
		}
		if ending {
			return nil
		}
	}
}

// poll returns the next records, none if none come for a while.
func (o *owner) poll(soft context.Context, reader *kgo.Client) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(soft, o.tap.cfg.Poll)
	defer cancel()
	fetches := reader.PollRecords(ctx, batch)
	if swollen(fetches) != nil {
		return fetches, nil
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return nil, fmt.Errorf("read %s: %w: %w", o.at, errLog, e.Err)
		}
	}
	return fetches, nil
}

// measure notes how many records are behind next, and how old the first of them is
// at least: as old as the last one fetched. It is called before records are taken as
// well as after, so that a tap that cannot take them is seen to be behind.
func (o *owner) measure(fetches kgo.Fetches, next int64) {
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if n := len(f.Records); n > 0 {
			o.since.Store(f.Records[n-1].Timestamp.UnixNano())
			o.behind.Store(max(0, f.LastStableOffset-next))
		}
	})
}

// lag returns how old the oldest record is that is still to be taken, 0 without one.
func (o *owner) lag(now time.Time) time.Duration {
	if o.behind.Load() == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(0, o.since.Load())))
}

// probe is an end of the log and the clock when it was the end.
type probe struct {
	end int64
	at  time.Time
}

// silence makes views idle that have had no record for their idle time. A view is
// silent only if everything was read that was in the log at that time.
func (p *partition) silence(ctx context.Context) error {
	if !p.clockSet {
		return nil
	}
	due := false
	for _, v := range p.views {
		if v.seen.IsZero() || v.seen.After(p.now) {
			v.seen = p.now
		}
		due = due || p.silent(v, p.now)
	}
	if !due {
		p.probe = nil
		return nil
	}
	if p.probe == nil {
		_, end, err := p.tap.log.bounds(ctx, p.at.topic, p.at.partition)
		if err != nil {
			return fmt.Errorf("%w: %w", errLog, err)
		}
		p.probe = &probe{end, p.now}
	}
	if p.next < p.probe.end {
		return nil
	}
	at := p.probe.at
	p.probe = nil
	for _, v := range p.views {
		if p.silent(v, at) {
			if err := p.rest(ctx, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *partition) silent(v *viewState, now time.Time) bool {
	return !v.idle && v.spec.Idle > 0 && now.Sub(v.seen) >= v.spec.Idle
}

// end stops the owner: with save, what it has is saved first, if that succeeds in
// time. Without, it comes to the end of what it was reading, so that what it has is a state
// between two records.
func (o *owner) end(save bool) {
	patience := grace
	if !save {
		o.abandoned.Store(true)
		patience = lookTime
	}
	o.stop()
	select {
	case <-o.done:
	case <-time.After(patience):
	}
	o.drop()
	<-o.done
}
