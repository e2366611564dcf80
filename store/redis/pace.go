package redis

import (
	"sync/atomic"
	"time"
)

// pace is how fast a shard answers: an estimate of the time that 99 of 100 answers do
// not exceed, made without storing any. An answer that takes longer raises it by a
// part of itself, any other lowers it by a hundredth of that part. A nil pace
// estimates nothing.
//
// Source: A. Yazidi and H. Hammer, Multiplicative update methods for incremental
// quantile estimation, IEEE Transactions on Cybernetics 49(3), 2019.
type pace struct {
	least, most time.Duration // what the estimate is kept between
	reads       *budget       // is told of each answer
	usual       atomic.Int64  // the estimate, nanoseconds
}

const (
	paceRise = 20            // parts; one of them is added for an answer that is late
	paceFall = 99 * paceRise // and one of these is taken off for one that is not
)

// newPace returns the pace of a shard that is not known yet: it is taken for the fastest,
// since an estimate rises sooner than it falls.
func newPace(least, most time.Duration, reads *budget) *pace {
	p := &pace{least: min(least, most), most: most, reads: reads}
	p.usual.Store(int64(p.least))
	return p
}

// answered takes in that an answer took so many nanoseconds. Of two calls at once one
// may be lost.
func (p *pace) answered(took int64) {
	if p == nil {
		return
	}
	p.reads.read()
	usual := p.usual.Load()
	if took > usual {
		usual = min(usual+usual/paceRise+1, int64(p.most))
	} else {
		usual = max(usual-usual/paceFall, int64(p.least))
	}
	p.usual.Store(usual)
}

// late is how long an answer takes before it is late: at most limit, which a nil pace
// gives as well.
func (p *pace) late(limit time.Duration) time.Duration {
	if p == nil {
		return limit
	}
	return min(time.Duration(p.usual.Load()), limit)
}
