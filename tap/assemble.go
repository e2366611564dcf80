package tap

import (
	"bytes"

	"sluice/feature"
	"sluice/quality/sketch"
)

// WindowKey names what one partition holds of one window of a view.
type WindowKey struct {
	View      string
	Start     int64 // Unix nanoseconds
	Topic     string
	Partition int32
}

// Update is one step of the profiles topic.
type Update struct {
	Progress   *feature.Progress // nil: tombstones or Caught only
	Partials   []sketch.Partial  // what changed up to Progress; each replaces its partition's former one of the window
	Tombstones []WindowKey       // partials that were forgotten
	Caught     bool              // the end that the topic had when reading began was reached
}

// pending is what stands in front of a progress record: the pieces of partials
// and segments by checkpoint.
type pending struct {
	windows  map[WindowKey]map[stamp]*gathered
	segments map[int]piece
}

// gathered is the pieces of one partial seen so far.
type gathered struct {
	parts [][]byte
	seen  int
}

// assembler turns the records of profiles partitions into updates. A partial
// counts only once a progress record follows that covers its checkpoint: the
// in-process broker may show the first part of a transaction that never ended.
type assembler struct {
	sources map[source]*pending
	chunked func(key stateKey) // told of every chunk after a partial's first
}

func newAssembler() *assembler {
	return &assembler{sources: map[source]*pending{}, chunked: func(stateKey) {}}
}

func (a *assembler) of(at source) *pending {
	p := a.sources[at]
	if p == nil {
		p = &pending{windows: map[WindowKey]map[stamp]*gathered{}, segments: map[int]piece{}}
		a.sources[at] = p
	}
	return p
}

// covered is what one checkpoint, or several that were compacted, gave.
type covered struct {
	progress progressRecord
	partials []sketch.Partial
	segments map[int]piece
}

// add takes one record. It returns the checkpoint that the record ends, if it
// does, and the window whose partial it forgets, if it does.
func (a *assembler) add(key, value []byte) (*covered, *WindowKey, error) {
	k, err := parseKey(key)
	if err != nil {
		return nil, nil, err
	}
	p := a.of(k.at)
	switch k.kind {
	case kindPartial:
		return nil, p.tombstone(k, value), a.partial(p, k, value)
	case kindIDs:
		if value == nil {
			return nil, nil, nil
		}
		segment, err := parsePiece(value)
		if err != nil {
			return nil, nil, err
		}
		segment.body = bytes.Clone(segment.body)
		p.segments[k.part] = segment
	case kindProgress:
		if value == nil {
			return nil, nil, nil
		}
		done, err := p.end(value)
		delete(a.sources, k.at)
		return done, nil, err
	}
	return nil, nil, nil
}

func (k stateKey) window() WindowKey {
	return WindowKey{k.view, k.start, k.at.topic, k.at.partition}
}

func (p *pending) tombstone(k stateKey, value []byte) *WindowKey {
	if value != nil || k.part != 0 {
		return nil
	}
	w := k.window()
	delete(p.windows, w)
	return &w
}

func (a *assembler) partial(p *pending, k stateKey, value []byte) error {
	if value == nil {
		return nil
	}
	chunk, err := parsePiece(value)
	if err != nil || k.part >= chunk.of {
		return err
	}
	if k.part > 0 {
		a.chunked(k)
	}
	byStamp := p.windows[k.window()]
	if byStamp == nil {
		byStamp = map[stamp]*gathered{}
		p.windows[k.window()] = byStamp
	}
	g := byStamp[chunk.stamp]
	if g == nil || len(g.parts) != chunk.of {
		g = &gathered{parts: make([][]byte, chunk.of)}
		byStamp[chunk.stamp] = g
	}
	if g.parts[k.part] == nil {
		g.seen++
	}
	g.parts[k.part] = bytes.Clone(chunk.body)
	return nil
}

// end closes a checkpoint: of every window the newest whole partial that the
// progress covers.
func (p *pending) end(value []byte) (*covered, error) {
	progress, err := decodeProgress(value)
	if err != nil {
		return nil, err
	}
	done := &covered{progress: progress, segments: map[int]piece{}}
	for _, byStamp := range p.windows {
		var best stamp
		var body []byte
		for at, g := range byStamp {
			if g.seen == len(g.parts) && progress.covers(at) && !at.before(best) {
				best, body = at, bytes.Join(g.parts, nil)
			}
		}
		if body == nil {
			continue
		}
		partial, err := decodePartial(body)
		if err != nil {
			return nil, err
		}
		done.partials = append(done.partials, partial)
	}
	for slot, segment := range p.segments {
		if progress.covers(segment.stamp) {
			done.segments[slot] = segment
		}
	}
	return done, nil
}
