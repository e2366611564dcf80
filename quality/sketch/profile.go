package sketch

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"sluice/feature"
)

// Profile is what is kept of the writes of one window, or of any part of one.
// Two profiles of the same writes have the same bytes. Its fields are to be read;
// they change through its methods only.
type Profile struct {
	Rows         uint64     // writes on time, deletions among them
	Deletes      uint64     // deletions among Rows; counted, neither profiled nor sampled
	Late         uint64     // late writes, deletions among them; counted only
	Backfilled   uint64     // writes of a declared backfill, whenever they came; counted only
	RefusedWhole uint64     // quarantined writes that no single feature is to blame for
	Named        []Refusals // those of them that one of the view's own expectations refused, by name
	Columns      []Column   // in the order of the view's features
	Sample       []SampleRow

	watches []watch // rising by key

	layout *Layout
	hash   hasher
	ready  bool // holds its hash key

	view    *feature.View // that Columns follow; nil if none is known to
	other   *feature.View // the last other definition met, and the columns' places in it
	places  []int
	scratch []feature.Value
	aged    bool        // there are timestamps, or lists of them
	walker  *pathWalker // of sampled rows
	block   *block

	breakdown breakdown
	placed    *feature.View // that slices are places in
	slices    []place
	said      []spoken
	ordered   []int // the column of each feature of the layout; nil: to be found again
}

// NewProfile returns the empty profile of a window of view over the bins of
// layout. A feature that the layout does not know is profiled without bins.
func NewProfile(view *feature.View, layout *Layout, key HashKey) *Profile {
	p := &Profile{layout: layout, hash: newHasher(key), ready: true, view: view, Columns: make([]Column, len(view.Features))}
	for i, f := range view.Features {
		p.Columns[i] = newColumn(f.ID, f.Type, layout)
	}
	for _, key := range watchKeys(view) {
		w, _ := parseWatch(key) // which it is
		w.place(p.Columns)
		p.watches = append(p.watches, w)
	}
	p.aged = p.hasAges()
	return p
}

// Add profiles an accepted write of the window that is on time. If the write was
// decoded under another definition of the view than the profile was made for,
// features are matched by id: one that it lacks counts as null, one that it adds
// is left out. Add does not retain w. It panics on a decoded profile that was not
// resumed, which would count under the wrong hash key.
func (p *Profile) Add(w *feature.Write) {
	if !p.ready {
		panic("sketch: Add to a decoded profile before Resume")
	}
	p.Rows++
	if w.Delete {
		p.Deletes++
		return
	}
	values := w.Values
	if w.View != p.view {
		values = p.arrange(w)
	}
	start := int64(0)
	if p.aged {
		start = windowStart(w)
	}
	for i := range p.Columns {
		if i < len(values) {
			p.Columns[i].add(&values[i], &p.hash, start)
		} else {
			p.Columns[i].Nulls++
			p.Columns[i].last = -1
		}
	}
	for i := range p.watches {
		p.watches[i].add(w, values, &p.hash)
	}
	if hash := p.hash.row(w); p.wants(hash) {
		p.sample(hash, w, values, start)
	}
	if len(p.layout.dimensions) > 0 {
		p.trace(w)
	}
}

// windowStart returns the start of the row's window in Unix seconds; its event
// time if the view has no windows.
func windowStart(w *feature.Write) int64 {
	if w.View.Window.Size <= 0 {
		return w.EventTime.Unix()
	}
	return w.View.Window.Of(w.EventTime).Start.Unix()
}

func (p *Profile) hasAges() bool {
	return slices.ContainsFunc(p.Columns, func(c Column) bool { return c.kind == ages || c.Part != nil && c.Part.kind == ages })
}

// AddLate counts an accepted write that came after its window had closed. Its
// values are not profiled: they belong to a window that is judged already.
func (p *Profile) AddLate(*feature.Write) { p.Late++ }

// AddBackfill counts an accepted write of a backfill that its producer declared. Its values
// are not profiled: they tell of another time than the writes that windows are judged by.
func (p *Profile) AddBackfill(*feature.Write) { p.Backfilled++ }

// fewOwn is how few rows of its own a window of a backfill has.
const fewOwn = 30

// Backfill reports whether the window is one of a declared backfill: most of its writes
// are, and it has hardly any others to be judged by.
func (p *Profile) Backfill() bool { return p.Backfilled > p.Rows && p.Profiled() < fewOwn }

