package comparison

import (
	"strconv"

	"sluice/drift"
	"sluice/quality/sketch"
)

// Counted is what the counts of a verdict's window and of its baseline say of a feature:
// the JSON of a verdict's statistics. The names are those of Column. Unlike there the bins
// are the layout's, so that numbers are as exact as drift.Comparison says; nulls, NaN and
// infinities are counted together, and are no category.
type Counted struct {
	Feature       string    `json:"feature"`
	Part          string    `json:"part,omitempty"` // an aspect of it, as the elements of a list
	Kind          string    `json:"kind"`           // numeric, categorical, or nulls: nothing else is counted
	NBaseline     uint64    `json:"n_baseline"`     // without nulls
	NCurrent      uint64    `json:"n_current"`
	NullsBaseline uint64    `json:"nulls_baseline"`
	NullsCurrent  uint64    `json:"nulls_current"`
	KS            CountedKS `json:"ks"`
	PSI           Number    `json:"psi"`
	TVD           Number    `json:"tvd"`
	JS            Number    `json:"js"`
	Wasserstein   Number    `json:"wasserstein"`
	Entropy       Number    `json:"entropy"` // of the current shares, nats
	ChiSquare     ChiSquare `json:"chi_square"`
	Fit           Fit       `json:"goodness_of_fit"`
	UnseenShare   Number    `json:"unseen_share"`
	Moments                 // of the current side
	Before        Moments   `json:"baseline"`
}

// CountedKS is the distance of binned counts: that of the values is between Statistic and
// Statistic + Bound.
type CountedKS struct {
	Statistic Number `json:"statistic"`
	Bound     Number `json:"bound"`
	PValue    Number `json:"p_value"`
}

// OfCounts returns the JSON form of what counts say.
func OfCounts(all []drift.Comparison) []Counted {
	out := make([]Counted, len(all))
	for i := range all {
		c := &all[i]
		out[i] = Counted{
			Feature: c.Feature, Part: c.Part, Kind: c.Kind,
			KS:  CountedKS{Number(c.KS), Number(c.Bound), Number(c.KSPValue)},
			PSI: Number(c.PSI), TVD: Number(c.TVD), JS: Number(c.JS), Wasserstein: Number(c.Wasserstein), Entropy: Number(c.Entropy),
			ChiSquare: ChiSquare{Number(c.ChiSquare), Number(c.ChiSquarePValue), c.DOF}, Fit: Fit{Number(c.Fit), Number(c.FitPValue)},
			UnseenShare: Number(c.Unseen), Moments: countedMoments(c.Current), Before: countedMoments(c.Baseline),
		}
		out[i].NCurrent, out[i].NullsCurrent = rowsOf(c.Current)
		out[i].NBaseline, out[i].NullsBaseline = rowsOf(c.Baseline)
	}
	return out
}

func rowsOf(c *sketch.Column) (n, nulls uint64) {
	if c == nil {
		return 0, 0
	}
	return c.N, c.Rows() - c.N
}

// countedMoments describes a column; all of one without numeric bins is undefined.
func countedMoments(c *sketch.Column) Moments {
	m := momentsOf(nil)
	if c == nil || c.Layout() == nil || len(c.Layout().Edges) == 0 || c.N == 0 {
		return m
	}
	for _, q := range quantiles {
		m.Quantiles[strconv.FormatFloat(q, 'g', -1, 64)] = Number(c.Quantile(q))
	}
	m.Mean, m.Std, m.Min, m.Max = Number(c.Mean()), Number(c.SD()), Number(c.Min), Number(c.Max)
	return m
}
