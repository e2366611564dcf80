package serving

import (
	"sync"

	"sluice/feature"
	"sluice/internal/admission"
	"sluice/serving/wireform"
)

// query is a request, and then its answer. It is taken from a pool and put back
// once the reply is written; nothing of it outlives that.
type query struct {
	plan   *plan
	policy policy
	past   pastVersions // views that are read as of an earlier version; nil: none is
	rows   int

	words *statusWords // of Feast's replies; nil: the answer is the platform's own
	whole bool         // a row that cannot be read fails the request
	scan  bool         // it is a part of many rows, which are not worth remembering

	priority admission.Priority // that the client asks for; the plan's may be lower, and then holds

	// Join keys as serialized values, by join key and row: what is read, and what
	// Feast's reply repeats. arena holds their bytes.
	arena []byte
	keys  []span // [join*rows + row]

	answers []*partAnswer

	context [][]feature.Value // by the plan's context: one value a row, or one for all

	wire     wireform.Request
	planKey  []byte
	keyBytes []byte // of feature.Key, all rows one after the other
	keyEnds  []int
	sizes    []int // scratch of the encoders
}

// span is a range of an arena.
type span struct{ from, to int }

// partAnswer is what one view answered.
type partAnswer struct {
	part       *part
	shown      *served // what the snapshot shows of the view
	keys       []feature.Key
	chains     [][]feature.Record
	rows       []rowAnswer
	cells      [][]byte   // [row*slots + slot], serialized values; empty: null
	made       []rowState // likewise, of computed slots: what became of the value, plus 1
	provenance provenance

	now      int64 // when it was read, Unix nanoseconds; 0: no clock
	newest   int64 // event time of the newest row, Unix nanoseconds
	found    int
	expired  int
	oldest   int64    // age of the oldest expired row
	past     bool     // it is read as of an earlier version
	recalled int      // rows that are from memory, as the store has them
	lacking  []int    // where some are: the other rows
	kept     int      // rows of an earlier read, or of a replica that may be behind
	unread   int      // rows that the store did not give, nor were kept
	instead  [][]byte // what policy default gives by slot; nil: null
	fault    error    // why; nil if all were read

	times    []byte // scratch of the JSON encoder
	unpacked []byte // what cells of json features, and of paths into them, point to

	take func(id uint32, value []byte) // fills the cells of row
	row  int
}

func newPartAnswer() *partAnswer {
	a := &partAnswer{}
	a.take = func(id uint32, value []byte) {
		if slot := a.part.slots.slot(id); slot >= 0 {
			a.cells[a.row*len(a.part.features)+slot] = value
		}
	}
	return a
}

// rowAnswer is the row of one entity in one view.
type rowAnswer struct {
	state     rowState
	kept      bool  // of an earlier read, or of a replica that may be behind
	eventTime int64 // Unix nanoseconds; 0 if there is none
	version   feature.Version
}

// pooledCells is how large an answer may be for its memory to be kept.
const pooledCells = 64 << 10

var queries = sync.Pool{New: func() any { return &query{} }}

func newQuery() *query { return queries.Get().(*query) }

// release puts q back.
func (q *query) release() {
	cells, unpacked := 0, 0
	for _, a := range q.answers {
		cells += cap(a.cells)
		clear(a.cells)
		if a.kept+a.recalled > 0 {
			a.chains = nil // a store may write into what it is given, and kept rows are not its own
		}
		a.part, a.shown, a.fault = nil, nil, nil
		unpacked += cap(a.unpacked)
	}
	if cells > pooledCells || cap(q.arena) > 1<<20 || unpacked > 1<<20 {
		return
	}
	q.reset()
	queries.Put(q)
}

// reset empties q.
func (q *query) reset() {
	clear(q.wire.Columns)
	clear(q.context)
	q.context = q.context[:0]
	q.plan, q.policy, q.priority, q.rows, q.past, q.words, q.whole, q.scan = nil, 0, 0, 0, nil, nil, false, false
	q.arena, q.keys, q.answers = q.arena[:0], q.keys[:0], q.answers[:0]
}

// key returns the serialized value of a join key in a row.
func (q *query) key(join, row int) []byte {
	s := q.keys[join*q.rows+row]
	return q.arena[s.from:s.to]
}

// answer returns the next of q's answers, emptied, with room for q.rows rows.
func (q *query) answer(p *part, shown *served) *partAnswer {
	if len(q.answers) < cap(q.answers) {
		q.answers = q.answers[:len(q.answers)+1]
	} else {
		q.answers = append(q.answers, nil)
	}
	last := &q.answers[len(q.answers)-1]
	if *last == nil {
		*last = newPartAnswer()
	}
	a := *last
	a.part, a.shown, a.provenance = p, shown, provenance{}
	a.newest, a.found, a.expired, a.oldest = 0, 0, 0, 0
	a.kept, a.unread, a.fault = 0, 0, nil
	a.past, a.recalled, a.lacking = false, 0, a.lacking[:0]
	a.unpacked = a.unpacked[:0]
	a.rows = resized(a.rows, q.rows)
	a.cells = resized(a.cells, q.rows*len(p.features))
	if p.computed != nil {
		a.made = resized(a.made, len(a.cells))
	}
	return a
}

// resized returns s with n zero elements, in the same memory if it is enough.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}
