package tap

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// ErrCorrupt reports a record of the profiles or dead-letter topic that no tap
// wrote.
var ErrCorrupt = errors.New("corrupt record")

// A record of the profiles topic is one of these kinds, the first byte of its key.
const (
	kindClaim    = 'c' // a new owner; its offset is the owner's epoch
	kindPartial  = 'w' // a chunk of what a partition holds of a window
	kindIDs      = 'i' // a segment of accepted event ids
	kindProgress = 'p' // last record of a checkpoint
)

// chunkBytes is the largest piece of a partial in one record.
const chunkBytes = 512 << 10

// source is a partition of a topic of writes.
type source struct {
	topic     string
	partition int32
}

func (s source) String() string { return fmt.Sprintf("%s/%d", s.topic, s.partition) }

// stateKey is the key of a record of the profiles topic.
type stateKey struct {
	kind  byte
	at    source
	view  string
	start int64 // window start, Unix nanoseconds
	part  int   // chunk of a partial, or slot of a segment
}

func (k stateKey) append(dst []byte) []byte {
	dst = append(dst, k.kind)
	dst = appendText(dst, k.at.topic)
	dst = binary.AppendUvarint(dst, uint64(k.at.partition))
	if k.kind == kindPartial {
		dst = appendText(dst, k.view)
		dst = binary.BigEndian.AppendUint64(dst, uint64(k.start))
	}
	if k.kind == kindPartial || k.kind == kindIDs {
		dst = binary.AppendUvarint(dst, uint64(k.part))
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// cursor reads what append wrote; after a mistake it reads zeros.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	part := c.b[:n]
	c.b = c.b[n:]
	return part
}

func (c *cursor) text() string { return string(c.take(c.uvarint())) }

func (c *cursor) uint64() uint64 {
	b := c.take(8)
	if c.bad {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func parseKey(b []byte) (stateKey, error) {
	if len(b) == 0 {
		return stateKey{}, fmt.Errorf("key of a state record: empty: %w", ErrCorrupt)
	}
	c := &cursor{b: b[1:]}
	k := stateKey{kind: b[0], at: source{topic: c.text()}}
	partition := c.uvarint()
	k.at.partition = int32(partition)
	switch k.kind {
	case kindPartial:
		k.view = c.text()
		k.start = int64(c.uint64())
		k.part = int(c.uvarint())
	case kindIDs:
		k.part = int(c.uvarint())
	case kindClaim, kindProgress:
	default:
		c.bad = true
	}
	if c.bad || len(c.b) != 0 || partition > 1<<31-1 || k.part < 0 || k.part > maxChunks {
		return stateKey{}, fmt.Errorf("key of a state record: %.64q: %w", b, ErrCorrupt)
	}
	return k, nil
}

// maxChunks bounds what one partial may ask a reader to remember: 2 GiB.
const maxChunks = 4096

// stamp names the checkpoint that a record belongs to.
type stamp struct {
	epoch uint64 // of the owner
	seq   uint64 // checkpoint of that owner, from 1
}

func (s stamp) before(o stamp) bool {
	return s.epoch < o.epoch || s.epoch == o.epoch && s.seq < o.seq
}

const stateFormat = 1

// piece is the value of a partial's chunk or a segment of ids.
type piece struct {
	stamp
	of   int // pieces in all
	body []byte
}

func (p piece) append(dst []byte) []byte {
	dst = append(dst, stateFormat)
	dst = binary.AppendUvarint(dst, p.epoch)
	dst = binary.AppendUvarint(dst, p.seq)
	dst = binary.AppendUvarint(dst, uint64(p.of))
	return append(dst, p.body...)
}

func parsePiece(b []byte) (piece, error) {
	if len(b) == 0 || b[0] != stateFormat {
		return piece{}, fmt.Errorf("value of a state record: format: %w", ErrCorrupt)
	}
	c := &cursor{b: b[1:]}
	p := piece{stamp: stamp{c.uvarint(), c.uvarint()}, of: int(c.uvarint())}
	if p.body = c.b; c.bad || p.of < 1 || p.of > maxChunks {
		return piece{}, fmt.Errorf("value of a state record: header: %w", ErrCorrupt)
	}
	return p, nil
}

// partialHead is a sketch.Partial without its profile, which follows it.
type partialHead struct {
	View      string          `json:"view"`
	Window    feature.Window  `json:"window"`
	Version   feature.Version `json:"version"`
	Topic     string          `json:"topic"`
	Partition int32           `json:"partition"`
	Epoch     uint64          `json:"epoch"`
	Offset    int64           `json:"offset"`
	Layout    string          `json:"layout"`
	Rows      uint64          `json:"rows"`
	Bytes     uint64          `json:"bytes"`
	Span      feature.Span    `json:"span"`
	Offline   bool            `json:"offline,omitempty"`
}

func encodePartial(p *sketch.Partial) ([]byte, error) {
	head, err := json.Marshal(partialHead{
		p.View, p.Window, p.Version, p.Topic, p.Partition, p.Epoch, p.Offset, p.Layout, p.Rows, p.Bytes, p.Span, p.Offline,
	})
	if err != nil {
		return nil, fmt.Errorf("encode partial of %s: %w", p.View, err)
	}
	body := binary.AppendUvarint(make([]byte, 0, len(head)+len(p.Profile)+4), uint64(len(head)))
	return append(append(body, head...), p.Profile...), nil
}

func decodePartial(body []byte) (sketch.Partial, error) {
	c := &cursor{b: body}
	head := c.take(c.uvarint())
	var h partialHead
	if c.bad {
		return sketch.Partial{}, fmt.Errorf("decode partial: %w", ErrCorrupt)
	}
	if err := json.Unmarshal(head, &h); err != nil {
		return sketch.Partial{}, fmt.Errorf("decode partial: %w: %w", ErrCorrupt, err)
	}
	return sketch.Partial{
		View: h.View, Window: h.Window, Version: h.Version, Topic: h.Topic, Partition: h.Partition, Epoch: h.Epoch, Offset: h.Offset,
		Layout: h.Layout, Profile: bytes.Clone(c.b), Rows: h.Rows, Bytes: h.Bytes, Span: h.Span, Offline: h.Offline,
	}, nil
}

// progressRecord is a checkpoint's last record: the progress that everybody
// reads, and what only the partition's next owner needs.
type progressRecord struct {
	feature.Progress
	TopicID string                 `json:"topic_id,omitempty"` // of the source; empty: not known
	Seq     uint64                 `json:"seq"`
	IDs     uint64                 `json:"ids"`            // event ids accepted in all
	Sealed  map[string][]time.Time `json:"sealed"`         // per view: starts of windows that take no rows though the watermark has not closed them
	Epochs  []epochEnd             `json:"epochs"`         // the last checkpoint of earlier owners and of this one, by epoch
	Open    map[string][]time.Time `json:"open,omitempty"` // per view: starts of the open windows, each of which has a partial
	Late    map[string]int64       `json:"late,omitempty"` // per view: the lateness of its windows, in nanoseconds
	Defined []feature.Defined      `json:"defined,omitempty"`
	Base    uint64                 `json:"base,omitempty"` // what epochs are counted from: the last one of a profiles topic that was lost
}

// epochEnd says which checkpoint of an owner was its last.
type epochEnd struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// maxEpochs is how many owners a progress record remembers.
const maxEpochs = 64

// covers reports whether the checkpoint s was committed. What an owner wrote
// after its last committed checkpoint was never a checkpoint, whatever the broker
// shows of it. Owners older than those remembered are trusted: their unfinished
// checkpoints have been written over since.
func (p *progressRecord) covers(s stamp) bool {
	for _, e := range p.Epochs {
		if e.Epoch == s.epoch {
			return s.seq <= e.Seq
		}
	}
	return len(p.Epochs) == maxEpochs && s.epoch < p.Epochs[0].Epoch
}

func decodeProgress(b []byte) (progressRecord, error) {
	var p progressRecord
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("decode progress: %w: %w", ErrCorrupt, err)
	}
	return p, nil
}
