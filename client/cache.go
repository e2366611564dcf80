package client

import (
	"container/list"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Keep says what is kept of the rows that Rows read, in this process, for the policies
// serve and flag and for reads of now without context. An answer of a newer generation of a view empties
// what is kept of the view, since a rollback makes one; so does Act.
type Keep struct {
	Rows     int           // at most so many; the least recently used go first. 0: none
	Fresh    time.Duration // so long a row is returned without a call; 0: never
	LastGood time.Duration // so long a row is returned if no server answers, marked stale; 0: never
}

func (k Keep) validate() error {
	var errs []error
	if k.Rows < 0 || k.Rows > 1<<24 {
		errs = append(errs, fmt.Errorf("Keep.Rows: %d is not in 0 to %d", k.Rows, 1<<24))
	}
	if k.Fresh < 0 || k.LastGood < 0 {
		errs = append(errs, errors.New("Keep: a time is negative"))
	}
	if k.Rows == 0 && (k.Fresh > 0 || k.LastGood > 0) {
		errs = append(errs, errors.New("Keep.Rows: 0 rows are kept; say how many"))
	}
	return errors.Join(errs...)
}

// cache is rows by question and key.
type cache struct {
	keep Keep

	mu          sync.Mutex
	rows        map[place]*list.Element // of *keptRow
	recent      *list.List              // the most recently used first
	generations map[string]uint64       // by view, the newest seen
	cleared     map[string]time.Time    // by view, when Act last emptied it
}

type place struct{ question, key string }

type keptRow struct {
	place place
	row   Row
	read  time.Time // when it was asked for
}

func newCache(keep Keep) *cache {
	return &cache{keep: keep, rows: map[place]*list.Element{}, recent: list.New(), generations: map[string]uint64{}, cleared: map[string]time.Time{}}
}

// takes says whether rows of q may be kept.
func (c *cache) takes(q question) bool {
	return c.keep.Rows > 0 && len(q.asOf) == 0 && q.context == nil && (q.policy == PolicyServe || q.policy == PolicyFlag)
}

// get returns the row that is kept, if it is young enough.
func (c *cache) get(q question, e entity, fallback bool) (Row, bool) {
	limit := c.keep.Fresh
	if fallback {
		limit = c.keep.LastGood
	}
	if limit <= 0 || !c.takes(q) {
		return Row{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.rows[place{q.text, e.text}]
	if found == nil {
		return Row{}, false
	}
	kept := found.Value.(*keptRow)
	age := time.Since(kept.read)
	if age > limit {
		return Row{}, false
	}
	c.recent.MoveToFront(found)
	row := kept.row
	row.provenance = each(row.provenance, func(p *Provenance) *Provenance {
		old := p.aged(age, fallback)
		return &old
	})
	return row, true
}

// lastGood returns what was read before of asked, and cells that are Unavailable where
// nothing was; nil if nothing was of any.
func (c *cache) lastGood(q question, asked []entity) []Row {
	rows, model := make([]Row, len(asked)), -1
	for i, e := range asked {
		if kept, ok := c.get(q, e, true); ok {
			rows[i], model = kept, i
		}
	}
	if model < 0 {
		return nil
	}
	for i := range rows {
		if rows[i].shape == nil {
			rows[i] = nothing(rows[model].shape)
		}
	}
	return rows
}

// nothing is a row that could not be read.
func nothing(s *shape) Row {
	row := Row{shape: s, cells: make([]cell, len(s.columns)), times: make([]int64, len(s.views)), provenance: make([]*Provenance, len(s.views))}
	for i := range row.cells {
		row.cells[i].status = Unavailable
	}
	for i := range row.provenance {
		row.provenance[i] = &Provenance{Stale: true, Fallback: "client"}
	}
	return row
}

// put keeps rows of an answer to what was asked at begun, unless something newer is
// known or they cannot be relied on.
func (c *cache) put(q question, asked []entity, rows []Row, begun time.Time) {
	if !c.takes(q) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, row := range rows {
		if !c.current(row, begun) || !reliable(row) {
			continue
		}
		at := place{q.text, asked[i].text}
		row.cells, row.times = slices.Clone(row.cells), slices.Clone(row.times) // not those of the whole answer
		if old := c.rows[at]; old != nil {
			c.recent.Remove(old)
		}
		c.rows[at] = c.recent.PushFront(&keptRow{at, row, begun})
	}
	for c.recent.Len() > c.keep.Rows {
		c.drop(c.recent.Back())
	}
}

// current says whether row is of the newest generation known of its views, and empties
// what is kept of a view that it shows to have moved on.
func (c *cache) current(row Row, begun time.Time) bool {
	ok := true
	for v, p := range row.provenance {
		view := row.shape.views[v]
		switch known := c.generations[view]; {
		case p.Generation > known:
			c.generations[view] = p.Generation
			c.forgetLocked(view)
		case p.Generation < known:
			ok = false
		}
		ok = ok && begun.After(c.cleared[view])
	}
	return ok
}

func reliable(row Row) bool {
	for _, p := range row.provenance {
		if p.Fallback != "" {
			return false
		}
	}
	for _, cell := range row.cells {
		if cell.status == Unavailable {
			return false
		}
	}
	return true
}

// forget drops what is kept of a view, and what is still being read of it.
func (c *cache) forget(view string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleared[view] = time.Now()
	c.forgetLocked(view)
}

func (c *cache) forgetLocked(view string) {
	for e := c.recent.Front(); e != nil; {
		next := e.Next()
		for _, v := range e.Value.(*keptRow).row.shape.views {
			if v == view {
				c.drop(e)
				break
			}
		}
		e = next
	}
}

func (c *cache) drop(e *list.Element) {
	delete(c.rows, c.recent.Remove(e).(*keptRow).place)
}
