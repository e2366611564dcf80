package admission

import (
	"container/list"
	"time"
)

// waiter is a request that waits to be let in.
type waiter struct {
	priority Priority
	place    *list.Element // nil once it is out of the queue
	told     chan error    // nil: it is in; room for one
	timer    *time.Timer
}

func newWaiter() any {
	w := &waiter{told: make(chan error, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}

// queue holds waiters by priority, the one that came first in front. Whoever uses
// it holds a lock.
type queue struct {
	lines [Priorities]list.List
	n     int
}

func (q *queue) push(w *waiter) {
	w.place = q.lines[w.priority].PushBack(w)
	q.n++
}

func (q *queue) remove(w *waiter) {
	q.lines[w.priority].Remove(w.place)
	w.place = nil
	q.n--
}

// first returns the next to be let in; nil if nobody waits.
func (q *queue) first() *waiter {
	for p := range q.lines {
		if e := q.lines[p].Front(); e != nil {
			return e.Value.(*waiter)
		}
	}
	return nil
}

// last returns the one that came last of the lowest priority, if that is lower than p.
func (q *queue) last(p Priority) *waiter {
	for low := Priorities - 1; low > p; low-- {
		if e := q.lines[low].Back(); e != nil {
			return e.Value.(*waiter)
		}
	}
	return nil
}

// ahead returns how many are let in before one of priority p that comes now.
func (q *queue) ahead(p Priority) (n int) {
	for high := range p + 1 {
		n += q.lines[high].Len()
	}
	return n
}
