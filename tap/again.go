package tap

import (
	"github.com/twmb/franz-go/pkg/kgo"
)

// bringers holds, while a part of the log is read again, which record brought each event
// id. Live, a refused record brings none; read again where the definitions of its time are
// not known, one that was refused may be taken, and would make its own resending, which was
// accepted once the definition was mended, a duplicate. What is sent again names the
// record that was refused: it is no duplicate of that one.
type bringers struct {
	ids    *idWindow
	offset map[eventHash]int64 // of ids that an unknown definition let in, and of some that are forgotten
}

func newBringers(capacity int) bringers {
	return bringers{newIDWindow(capacity), map[eventHash]int64{}}
}

// repeats reports whether the event id of a record is that of another before it, which
// was not refused as far as is known, or as the record says.
func (b *bringers) repeats(r *kgo.Record, id eventHash) bool {
	if !b.ids.has(id) {
		return false
	}
	offset, doubted := b.offset[id]
	if !doubted {
		return true
	}
	of, _ := header(r, HeaderReplayOf)
	at, err := ParsePlace(of)
	return err != nil || at != Place{r.Topic, r.Partition, offset}
}

// add notes that the record at offset has the event id; known says that it was accepted.
func (b *bringers) add(id eventHash, offset int64, known bool) {
	if !b.ids.has(id) {
		b.ids.add(id)
	}
	if known {
		delete(b.offset, id)
		return
	}
	b.offset[id] = offset
	if len(b.offset) <= 2*int(b.ids.capacity) {
		return
	}
	for old := range b.offset {
		if !b.ids.has(old) {
			delete(b.offset, old)
		}
	}
}
