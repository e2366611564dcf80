package client

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	sluicev1 "sluice/api/sluice/v1"
)

// Key is an entity: join keys by name. Values are strings, whole numbers, bools, bytes
// and times.
type Key = map[string]any

// Status says what a cell is: a value, or why there is none.
type Status int32

// The statuses of a cell.
const (
	Present       = Status(sluicev1.Status_PRESENT)
	Null          = Status(sluicev1.Status_NULL_VALUE)
	NotFound      = Status(sluicev1.Status_NOT_FOUND)
	OutsideMaxAge = Status(sluicev1.Status_OUTSIDE_MAX_AGE) // older than the ttl; a value is there unless the policy is PolicyNull
	Unavailable   = Status(sluicev1.Status_UNAVAILABLE)     // the row could not be read; it may exist
	Failed        = Status(sluicev1.Status_FAILED)          // a computed feature could not be computed of this row
)

// String returns the contract's word.
func (s Status) String() string { return sluicev1.Status(s).String() }

// Provenance says where a view's rows come from, and how far to trust them.
type Provenance struct {
	Version    uint64        // the newest among the rows
	Verdict    string        // id of the verdict that published it
	Generation uint64        // of the list of versions that readers see
	Age        time.Duration // of the newest row; 0 if none was found
	Stale      bool          // values may be older than what the store holds, or too old for the view
	// Fallback is empty, or why this is not all that the store holds now: lease and store
	// are the server's words; client says that no server answered and that these are rows
	// which this process read before.
	Fallback string
	Cached   bool // from this process, without a call or because no server answered
	// CachedRows is how many of the rows are from the server's memory (serve.cached_rows),
	// where rows are only while they are what the store has.
	CachedRows uint64
}

// aged is the provenance of rows that were kept for some time.
func (p Provenance) aged(by time.Duration, fallback bool) Provenance {
	p.Cached = true
	if p.Version != 0 {
		p.Age += by
	}
	if fallback {
		p.Stale, p.Fallback = true, joined(p.Fallback, "client")
	}
	return p
}

// merged is the provenance of rows that were read apart: the newest version and the
// worst of the rest. The age is that of the newest row.
func (p Provenance) merged(o Provenance) Provenance {
	if o.Version > p.Version {
		p.Version, p.Verdict = o.Version, o.Verdict
	}
	if o.Age > 0 && (p.Age == 0 || o.Age < p.Age) {
		p.Age = o.Age
	}
	p.Generation = max(p.Generation, o.Generation)
	p.Stale, p.Cached = p.Stale || o.Stale, p.Cached || o.Cached
	p.CachedRows += o.CachedRows
	for _, why := range strings.Split(o.Fallback, ",") {
		p.Fallback = joined(p.Fallback, why)
	}
	return p
}

// joined adds a word to a list of words, once.
func joined(list, word string) string {
	switch {
	case word == "" || strings.Contains(","+list+",", ","+word+","):
		return list
	case list == "":
		return word
	}
	return list + "," + word
}

// Rows is the answer to a read: one row a key, in the order of the keys.
type Rows struct {
	Columns    []string // feature, or view:feature where a request is not of one view
	Rows       []Row
	Provenance map[string]Provenance // by view, over all rows
}

// All yields the rows with their positions.
func (r *Rows) All() iter.Seq2[int, Row] {
	return func(yield func(int, Row) bool) {
		for i, row := range r.Rows {
			if !yield(i, row) {
				return
			}
		}
	}
}

// gather adds what its rows say about the whole.
func gather(rows []Row) *Rows {
	out := &Rows{Rows: rows, Provenance: map[string]Provenance{}}
	seen := map[*Provenance]bool{}
	for i, row := range rows {
		if out.Columns == nil {
			out.Columns = row.shape.columns
		}
		if i > 0 && row.shape == rows[i-1].shape && slices.Equal(row.provenance, rows[i-1].provenance) {
			continue
		}
		for v, p := range row.provenance {
			if seen[p] {
				continue
			}
			seen[p] = true
			name := row.shape.views[v]
			if known, ok := out.Provenance[name]; ok {
				out.Provenance[name] = known.merged(*p)
			} else {
				out.Provenance[name] = *p
			}
		}
	}
	return out
}

// shape is what the rows of one answer have in common.
type shape struct {
	columns []string
	at      map[string]int
	views   []string
	viewOf  []int // column to view
}

type cell struct {
	value  any
	status Status
}

// Row is one entity. A value is an int64, float64, string, bool, time.Time, []byte, a
// slice of one of these, a json.RawMessage, or nil. Slices are shared; do not change them.
type Row struct {
	Key Key

	shape      *shape
	cells      []cell
	times      []int64       // by view, Unix nanoseconds; 0: none
	provenance []*Provenance // by view
}

// Value returns the value in a column; nil if there is none, or no such column.
func (r Row) Value(column string) any {
	if i, ok := r.column(column); ok {
		return r.cells[i].value
	}
	return nil
}

// Status returns the status of a column; 0 if there is no such column.
func (r Row) Status(column string) Status {
	if i, ok := r.column(column); ok {
		return r.cells[i].status
	}
	return 0
}

// EventTime returns the event time of the row that a column comes from; the zero time
// if there is none.
func (r Row) EventTime(column string) time.Time {
	if i, ok := r.column(column); ok && r.times[r.shape.viewOf[i]] != 0 {
		return time.Unix(0, r.times[r.shape.viewOf[i]]).UTC()
	}
	return time.Time{}
}

// Provenance returns where a column comes from.
func (r Row) Provenance(column string) Provenance {
	if i, ok := r.column(column); ok {
		return *r.provenance[r.shape.viewOf[i]]
	}
	return Provenance{}
}

// Values returns all values by column.
func (r Row) Values() map[string]any {
	out := map[string]any{}
	if r.shape != nil {
		for i, name := range r.shape.columns {
			out[name] = r.cells[i].value
		}
	}
	return out
}

func (r Row) column(name string) (int, bool) {
	if r.shape == nil {
		return 0, false
	}
	i, ok := r.shape.at[name]
	return i, ok
}

// Get returns the value in a column as a T, one of the types of Row. A whole number is
// also a float64, if it can be without loss. The error is ErrNoValue if the cell has no
// value, unknown_feature if there is no such column, and type if it holds something else.
func Get[T any](row Row, column string) (T, error) {
	var zero T
	i, ok := row.column(column)
	if !ok {
		return zero, &Error{Code: "unknown_feature", Message: fmt.Sprintf("the row has no column %q", column), Hint: "name it in Features"}
	}
	switch value := row.cells[i].value.(type) {
	case T:
		return value, nil
	case nil:
		return zero, fmt.Errorf("%s of %v: %s: %w", column, row.Key, row.cells[i].status, ErrNoValue)
	case int64:
		if out, ok := any(float64(value)).(T); ok && int64(float64(value)) == value {
			return out, nil
		}
	}
	return zero, &Error{Code: "type", Message: fmt.Sprintf("%s holds a %T, not a %T", column, row.cells[i].value, zero)}
}

// Or is Get with a value for cells without one.
func Or[T any](row Row, column string, otherwise T) (T, error) {
	if i, ok := row.column(column); ok && row.cells[i].value == nil {
		return otherwise, nil
	}
	return Get[T](row, column)
}
