package drift

import (
	"fmt"
	"math"

	"sluice/quality/sketch"
)

// Summary is one of the few numbers that a window's column is reduced to. The
// default detector asks of each how unusual it is among the windows of history.
type Summary uint8

// The summaries. Tails are the bins beyond the baseline's 1 % and 99 %
// quantiles, extremes those beyond .1 % and 99.9 %; a share is that of one of
// the baseline's largest categories.
const (
	Location          Summary = iota // mean normal score over the bins
	Scale                            // root mean square of the normal scores
	LowTail                          // share, arcsin sqrt; so are the next three
	HighTail                         //
	LowExtreme                       //
	HighExtreme                      //
	Nulls                            // share of null, not-a-number and infinite values, arcsin sqrt
	KSDistance                       // log of the distance from the rest of history
	TVDistance                       // the same
	HellingerDistance                // the same
	Share1                           // share of the baseline's largest category, arcsin sqrt
	Share2                           //
	Share3                           //
	Share4                           //
	Other                            // share of known values outside the layout's categories, arcsin sqrt
	Unseen                           // share of values the layout does not know, arcsin sqrt
	Newcomer                         // largest share of one value outside the layout's categories, from the row sample, arcsin sqrt
	Volume                           // log of the view's rows
	Outliers                         // share of sampled rows beyond the baseline's 99.5 % anomaly score, arcsin sqrt
	Extremes                         // share in the outer bins of both extremes together, arcsin sqrt
	LowEdge                          // where the lower end lies; not compared by itself: see Edge
	HighEdge                         //
	Surge                            // how unlikely the rise of one bucket of values without a bin of their own is, a normal score: see SurgeLaw
	Deviation                        // log of the standard deviation without the least and the greatest value, of windows of few rows
	summaries
)

// domain says how a summary is transformed, so that its history is close to normal.
type domain uint8

const (
	plain domain = iota
	share        // arcsin of the square root
	logarithm
)

var summarySpecs = [summaries]struct {
	name     string
	domain   domain
	oneSided bool // only a rise counts
}{
	Location: {"location", plain, false}, Scale: {"scale", plain, false},
	LowTail: {"low_tail", share, false}, HighTail: {"high_tail", share, false},
	LowExtreme: {"low_extreme", share, true}, HighExtreme: {"high_extreme", share, true},
	Nulls:      {"nulls", share, false},
	KSDistance: {"ks", logarithm, true}, TVDistance: {"tvd", logarithm, true}, HellingerDistance: {"hellinger", logarithm, true},
	Share1: {"share_1", share, false}, Share2: {"share_2", share, false}, Share3: {"share_3", share, false}, Share4: {"share_4", share, false},
	Other: {"other", share, false}, Unseen: {"unseen", share, true}, Newcomer: {"newcomer", share, true},
	Volume: {"volume", logarithm, false}, Outliers: {"outliers", share, true},
	Extremes: {"extremes", share, true}, LowEdge: {"low_edge", plain, false}, HighEdge: {"high_edge", plain, false},
	Surge:     {"surge", plain, true},
	Deviation: {"deviation", logarithm, true},
}

// String returns the name that scores and references use.
func (s Summary) String() string {
	if s >= summaries {
		return fmt.Sprintf("summary(%d)", uint8(s))
	}
	return summarySpecs[s].name
}

// MarshalText writes the name.
func (s Summary) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name; ErrCorrupt for any other word.
func (s *Summary) UnmarshalText(text []byte) error {
	for i := range summarySpecs {
		if summarySpecs[i].name == string(text) {
			*s = Summary(i)
			return nil
		}
	}
	return fmt.Errorf("summary %q: %w", text, ErrCorrupt)
}

// distance reports whether s is a log distance from the rest of history.
func (s Summary) distance() bool {
	return s == KSDistance || s == TVDistance || s == HellingerDistance
}

// tail reports whether s is the share of the outer bins of a number.
func (s Summary) tail() bool { return s >= LowTail && s <= HighExtreme || s == Extremes }

// measured reports whether s is read from a column.
func (s Summary) measured() bool {
	return s < Volume || s == Extremes || s == Surge || s == Deviation
}

// rise returns the share of the level that a rise of s has, where it says more than a
// fall: values that become more spread out, or go to an end or to null, against those
// that become fewer there. 0 for half.
func (s Summary) rise() float64 {
	switch s {
	case Scale:
		return 0.9
	case LowTail, HighTail, Nulls:
		return 0.8
	}
	return 0
}

// natural turns a transformed value back into a share, a distance or rows.
func (s Summary) natural(x float64) float64 {
	switch summarySpecs[s].domain {
	case share:
		v := math.Sin(max(0, min(math.Pi/2, x)))
		return v * v
	case logarithm:
		return math.Exp(x)
	}
	return x
}

