package readership

import (
	"math/rand/v2"
	"sync/atomic"
)

const readShards = 4 // of one count, so that processors seldom share one; a power of two

// rowCount is a number of rows that many goroutines add to without a lock.
type rowCount [readShards]struct {
	rows atomic.Uint64
	_    [56]byte
}

func (c *rowCount) add(rows uint64) { c[rand.Uint32()%readShards].rows.Add(rows) }

// take returns the rows added since the last take.
func (c *rowCount) take() (rows uint64) {
	for i := range c {
		rows += c[i].rows.Swap(0)
	}
	return rows
}
