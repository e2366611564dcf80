//go:build amd64 || arm64

package powerloss

import (
	"math/rand/v2"
	"path"
	"slices"
)

// disk is what a machine's disk has been told: what must be there after a loss of
// power, and what may be.
type disk struct {
	journal bool // see fate
	files   map[int]*contents
	names   []nameChange
}

// contents are a file's bytes as of its last sync, and the changes since.
type contents struct {
	durable []byte
	pending []change
}

// change is an op that may or may not have reached the disk.
type change struct {
	op
	at int // its position
}

// nameChange is an op on a name in a folder.
type nameChange struct {
	change
	durable bool
}

// newDisk returns the disk after ops. With journal, a sync of a file is also one of
// every name made or changed before it, as on ext4, XFS and Btrfs; without, names
// last when their folder was synced, and that is all that POSIX promises.
func newDisk(ops []op, journal bool) *disk {
	d := &disk{journal: journal, files: map[int]*contents{}}
	for at, o := range ops {
		switch o.kind {
		case opMake:
			d.files[o.file] = &contents{}
			d.names = append(d.names, nameChange{change: change{o, at}})
		case opFolder, opRename, opRemove:
			d.names = append(d.names, nameChange{change: change{o, at}})
		case opWrite, opTruncate, opExtend:
			f := d.files[o.file]
			f.pending = append(f.pending, change{o, at})
		case opSync:
			d.files[o.file].sync(o.start)
			if journal {
				d.syncNames(o.start, func(nameChange) bool { return true })
			}
		case opSyncNames:
			d.syncNames(o.start, func(n nameChange) bool { return journal || path.Dir(n.path) == o.path })
		}
	}
	return d
}

// sync makes the changes that had returned before position start durable.
func (c *contents) sync(start int) {
	n := 0
	for n < len(c.pending) && c.pending[n].at < start {
		c.durable = c.pending[n].apply(c.durable)
		n++
	}
	c.pending = slices.Clone(c.pending[n:])
}

func (d *disk) syncNames(start int, in func(nameChange) bool) {
	for i := range d.names {
		if n := &d.names[i]; n.at < start && in(*n) {
			n.durable = true
		}
	}
}

// apply carries out the whole of a change.
func (c change) apply(b []byte) []byte {
	switch c.kind {
	case opTruncate:
		return resize(b, c.offset)
	case opExtend:
		return resize(b, max(c.offset, int64(len(b))))
	}
	return put(b, c.offset, c.data)
}

func put(b []byte, offset int64, data []byte) []byte {
	b = resize(b, max(int64(len(b)), offset+int64(len(data))))
	copy(b[offset:], data)
	return b
}

// resize cuts b, or fills it up with zeros.
func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

// luck says what becomes of changes that were not synced.
type luck int

const (
	lost      luck = iota // none is there
	kept                  // all are, as after the death of a process
	first                 // the first ones are, and part of the next
	scattered             // some blocks are, old or new
)

// fate says how a disk comes out of a loss of power.
type fate struct {
	data, names luck // names are never scattered: within a folder they change in order
	block       int64
	chance      float64 // of a block, where they are scattered
	zeros       bool    // sizes are there before the bytes
}

func drawFate(rng *rand.Rand) fate {
	return fate{
		data:   []luck{lost, lost, kept, first, first, first, scattered, scattered, scattered, scattered}[rng.IntN(10)],
		names:  []luck{lost, kept, first, first}[rng.IntN(4)],
		block:  []int64{512, 4096}[rng.IntN(2)],
		chance: []float64{0.1, 0.5, 0.9}[rng.IntN(3)],
		zeros:  rng.IntN(4) == 0,
	}
}

// image is a folder: files by path, nil for folders.
type image map[string][]byte

// image is what the disk has after a loss of power.
func (d *disk) image(rng *rand.Rand, f fate) image {
	places := d.places(rng, f.names)
	im := image{}
	for _, name := range slices.Sorted(keysOf(places)) { // sorted: draws repeat
		file := places[name]
		if !reachable(places, name) {
			continue
		}
		if file == folder {
			im[name] = nil
			continue
		}
		im[name] = d.files[file].survive(rng, f)
	}
	return im
}

func keysOf(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// folder stands for the number of a file.
const folder = -1

// places returns which file each name leads to.
func (d *disk) places(rng *rand.Rand, names luck) map[string]int {
	left := map[string]int{} // of each folder: how many more changes are there
	for _, n := range d.names {
		if !n.durable && names != lost {
			left[path.Dir(n.path)]++
		}
	}
	if names == first {
		for _, dir := range slices.Sorted(keysOf(left)) {
			left[dir] = rng.IntN(left[dir] + 1)
		}
	}
	places := map[string]int{}
	for _, n := range d.names {
		if dir := path.Dir(n.path); !n.durable {
			if left[dir] == 0 {
				continue
			}
			left[dir]--
		}
		n.name(places)
	}
	return places
}

// name carries out a change of names.
func (c change) name(places map[string]int) {
	switch c.kind {
	case opMake:
		places[c.path] = c.file
	case opFolder:
		places[c.path] = folder
	case opRemove:
		delete(places, c.path)
	case opRename:
		places[c.to] = places[c.path]
		delete(places, c.path)
	}
}

// reachable reports whether the folders above name are there.
func reachable(places map[string]int, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if file, there := places[dir]; !there || file != folder {
			return false
		}
	}
	return true
}

// survive returns the bytes that a file has after a loss of power.
func (c *contents) survive(rng *rand.Rand, f fate) []byte {
	b := append([]byte{}, c.durable...) // never nil, as a folder is
	switch f.data {
	case kept:
		for _, p := range c.pending {
			b = p.apply(b)
		}
	case first:
		n := rng.IntN(len(c.pending) + 1)
		for _, p := range c.pending[:n] {
			b = p.apply(b)
		}
		if n < len(c.pending) {
			b = c.pending[n].tear(b, f.block, func(i, of int) bool { return i < of/2 })
		}
	case scattered:
		size := int64(len(b))
		for _, p := range c.pending {
			if p.kind == opTruncate {
				size = p.offset
			}
			size = max(size, p.offset+int64(len(p.data)))
			b = p.tear(b, f.block, func(int, int) bool { return rng.Float64() < f.chance })
		}
		if f.zeros {
			b = resize(b, max(size, int64(len(b))))
		}
	}
	return b
}

// tear carries out the blocks of a write that the disk took, and other changes if it
// took the first of one.
func (c change) tear(b []byte, block int64, took func(i, of int) bool) []byte {
	if c.kind != opWrite {
		if took(0, 1) {
			return c.apply(b)
		}
		return b
	}
	end := c.offset + int64(len(c.data))
	blocks := int((end+block-1)/block - c.offset/block)
	for i, from := 0, c.offset; from < end; i++ {
		to := min(end, (from/block+1)*block)
		if took(i, blocks) {
			b = put(b, from, c.data[from-c.offset:to-c.offset])
		}
		from = to
	}
	return b
}
