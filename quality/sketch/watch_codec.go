package sketch

import (
	"encoding/binary"
	"slices"
	"strings"
)

// maxWatches bounds what a decoded profile may remember; a definition may ask for
// far fewer.
const maxWatches = 1 << 10

// Refusals is how many writes one of the view's own expectations refused.
type Refusals struct {
	Name string
	N    uint64
}

// refuseNamed counts a refused write under the name of an expectation.
func (p *Profile) refuseNamed(name string, n uint64) {
	at, found := slices.BinarySearchFunc(p.Named, name, func(r Refusals, name string) int { return strings.Compare(r.Name, name) })
	if !found {
		p.Named = slices.Insert(p.Named, at, Refusals{Name: name})
	}
	p.Named[at].N += n
}

// extended reports whether the profile needs the second part of its binary form.
func (p *Profile) extended() bool { return len(p.Named)+len(p.watches) > 0 }

// appendWatches appends named refusals and watches.
func (p *Profile) appendWatches(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(p.Named)))
	for _, r := range p.Named {
		b = binary.AppendUvarint(appendText(b, r.Name), r.N)
	}
	b = binary.AppendUvarint(b, uint64(len(p.watches)))
	for i := range p.watches {
		b = p.watches[i].append(b)
	}
	return b
}

func (p *Profile) readWatches(r *reader) {
	named := uint64(0)
	for range r.count(2) {
		one := Refusals{Name: r.text(), N: r.tally()}
		named += one.N
		if n := len(p.Named); one.N == 0 || len(one.Name) > MaxText || n > 0 && p.Named[n-1].Name >= one.Name {
			r.fail()
			return
		}
		p.Named = append(p.Named, one)
	}
	if named > p.RefusedWhole {
		r.fail()
	}
	n := r.count(3)
	if n > maxWatches {
		r.fail()
		return
	}
	for i := range n {
		w := readWatch(r)
		if r.bad || w.rows > p.Profiled() || i > 0 && p.watches[i-1].key >= w.key {
			r.fail()
			return
		}
		w.place(p.Columns)
		p.watches = append(p.watches, w)
	}
	if !p.extended() {
		r.fail() // has a form without
	}
}

// append appends the key, the rows and each group: its hash, its rows and, of an
// order, its steps.
func (w *watch) append(b []byte) []byte {
	b = appendText(b, w.key)
	b = binary.AppendUvarint(binary.AppendUvarint(b, w.rows), uint64(len(w.groups)))
	for i := range w.groups {
		g := &w.groups[i]
		b = binary.AppendUvarint(binary.LittleEndian.AppendUint64(b, g.hash), g.rows)
		if !w.order {
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(g.steps)))
		for _, s := range g.steps {
			b = binary.LittleEndian.AppendUint64(binary.AppendUvarint(b, s.offset), s.value)
		}
	}
	return b
}

func readWatch(r *reader) watch {
	w, err := parseWatch(r.text())
	if err != nil {
		r.fail()
		return w
	}
	w.rows = r.tally()
	n, seen := r.count(9), uint64(0)
	if n > w.limit() {
		r.fail()
		return w
	}
	for i := range n {
		g := group{hash: r.fixed64(), rows: r.tally()}
		if w.order {
			g.readSteps(r)
		}
		seen += g.rows
		if r.bad || g.rows == 0 || i > 0 && w.groups[i-1].hash >= g.hash {
			r.fail()
			return w
		}
		w.groups = append(w.groups, g)
	}
	if seen > w.rows || seen < w.rows && n < w.limit() {
		r.fail()
	}
	return w
}

func (g *group) readSteps(r *reader) {
	n := r.count(9)
	if uint64(n) > min(MaxSteps, g.rows) || n == 0 {
		r.fail()
		return
	}
	for i := range n {
		s := step{r.uvarint(), r.fixed64()}
		if i > 0 && compareSteps(g.steps[i-1], s) >= 0 {
			r.fail()
			return
		}
		g.steps = append(g.steps, s)
	}
}
