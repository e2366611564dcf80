package serving

import (
	"maps"
	"sync"
	"sync/atomic"
)

const (
	cachedKey    = 64 << 10 // bytes of the longest request that is kept
	cachedWeight = 16 << 20 // bytes of all that are kept, roughly; then it starts anew
	columnWeight = 200      // bytes that a column of a plan takes, roughly
)

// planCache keeps plans by how a request wrote them. Reading takes no lock; what
// is kept is bounded. The zero planCache is empty.
type planCache struct {
	plans  atomic.Pointer[map[string]*plan]
	mu     sync.Mutex
	weight int
}

// get returns the plan of key; nil if it is not kept.
func (c *planCache) get(key []byte) *plan {
	if plans := c.plans.Load(); plans != nil {
		return (*plans)[string(key)]
	}
	return nil
}

// put keeps p under key.
func (c *planCache) put(key []byte, p *plan) {
	if len(key) > cachedKey {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	weight := len(key) + columnWeight*len(p.columns)
	next := map[string]*plan{}
	if old := c.plans.Load(); old != nil && c.weight+weight <= cachedWeight {
		next = maps.Clone(*old)
	} else {
		c.weight = 0
	}
	if _, kept := next[string(key)]; !kept {
		c.weight += weight
	}
	next[string(key)] = p
	c.plans.Store(&next)
}
