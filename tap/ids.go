package tap

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// eventHash stands for an event id of one view. Two ids share one with a chance
// of 2^-128.
type eventHash [16]byte

func hashEvent(view, id string) eventHash {
	var h eventHash
	var d xxhash.Digest
	for i, seed := range [...]uint64{0x736c75696365, 0x6576656e745f6964} {
		d.ResetWithSeed(seed)
		_, _ = d.WriteString(view) // never fails
		_, _ = d.Write([]byte{0})
		_, _ = d.WriteString(id)
		binary.BigEndian.PutUint64(h[8*i:], d.Sum64())
	}
	return h
}

// idWindow holds the newest accepted event ids of a partition, up to its
// capacity. It is saved in segments of fixed places: id n belongs to segment
// n / segmentIDs, which is stored in slot segment % slots, so that only the
// segments that changed are written and old ones are written over.
type idWindow struct {
	capacity uint64
	ring     [][]eventHash // id n is at n % capacity; blocks of segmentIDs, made when they are needed
	known    map[eventHash]struct{}
	total    uint64 // ids ever accepted
	saved    uint64 // of those, in committed segments
}

const segmentIDs = 4096

func newIDWindow(capacity int) *idWindow {
	return &idWindow{capacity: uint64(capacity), ring: make([][]eventHash, (capacity+segmentIDs-1)/segmentIDs), known: map[eventHash]struct{}{}}
}

// at is where id n is kept.
func (w *idWindow) at(n uint64) *eventHash {
	n %= w.capacity
	block := n / segmentIDs
	if w.ring[block] == nil {
		w.ring[block] = make([]eventHash, min(segmentIDs, w.capacity-block*segmentIDs))
	}
	return &w.ring[block][n%segmentIDs]
}

func (w *idWindow) has(h eventHash) bool {
	_, ok := w.known[h]
	return ok
}

// add remembers h, which is not known, and forgets the oldest.
func (w *idWindow) add(h eventHash) {
	at := w.at(w.total)
	if w.total >= w.capacity {
		delete(w.known, *at)
	}
	*at = h
	w.known[h] = struct{}{}
	w.total++
}

// slots is the number of segments that may hold ids of the window.
func (w *idWindow) slots() uint64 { return w.capacity/segmentIDs + 2 }

// oldest is the number of the oldest id in the window.
func (w *idWindow) oldest() uint64 {
	return w.total - min(w.total, w.capacity)
}

// changed calls fn with every segment that has ids since the last save.
func (w *idWindow) changed(fn func(slot int, body []byte)) {
	if w.saved == w.total {
		return
	}
	for s := max(w.saved, w.oldest()) / segmentIDs; s*segmentIDs < w.total; s++ {
		fn(int(s%w.slots()), w.segment(s))
	}
}

// segment returns the number of the segment's first id that is in the window, and
// the ids from there.
func (w *idWindow) segment(s uint64) []byte {
	from, to := max(s*segmentIDs, w.oldest()), min((s+1)*segmentIDs, w.total)
	body := binary.AppendUvarint(make([]byte, 0, 10+16*(to-from)), from)
	for n := from; n < to; n++ {
		body = append(body, w.at(n)[:]...)
	}
	return body
}

// restore fills an empty window from segments, up to total ids, and returns how
// many of the newest ids no segment held: none, unless the capacity was raised.
func (w *idWindow) restore(segments map[int]piece, total uint64) (missing uint64, err error) {
	w.total, w.saved = total, total
	for _, piece := range segments {
		c := &cursor{b: piece.body}
		from := c.uvarint()
		if c.bad || len(c.b)%16 != 0 {
			return 0, fmt.Errorf("restore event ids: %w", ErrCorrupt)
		}
		for n := from; len(c.b) > 0; n++ {
			id := eventHash(c.take(16))
			if n >= w.oldest() && n < total {
				*w.at(n) = id
				w.known[id] = struct{}{}
			}
		}
	}
	return total - w.oldest() - uint64(len(w.known)), nil
}
