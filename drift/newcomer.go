package drift

import (
	"hash/maphash"
	"sync"
	"unicode/utf8"

	"sluice/quality/sketch"
)

// newcomers finds, in row samples, the largest share of one value that has no
// bin of its own. It is used again for the next feature.
//
// It counts in a table of its own instead of a map, because a map is cleared and
// filled again for every feature: here what is of another round is free.
type newcomers struct {
	slots []slot
	used  int
	round uint32
	seed  maphash.Seed // of places only: no result depends on it
	// marked says that categories are in the table in this round.
	marked bool
}

// spare are tables that no run uses just now.
var spare = sync.Pool{New: func() any { return new(newcomers) }}

// slot counts one value of a round.
type slot struct {
	text     string
	round    uint32
	count    int32
	category bool
}

// wholeText is how long a sampled text is at most for it to be the value itself and not
// its beginning: the value's bin then says whether it is a category.
const wholeText = sketch.MaxText - utf8.UTFMax

// reset forgets what was counted.
func (n *newcomers) reset() {
	if n.slots == nil {
		n.slots, n.seed = make([]slot, 4*sketch.SampleRows), maphash.MakeSeed()
	}
	if n.round++; n.round == 0 {
		clear(n.slots)
		n.round = 1
	}
	n.used, n.marked = 0, false
}

// mark marks the categories of at, once in a round.
func (n *newcomers) mark(at *sketch.FeatureLayout) {
	if n.marked {
		return
	}
	n.marked = true
	for _, name := range at.Categories {
		n.find(name).category = true
	}
}

// find returns the slot of text in this round, which is a new one the first time.
func (n *newcomers) find(text string) *slot {
	mask := uint64(len(n.slots) - 1)
	for i := maphash.String(n.seed, text) & mask; ; i = (i + 1) & mask {
		s := &n.slots[i]
		if s.round != n.round {
			if 2*(n.used+1) > len(n.slots) {
				n.grow()
				return n.find(text)
			}
			n.used++
			*s = slot{text: text, round: n.round}
			return s
		}
		if s.text == text {
			return s
		}
	}
}

// grow doubles the table.
func (n *newcomers) grow() {
	old := n.slots
	n.slots, n.used = make([]slot, 2*len(old)), 0
	for i := range old {
		if old[i].round == n.round {
			*n.find(old[i].text) = old[i]
		}
	}
}
