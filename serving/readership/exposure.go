package readership

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/feature"
)

const (
	mostReads   = 1024 // versions of a view that are counted apart: the highest; reads of the others go to version 0
	idleReports = 600  // reports without a read after which a version's counter is let go
)

// Exposure counts the rows of one view that reads returned, by version. Counting
// takes no lock and allocates nothing, but for the first read of a version.
type Exposure struct {
	counts atomic.Pointer[counts]
	lower  versionReads    // of versions below those that are counted apart
	mu     sync.Mutex      // of what changes counts
	gone   []*versionReads // let go since the last report; a late reader may still have counted
}

// counts is immutable, but for what is counted.
type counts struct {
	by    map[feature.Version]*versionReads
	least feature.Version // those below it are not counted apart
}

// versionReads counts the rows of one version.
type versionReads struct {
	version feature.Version
	idle    int // reports since the last read; of the goroutine that reports
	rows    rowCount
}

// Add counts rows of a version.
func (e *Exposure) Add(version feature.Version, rows uint64) {
	var c *versionReads
	if now := e.counts.Load(); now != nil {
		if version < now.least {
			c = &e.lower
		} else {
			c = now.by[version]
		}
	}
	if c == nil {
		c = e.open(version)
	}
	c.rows.add(rows)
}

// open returns the counter of a version, made if there is none. If there is no room
// for it, the lowest version is no longer counted apart.
func (e *Exposure) open(version feature.Version) *versionReads {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := counts{by: map[feature.Version]*versionReads{}}
	if now := e.counts.Load(); now != nil {
		if c := now.by[version]; c != nil {
			return c
		}
		if version < now.least {
			return &e.lower
		}
		next = counts{by: maps.Clone(now.by), least: now.least}
	}
	c := &versionReads{version: version}
	next.by[version] = c
	if len(next.by) > mostReads {
		lowest := slices.Min(slices.Collect(maps.Keys(next.by)))
		e.gone = append(e.gone, next.by[lowest])
		delete(next.by, lowest)
		next.least = lowest + 1
	}
	e.counts.Store(&next)
	return c
}

// take appends what was counted since the last take, and lets go of versions that
// have not been read for long.
func (e *Exposure) take(view feature.ViewID, first, last time.Time, dst []feature.Exposure) []feature.Exposure {
	report := func(c *versionReads) bool {
		rows := c.rows.take()
		if rows > 0 {
			dst = append(dst, feature.Exposure{View: view, Version: c.version, Reads: rows, First: first, Last: last})
		}
		return rows > 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	report(&e.lower)
	for _, c := range e.gone {
		report(c)
	}
	e.gone = e.gone[:0]
	now := e.counts.Load()
	if now == nil {
		return dst
	}
	for _, c := range now.by {
		if c.idle++; report(c) {
			c.idle = 0
		}
		if c.idle >= idleReports {
			e.gone = append(e.gone, c)
		}
	}
	if len(e.gone) > 0 {
		next := counts{by: maps.Clone(now.by)} // there is room: whatever comes is counted apart again
		maps.DeleteFunc(next.by, func(_ feature.Version, c *versionReads) bool { return c.idle >= idleReports })
		e.counts.Store(&next)
	}
	return dst
}

// Tally adds up the rows of one answer by version before they are counted. Nearly
// all answers are of few versions.
type Tally struct {
	versions [4]feature.Version
	rows     [4]uint64
	n        int
}

// Add counts one row of a version. Beyond four versions it is added to the exposure at once.
func (t *Tally) Add(version feature.Version, to *Exposure) {
	for i := range t.n {
		if t.versions[i] == version {
			t.rows[i]++
			return
		}
	}
	if t.n == len(t.versions) {
		to.Add(version, 1)
		return
	}
	t.versions[t.n], t.rows[t.n] = version, 1
	t.n++
}

// Count adds what was added up to the exposure.
func (t *Tally) Count(to *Exposure) {
	for i := range t.n {
		to.Add(t.versions[i], t.rows[i])
	}
}
