package serving

import (
	"container/list"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/feature"
)

const (
	keptShards = 16
	keptBytes  = 16 << 10 // of the longest packed row that is kept
)

// keptRows holds the row that was read last of each of a bounded number of
// entities, for when the store does not answer: the least recently read go first.
// A nil keptRows holds none.
//
// A row is given only while its epoch is the view's, that is while no version has
// been taken off since it was read: what a rollback took back is not served from
// here, whatever became of the version's mark since.
type keptRows struct {
	most   int           // rows of a shard
	oldest time.Duration // on the real clock
	seed   maphash.Seed
	shards [keptShards]keptShard
}

// keptShard holds some of the entities.
type keptShard struct {
	mu    sync.Mutex
	rows  map[keptKey]*list.Element
	order list.List // of *keptRow, the one read last in front
}

type keptKey struct {
	view feature.ViewID
	key  feature.Key
}

type keptRow struct {
	keptKey
	record     feature.Record
	epoch      uint64
	generation uint64 // of the vector under which it was read
	at         time.Time
}

// newKeptRows returns room for most rows, about; nil if that is 0.
func newKeptRows(most int, oldest time.Duration) *keptRows {
	if most == 0 {
		return nil
	}
	k := &keptRows{most: (most + keptShards - 1) / keptShards, oldest: oldest, seed: maphash.MakeSeed()}
	for i := range k.shards {
		k.shards[i].rows = map[keptKey]*list.Element{}
	}
	return k
}

func (k *keptRows) shard(of keptKey) *keptShard {
	return &k.shards[maphash.String(k.seed, string(of.key))%keptShards]
}

// get returns the row that was kept of an entity, if shown may show it.
func (k *keptRows) get(view feature.ViewID, key feature.Key, shown *served) (feature.Record, bool) {
	if k == nil {
		return feature.Record{}, false
	}
	of := keptKey{view, key}
	s := k.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.rows[of]; e != nil && k.may(e.Value.(*keptRow), shown) {
		return e.Value.(*keptRow).record, true
	}
	return feature.Record{}, false
}

// may reports whether a row that was kept may be given where shown is what its view shows.
func (k *keptRows) may(row *keptRow, shown *served) bool {
	return row.epoch == shown.epoch && time.Since(row.at) <= k.oldest && shown.vector.Sees(row.record.Version)
}

// keep remembers what a answered from the store itself.
func (k *keptRows) keep(a *partAnswer) {
	if k == nil {
		return
	}
	now := time.Now()
	for i := range a.rows {
		k.keepRow(a, i, now)
	}
}

func (k *keptRows) keepRow(a *partAnswer, row int, now time.Time) {
	if r := &a.rows[row]; r.kept || r.state == rowUnread {
		return
	}
	of := keptKey{a.part.view.ID, a.keys[row]}
	record, ok := a.shown.vector.Resolve(a.chains[row])
	k.shard(of).put(of, record, ok && len(record.Row) <= keptBytes, a.shown, now, k.most)
}

// put remembers the record of an entity, or forgets the one it had.
func (s *keptShard) put(of keptKey, record feature.Record, keep bool, shown *served, now time.Time, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.rows[of]
	switch {
	case !keep && e != nil:
		s.drop(e)
		return
	case !keep:
		return
	case e == nil:
		if s.order.Len() >= most {
			s.drop(s.order.Back())
		}
		of.key = feature.Key(strings.Clone(string(of.key)))
		e = s.order.PushFront(&keptRow{keptKey: of})
		s.rows[of] = e
	}
	s.order.MoveToFront(e)
	row := e.Value.(*keptRow)
	if old := row.record; old.Row == nil || old.Version != record.Version || old.EventTime != record.EventTime || old.Seq != record.Seq {
		record.Row = append(make([]byte, 0, len(record.Row)), record.Row...)
		row.record = record
	}
	row.epoch, row.generation, row.at = shown.epoch, shown.vector.Generation, now
}

func (s *keptShard) drop(e *list.Element) {
	delete(s.rows, e.Value.(*keptRow).keptKey)
	s.order.Remove(e)
}

// tookOff reports whether a version that last showed may be one that next does
// not: one that is listed no more and not certified, or one at or below the floor
// that is dead now.
func tookOff(last, next feature.Vector) bool {
	for _, version := range last.Visible {
		if !next.Sees(version) {
			return true
		}
	}
	for _, version := range next.Dead {
		if _, known := slices.BinarySearch(last.Dead, version); !known && last.Sees(version) {
			return true
		}
	}
	return next.Floor < last.Floor
}
