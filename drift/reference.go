package drift

import (
	"fmt"
	"math"
	"slices"

	"sluice/drift/binned"
	"sluice/feature"
	"sluice/quality/sketch"
)

// Reference is what the default detector remembers of the windows of history:
// how each summary of each feature varied between them. Its JSON form is exact.
type Reference struct {
	Layout     string             `json:"layout"`           // digest of the layout that the summaries were read over
	Method     int                `json:"method,omitempty"` // of comparing: see weighted
	Words      int                `json:"words,omitempty"`  // of texts: see tellingKinds
	Windows    int                `json:"windows"`          // of history
	MedianRows float64            `json:"median_rows"`
	Borrowed   bool               `json:"borrowed,omitempty"` // the spreads are an older reference's: see BorrowReference
	Volume     *Spread            `json:"volume,omitempty"`
	Features   []FeatureReference `json:"features"`
	Facets     []FacetReference   `json:"facets,omitempty"` // of features that have one, in their order
	Since      int64              `json:"since,omitempty"`  // Unix seconds: the windows' mean start, where features are timestamps

	frames []frame // of Features, if known already: see Prepare; not to be changed
}

// tellingKinds are the words that say whether missing values are null, infinite or not a
// number, and when values are too far out for moments. Verdicts that are stored under
// references of before keep theirs.
const tellingKinds = 1

// tellingAtoms are the words that tell values above one that many rows have from that one.
const tellingAtoms = 2

// weighted is the method of comparing by which summaries have weights; references of
// methods before it, which verdicts that are stored name, are read with equal ones.
const weighted = 2

// guarded is the method since which no shift blocks that sampling alone could give, by
// whatever law, and a move of the whole feature is told as one.
const guarded = 3

// sharpened is the method since which scale and the ends of numbers are judged by more of
// what rows say of them.
const sharpened = 5

// reaching is the method since which a move of the whole feature keeps a tail from blocking only
// where it takes values as far as they lie, and since which scale has most of the level.
const reaching = 6

// hurling is the method since which a tail blocks whose values lie where no move of the feature takes
// them, and a feature that stands still, and none that a factor explains: see flung, stands and multiplied.
const hurling = 7

// severing is the method since which the tails of several windows are judged window by window where
// the feature has a season: see severally.
const severing = 8

// newest is the method of references that are built now.
const newest = severing

// FeatureReference is the part of one feature.
type FeatureReference struct {
	Name    string   `json:"name"`
	ID      uint32   `json:"id"`
	Cuts    Cuts     `json:"cuts"`
	Spreads []Spread `json:"spreads"` // of the summaries that at least MinWindows windows measure
	Edges   []Edge   `json:"edges,omitempty"`
	Clock   *Clock   `json:"clock,omitempty"` // of a timestamp whose ages may move with the clock
	// Surge is the law of values without a bin of their own, of features whose windows
	// have them in buckets; nil for others, of which the sampled rows are looked at.
	Surge *SurgeLaw `json:"surge,omitempty"`
}

// BuildReference reduces the windows of history, which share layout and are in
// the order of time, to the reference of the default detector. Windows without
// rows are left out. Fewer than MinWindows windows give a reference without
// spreads: see ColdStart.
//
// The cost is linear in windows times features: about 8 µs of processor time for
// each, so that 60 windows of 10 features take 5 ms and 2,016 windows 170 ms. The
// error is ErrBins if a window was profiled over another layout.
func BuildReference(view *feature.View, layout *sketch.Layout, history []WindowProfile) (*Reference, error) {
	return new(Samples).BuildReference(view, layout, history)
}

// BuildReference does what the function of that name does, the same for the same
// windows whatever s saw before.
func (s *Samples) BuildReference(view *feature.View, layout *sketch.Layout, history []WindowProfile) (*Reference, error) {
	return s.buildReference(view, layout, history, MinWindows, nil)
}