// clamp01 holds p in [0, 1].
func clamp01(p float64) float64 { return max(0, min(1, p)) }

func angle(p float64) float64 { return math.Asin(math.Sqrt(clamp01(p))) }

// The least shift that may block, per summary. They are fixed a priori, on
// synthetic families, and are not tuned on any data set.
const (
	effectDistance = 0.1  // D, or TVD beyond what sampling gives
	effectBeyond   = 0.05 // D or TVD beyond what is usual for such a window: a day of a season is far from all days together
	effectLocation = 0.15 // move of the mean normal score: that of a shift by D = .06
	effectTail     = 0.01 // rise of a share beyond a tail
	effectNulls    = 0.05 // rise of the share of nulls
	effectShare    = 0.1  // move of a category's share
	effectUnseen   = 0.02 // rise of the share of unseen values
	effectScale    = 1.5  // ratio
	effectVolume   = 2.0  // ratio
	effectOutliers = 0.05 // rise of the share of rows that are unusual as a whole
	effectHistory  = 1.5  // times the largest excursion of history
)

// moved is one feature's summaries of the current windows against what history
// expects, all transformed.
type moved struct {
	now, expected [summaries]float64 // NaN where not measured
	sampling      float64            // the total variation distance that sampling alone gives
	strict        bool               // distances are held against what is usual as well: since method 2

	// Since method 3 what blocks must be out of reach of sampling: see beyondSampling.
	unlikely float64             // -ln of how likely sampling may give it; 0: not asked
	inverse  *[summaries]float64 // 1/n of a window, of what each summary rests on
	pooled   float64             // observations of history in bins
	rows     float64             // the rows of them, with those without a value
	windows  float64             // that now is the mean of
	each     []reduced           // those
	placed   bool                // location and scale are those of times
	located  rival               // of the location, once it is compared
	surge    surge               // share and expected share of the bucket that rose
	bursts   bool                // one unseen value of many may come often: since method 8
}

// usualUnseen is the share of unseen values from which on a feature is one that has them in every window.
const usualUnseen = 0.01

// burst returns how much one value adds to the share of unseen ones, where history has that many of them
// that one of a long tail may come often in a window by itself: less than would block as a surge. Since
// method 8; 0 otherwise.
func (m *moved) burst(expected float64) float64 {
	rise := m.surge.share - m.surge.expected
	if !m.bursts || m.surge.bucket < sketch.KnownBuckets || expected < usualUnseen || rise >= effectShare {
		return 0
	}
	return max(0, rise)
}

// large reports whether the shift in s is past its effect floor.
func (m *moved) large(s Summary) bool {
	now, expected := s.natural(m.now[s]), s.natural(m.expected[s])
	switch s {
	case Location:
		if m.placed {
			return m.apartInTime()
		}
		return m.apart(KSDistance) && (!m.strict || math.Abs(now-expected) >= effectLocation)
	case KSDistance:
		return m.apart(KSDistance)
	case TVDistance:
		return m.apart(TVDistance)
	case HellingerDistance:
		return m.apart(KSDistance) || m.apart(TVDistance)
	case Scale:
		return beyondRatio(now, expected, effectScale)
	case LowTail, HighTail, LowExtreme, HighExtreme, Extremes:
		return now-expected >= effectTail && m.beyondSampling(s, now, expected)
	case Nulls:
		return now-expected >= effectNulls && m.beyondSampling(s, now, expected)
	case Unseen:
		return now-expected-m.burst(expected) >= effectUnseen && m.beyondSampling(s, now, expected)
	case Outliers:
		return now-expected >= effectOutliers
	case Share1, Share2, Share3, Share4, Other:
		return math.Abs(now-expected) >= effectShare && m.beyondSampling(s, now, expected)
	case Newcomer:
		return now-expected >= effectShare && m.beyondSampling(s, now, expected)
	case Surge:
		return m.surge.share-m.surge.expected >= effectShare && m.beyondSampling(s, m.surge.share, m.surge.expected)
	case Volume:
		return beyondRatio(now, expected, effectVolume)
	}
	return false
}

// apart reports whether a distance is past its floor; false if it was not measured.
func (m *moved) apart(s Summary) bool {
	d := s.natural(m.now[s])
	if s == TVDistance {
		d -= m.sampling
	}
	if m.strict && !(m.now[s]-m.expected[s] > 0 && s.natural(m.now[s])-s.natural(m.expected[s]) >= effectBeyond) {
		return false
	}
	return d >= max(effectDistance, m.reach(s))
}

func beyondRatio(now, expected, ratio float64) bool {
	return expected > 0 && (now >= expected*ratio || now <= expected/ratio)
}