// Refuse counts a quarantined write against the feature at that index of the
// view; -1, or an index that the view does not have, is the write as a whole.
func (p *Profile) Refuse(featureIndex int) {
	if featureIndex < 0 || featureIndex >= len(p.Columns) {
		p.RefusedWhole++
		return
	}
	p.Columns[featureIndex].Refused++
}

// RefuseBy counts a quarantined write against what Checker.Check of package quality
// blamed: the feature of its view at that place, or beyond those one of the view's own
// expectations; any other index is the write as a whole. The write's view may be newer
// than the one that the profile was made for.
func (p *Profile) RefuseBy(w *feature.Write, blamed int) {
	features := len(w.View.Features)
	switch {
	case blamed >= 0 && blamed < features:
		id := w.View.Features[blamed].ID
		p.RefuseWrite(w, slices.IndexFunc(p.Columns, func(c Column) bool { return c.ID == id }))
	case blamed >= features && blamed < features+len(w.View.Expect):
		p.RefuseWrite(w, -1)
		p.refuseNamed(w.View.Expect[blamed-features].Name, 1)
	default:
		p.RefuseWrite(w, -1)
	}
}

// Resume gives a decoded profile its hash key back, so that writes can be added.
// The error is ErrKey if the profile was made under another key.
func (p *Profile) Resume(key HashKey) error {
	hash := newHasher(key)
	if hash.print != p.hash.print {
		return ErrKey
	}
	p.hash, p.ready = hash, true
	return nil
}

// Total returns the number of accepted writes, late and backfilled ones among them.
func (p *Profile) Total() uint64 { return p.Rows + p.Late + p.Backfilled }

// Profiled returns the number of rows whose values are counted in Columns.
func (p *Profile) Profiled() uint64 { return p.Rows - p.Deletes }

// Refused returns the number of quarantined writes.
func (p *Profile) Refused() uint64 {
	n := p.RefusedWhole
	for i := range p.Columns {
		n += p.Columns[i].Refused
	}
	return n
}

// Layout returns the layout whose bins the profile counts in.
func (p *Profile) Layout() *Layout { return p.layout }

// Column returns the column of the feature of that id; nil if there is none.
func (p *Profile) Column(id uint32) *Column {
	i := slices.IndexFunc(p.Columns, func(c Column) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &p.Columns[i]
}

// Digest names the profile's content: 32 hex digits of the SHA-256 of its binary form.
func (p *Profile) Digest() string {
	sum := sha256.Sum256(p.append(nil))
	return hex.EncodeToString(sum[:16])
}

// arrange returns the values of w in the order of the profile's columns, in
// memory that the next call uses again.
func (p *Profile) arrange(w *feature.Write) []feature.Value {
	if p.other != w.View {
		p.other, p.places = w.View, make([]int, len(p.Columns))
		same := len(p.Columns) == len(w.View.Features)
		for i := range p.Columns {
			id := p.Columns[i].ID
			p.places[i] = slices.IndexFunc(w.View.Features, func(f feature.Feature) bool { return f.ID == id })
			same = same && p.places[i] == i
		}
		if same {
			p.view = w.View
			return w.Values
		}
		p.scratch = make([]feature.Value, len(p.Columns))
	}
	for i, at := range p.places {
		p.scratch[i] = feature.Null
		if at >= 0 && at < len(w.Values) {
			p.scratch[i] = w.Values[at]
		}
	}
	return p.scratch
}

func (p *Profile) sample(hash uint64, w *feature.Write, values []feature.Value, start int64) {
	if w.EventID == "" { // the hash is of all that it says
		if at, found := slices.BinarySearchFunc(p.Sample, hash, compareHash); found {
			p.Sample[at].Times++
			return
		}
	}
	row := SampleRow{hash, 1, &SampleContent{Values: make([]feature.Value, len(p.Columns)), marks: make([]uint64, len(p.Columns))}}
	row.Tags = p.hash.tags(p.hear(w))
	for i := range min(len(values), len(p.Columns)) {
		row.Values[i], row.marks[i] = sampleValue(values[i], p.Columns[i].Type, &p.hash, start)
	}
	row.parts = p.sampleParts(hash, values, start)
	p.insert(row)
}