// buildReference keeps the summaries that at least that many windows measure, and that
// old compares, if spreads are to be borrowed of it.
func (s *Samples) buildReference(view *feature.View, layout *sketch.Layout, history []WindowProfile, least int, old *Reference) (*Reference, error) {
	if err := sameLayout(layout, history); err != nil {
		return nil, fmt.Errorf("build reference of %s: %w", view.Name, err)
	}
	history = slices.DeleteFunc(slices.Clone(history), func(w WindowProfile) bool { return w.Profile.Profiled() == 0 })
	r := &Reference{Layout: layout.Digest(), Method: newest, Words: tellingAtoms, Windows: len(history), MedianRows: medianRows(history)}
	if hasTimes(view) && len(history) > 0 {
		r.Since = int64(meanStart(history))
	}
	s.begin()
	b := newBuilder(view, layout, history)
	b.least, b.samples, b.old = least, s, old
	r.Volume = b.volume()
	r.Features = make([]FeatureReference, len(view.Features))
	r.frames = make([]frame, len(view.Features))
	for i := range view.Features {
		r.Features[i], r.frames[i] = b.feature(i)
	}
	var err error
	if r.Facets, err = buildFacets(view, layout, history, least); err != nil {
		return nil, fmt.Errorf("build reference of %s: %w", view.Name, err)
	}
	return r, nil
}

// Calibrated reports whether r can judge anything.
func (r *Reference) Calibrated() bool {
	return r.Volume != nil || slices.ContainsFunc(r.Features, func(f FeatureReference) bool { return len(f.Spreads) > 0 })
}

// medianRows returns the median number of profiled rows; 0 without windows.
func medianRows(history []WindowProfile) float64 {
	rows := make([]float64, len(history))
	for i := range history {
		rows[i] = float64(history[i].Profile.Profiled())
	}
	slices.Sort(rows)
	n := len(rows)
	if n == 0 {
		return 0
	}
	return (rows[(n-1)/2] + rows[n/2]) / 2
}

// builder holds what building a reference uses again for every feature.
type builder struct {
	view    *feature.View
	layout  *sketch.Layout
	history []WindowProfile
	phases  phases
	least   int // windows that a summary must be measured in
	columns []counts
	values  [summaries][]float64
	pooled  []uint64
	samples *Samples
	old     *Reference // that spreads are borrowed of; nil if they are history's own
	apart   bool       // enough windows of history are not fitted to leave out those that are
}

func newBuilder(view *feature.View, layout *sketch.Layout, history []WindowProfile) *builder {
	b := &builder{view: view, layout: layout, history: history, phases: newPhases(view, history), columns: make([]counts, len(history))}
	fresh := 0
	for i := range history {
		if !history[i].Fitted {
			fresh++
		}
	}
	b.apart = fresh >= MinWindows
	for s := range b.values {
		b.values[s] = make([]float64, len(history))
	}
	return b
}

// volume returns the spread of log rows; nil with too few windows.
func (b *builder) volume() *Spread {
	x, inverse := b.values[Volume], 0.0
	for i, w := range b.history {
		x[i] = math.Log(float64(w.Profile.Rows))
		inverse += 1 / float64(w.Profile.Rows) / float64(len(b.history))
	}
	var f frame
	spread, ok := newSpread(Volume, x, b.phases, b.least, inverse, f.noise(Volume, inverse))
	if !ok {
		return nil
	}
	return &spread
}

