package drift

import (
	"fmt"
	"math"
	"slices"

	"sluice/feature"
	"sluice/quality/sketch"
)

// BorrowReference is BuildReference for a history of fewer than MinWindows windows
// after an accepted change of the baseline: means are those of the new history,
// which may be over another layout, and the spread about them is old's. What a
// season explained counts as spread. Summaries that old did not calibrate, and
// those of features that changed their type, are left out.
//
// The error is ErrSample if there is no window with rows, and ErrBins if a window
// was profiled over another layout.
func BorrowReference(view *feature.View, layout *sketch.Layout, history []WindowProfile, old *Reference) (*Reference, error) {
	r, err := new(Samples).buildReference(view, layout, history, 1, old)
	if err != nil {
		return nil, err
	}
	if r.Windows == 0 {
		return nil, fmt.Errorf("borrow reference of %s: %w", view.Name, ErrSample)
	}
	r.Borrowed, r.Facets = true, nil // the aspects of another layout are others
	if r.Volume != nil && old.Volume != nil {
		r.Volume.borrow(old.Volume)
	} else {
		r.Volume = nil
	}
	for i := range r.Features {
		r.Features[i].borrow(old)
	}
	return r, nil
}

// borrow takes over the spreads of the same feature of old.
func (f *FeatureReference) borrow(old *Reference) {
	at := slices.IndexFunc(old.Features, func(o FeatureReference) bool { return o.ID == f.ID })
	if at >= 0 && f.Surge != nil && old.Features[at].Surge != nil {
		f.Surge.borrow(old.Features[at].Surge)
	}
	kept := f.Spreads[:0]
	for i := range f.Spreads {
		if at < 0 {
			break
		}
		from := slices.IndexFunc(old.Features[at].Spreads, func(s Spread) bool { return s.Summary == f.Spreads[i].Summary })
		if from < 0 {
			continue
		}
		f.Spreads[i].borrow(&old.Features[at].Spreads[from])
		kept = append(kept, f.Spreads[i])
	}
	f.Spreads, f.Edges, f.Clock = kept, nil, nil
}

// borrow takes over how old varied about its mean.
func (s *Spread) borrow(old *Spread) {
	s.SD = max(s.SD, math.Sqrt(old.SD*old.SD+old.seasonal()))
	s.DF, s.Season, s.Phases = old.DF, "", nil
	s.Excursions, s.Moving = slices.Clone(old.Excursions), slices.Clone(old.Moving)
	s.Heavy = old.Heavy
	s.Inverse, s.Unit = max(s.Inverse, old.Inverse), max(s.Unit, old.Unit)
}

// seasonal returns the variance between the phases' means.
func (s *Spread) seasonal() float64 {
	sum, n := 0.0, 0.0
	for _, g := range s.Phases {
		sum += float64(g.N) * (g.Mean - s.Mean) * (g.Mean - s.Mean)
		n += float64(g.N)
	}
	return sum / max(1, n)
}

// numericTests is how many summaries of a numeric feature are compared.
const numericTests = 10

// SmallestShift returns the smallest shift of a numeric feature's location that
// calibration on that many windows of history sees half of the time at level, in
// standard deviations between windows; 0 with fewer than MinWindows windows or a
// level outside (0, 1).
func SmallestShift(windows int, level float64) float64 {
	if windows < MinWindows || !(level > 0 && level < 1) {
		return 0
	}
	return studentQuantile(level/numericTests/2, float64(windows-1)) * math.Sqrt(1+1/float64(windows))
}
