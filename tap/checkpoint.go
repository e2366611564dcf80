package tap

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality/sketch"
)

// stage hands a window's rows to the online store, unless they are to stay out of it.
func (p *partition) stage(ctx context.Context, v *viewState, w *window) error {
	if len(w.rows) == 0 || p.leaves(v, w) {
		return nil
	}
	rows := make([]feature.Row, 0, len(w.rows))
	for _, r := range w.rows {
		rows = append(rows, r)
	}
	defer p.waited(time.Now())
	n, err := p.send(ctx, v, w, rows)
	if err != nil {
		return errStore(fmt.Errorf("stage %d rows of %s version %d: %w", len(rows), v.view.Name, w.version, err))
	}
	w.bytes += n
	w.dirty, p.staged = true, true
	clear(w.rows)
	return nil
}

// unload stages what is held back if that is much: of w alone, or of all windows.
func (p *partition) unload(ctx context.Context, v *viewState, w *window) error {
	switch {
	case p.held >= p.tap.share():
		return p.stageHeld(ctx)
	case len(w.rows) >= p.tap.cfg.StageRows:
		return p.stage(ctx, v, w)
	}
	return nil
}

// stageHeld stages what is held back.
func (p *partition) stageHeld(ctx context.Context) error {
	for v := range p.kept {
		for _, w := range v.windows {
			if err := p.stage(ctx, v, w); err != nil {
				return err
			}
		}
	}
	p.held = 0
	return nil
}

// stageAll stages what is held back and makes everything staged durable.
func (p *partition) stageAll(ctx context.Context) error {
	if p.tap.deps.Rows == nil {
		return nil
	}
	if err := p.stageHeld(ctx); err != nil {
		return err
	}
	if !p.staged {
		return nil
	}
	defer p.waited(time.Now())
	if err := p.sync(ctx); err != nil {
		return errStore(fmt.Errorf("sync staged rows: %w", err))
	}
	if err := p.intact(ctx); err != nil {
		return err
	}
	p.staged = false
	return nil
}

// checkpoint saves the partition's state. Rows are staged and dead letters
// acknowledged first; then one transaction takes partials, event ids and, last, the
// progress, which alone is truth. With all,
// every open window is written, as the first checkpoint of an owner must; and where the
// profiles topic lost what it had, everything else, too.
func (p *partition) checkpoint(ctx context.Context, out *writer, all bool) error {
	began := time.Now()
	p.midway = true
	if err := p.stageAll(ctx); err != nil {
		return err
	}
	defer p.waited(time.Now())
	if err := p.letters.wait(); err != nil {
		return err
	}
	p.midway = false
	closed, err := p.closedAgain(ctx)
	if err != nil {
		return err
	}
	p.seq++
	p.epochs[len(p.epochs)-1] = epochEnd{p.epoch, p.seq}
	if err := out.begin(); err != nil {
		return err
	}
	for v := range p.kept {
		for _, w := range v.windows {
			if w.dirty || p.saves.again || all && !w.closed {
				if err := p.putWindow(ctx, out, v.view.Name, w); err != nil {
					return err
				}
			}
		}
	}
	for i := range closed {
		if err := p.putPartial(ctx, out, &closed[i]); err != nil {
			return err
		}
	}
	if p.saves.again {
		p.ids.saved = 0
	}
	p.ids.changed(func(slot int, body []byte) {
		p.put(ctx, out, stateKey{kind: kindIDs, at: p.at, part: slot}, piece{stamp{p.epoch, p.seq}, 1, body}.append(nil))
	})
	progress, err := json.Marshal(p.progress())
	if err != nil {
		return fmt.Errorf("encode progress of %s: %w", p.at, err)
	}
	last := p.put(ctx, out, stateKey{kind: kindProgress, at: p.at}, progress)
	if err := out.commit(ctx); err != nil {
		return fmt.Errorf("checkpoint %s at %d: %w", p.at, p.next, err)
	}
	p.saves.done(last.Offset)
	p.saved()
	p.tap.metrics.checkpoints.Observe(time.Since(began).Seconds())
	return nil
}

// waited counts the time in which the partition was not read.
func (p *partition) waited(since time.Time) {
	p.results.waiting.Add(time.Since(since).Seconds())
}

// saved notes that everything is in the log.
func (p *partition) saved() {
	for v := range p.kept {
		for _, w := range v.windows {
			if w.closed {
				p.saves.close(v.view.Name, p.at, w)
			}
		}
		maps.DeleteFunc(v.windows, func(_ int64, w *window) bool { return w.closed })
		for _, w := range v.windows {
			w.dirty = false
		}
	}
	p.leaving, p.ids.saved = nil, p.ids.total
	p.changed, p.urgent, p.closing = false, false, 0
}

func (p *partition) put(ctx context.Context, out *writer, key stateKey, value []byte) *kgo.Record {
	r := &kgo.Record{
		Topic: p.tap.log.cfg.Topics.Profiles, Partition: p.at.partition, Key: key.append(nil), Value: value,
	}
	out.put(ctx, r)
	return r
}

func (p *partition) putWindow(ctx context.Context, out *writer, view string, w *window) error {
	partial, err := w.partial(view, p.at, p.epoch, p.next)
	if err != nil {
		return fmt.Errorf("encode profile of %s: %w", view, err)
	}
	return p.putPartial(ctx, out, &partial)
}

func (p *partition) putPartial(ctx context.Context, out *writer, partial *sketch.Partial) error {
	body, err := encodePartial(partial)
	if err != nil {
		return err
	}
	key := stateKey{kind: kindPartial, at: p.at, view: partial.View, start: partial.Window.Start.UnixNano()}
	chunks := slices.Collect(slices.Chunk(body, chunkBytes))
	if len(chunks) > maxChunks {
		return fmt.Errorf("partial of %s: %d bytes are more than %d", partial.View, len(body), maxChunks*chunkBytes)
	}
	for i, chunk := range chunks {
		key.part = i
		p.put(ctx, out, key, piece{stamp{p.epoch, p.seq}, len(chunks), chunk}.append(nil))
	}
	return nil
}

// progress returns how far the partition has been read.
func (p *partition) progress() progressRecord {
	r := progressRecord{
		Progress: feature.Progress{
			Topic: p.at.topic, Partition: p.at.partition, Epoch: p.epoch, Offset: p.next,
			Views: make(map[string]feature.ViewProgress, len(p.views)), Counts: p.counts, Source: slices.Clone(p.source),
		},
		TopicID: p.topicID, Seq: p.seq, IDs: p.ids.total, Sealed: map[string][]time.Time{}, Epochs: p.epochs,
		Open: map[string][]time.Time{}, Base: p.saves.base, Defined: p.defined,
		Late: make(map[string]int64, len(p.views)),
	}
	for name, v := range p.views {
		r.Late[name] = int64(v.spec.Lateness)
		r.Views[name] = feature.ViewProgress{Watermark: v.watermark, Idle: v.idle, Left: v.left, Clocks: v.clocks.shown()}
		if len(v.sealed) > 0 {
			r.Sealed[name] = v.sealed
		}
		for _, w := range v.windows {
			if !w.closed {
				r.Open[name] = append(r.Open[name], w.Start)
			}
		}
	}
	return r
}