// feature returns the reference of the view's i-th feature, and the frame that it was read in.
func (b *builder) feature(i int) (FeatureReference, frame) {
	def := b.view.Features[i]
	out := FeatureReference{Name: def.Name, ID: def.ID}
	at := b.layout.Feature(def.ID)
	s := shapeOf(at)
	bins := 0
	if s.class != presence {
		bins = at.Bins()
	}
	b.read(i, s, bins)
	open := s.class == categorical && !b.apart && b.open(i)
	surges := b.surges(def.ID, s, open)
	if surges.law == nil {
		b.newcomers(i, s, at)
	}
	out.Surge = surges.law
	out.Cuts = cutBins(s, b.pooled, binned.Total(b.pooled))
	f := newFrame(s, out.Cuts, slices.Clone(b.pooled), clips{mainClip, farClip})
	f.surges = surges
	var x [summaries]float64
	for w := range b.columns {
		f.summarise(&b.columns[w], true, &x)
		if b.history[w].Fitted && (open || b.apart && f.unknown()) {
			f.flattered(&x)
		}
		for k := range x {
			b.values[k][w] = x[k]
		}
	}
	if s.class == numeric {
		out.Edges = b.edgesOf(&f)
	}
	for k := range summaries {
		if !k.measured() {
			continue
		}
		inverse := b.inverse(k)
		if math.IsNaN(inverse) {
			continue
		}
		if spread, ok := newSpread(k, b.values[k], b.phases, b.least, inverse, f.noise(k, inverse)); ok {
			if k == Scale {
				least := follows
				if spread.Heavy == nil {
					least = followsAlike
				}
				spread.Carried = f.carries(b.values[Location], b.values[k], out.kept())
				spread.Follow = newFollow(b.values[Location], b.values[k], f.noise(k, inverse).prior, least)
			}
			if spread.Season == "" {
				spread.Rare = newRare(k, b.values[k], b.columns)
			}
			out.Spreads = append(out.Spreads, spread)
		}
	}
	if out.Clock = b.clock(i); out.Clock != nil && out.Clock.Alone {
		out.Spreads, out.Edges = onlyNulls(out.Spreads), nil
	}
	return out, f
}

// read fills in the columns of a feature and their pooled bins.
func (b *builder) read(i int, s shape, bins int) {
	b.pooled = slices.Grow(b.pooled[:0], bins)[:bins]
	clear(b.pooled)
	for w := range b.history {
		p := b.history[w].Profile
		column := columnOf(p, b.view, i)
		c := countsOf(column, s, bins)
		for k, n := range c.bins {
			b.pooled[k] += n
		}
		b.columns[w] = c
	}
}

// newcomers looks at the sampled rows of a feature's windows.
func (b *builder) newcomers(i int, s shape, at *sketch.FeatureLayout) {
	if s.class != categorical {
		return
	}
	for w := range b.history {
		p := b.history[w].Profile
		b.samples.count(at, p, place(p, columnOf(p, b.view, i), i), s, &b.columns[w])
	}
}

// surges returns how a feature's values without a bin of their own are spread over the
// buckets of history; without a law if it, or the reference that is borrowed of, has none.
func (b *builder) surges(id uint32, s shape, open bool) surges {
	if s.class != categorical || b.old != nil && !b.old.surges(id) {
		return surges{}
	}
	out, _ := newSurgeLaw(b.columns, func(w int) bool { return (b.apart || open) && b.history[w].Fitted }, b.least)
	return out
}

// surges reports whether r compares the buckets of the feature of that id.
func (r *Reference) surges(id uint32) bool {
	return slices.ContainsFunc(r.Features, func(f FeatureReference) bool { return f.ID == id && f.Surge != nil })
}

// place returns the position of a column, which is usually i.
func place(p *sketch.Profile, c *sketch.Column, i int) int {
	if i < len(p.Columns) && &p.Columns[i] == c {
		return i
	}
	return position(p, c)
}

// inverse returns the mean of 1/n over the windows that measure s; not-a-number
// if none does.
func (b *builder) inverse(s Summary) float64 {
	sum, n := 0.0, 0
	for w := range b.columns {
		if !math.IsNaN(b.values[s][w]) {
			sum += 1 / observations(s, &b.columns[w])
			n++
		}
	}
	return sum / float64(n)
}

// observations returns how many observations a summary of a column rests on.
func observations(s Summary, c *counts) float64 {
	switch s {
	case Nulls:
		return c.rows()
	case Newcomer:
		return float64(c.sampled)
	}
	return float64(c.n)
}
