package feature

import "time"

// Score is what a method measured on one feature of one window against a
// baseline. Whether it is bad is for package rules to say.
type Score struct {
	Feature   string  `json:"feature"` // empty: the view as a whole
	Method    string  `json:"method"`  // calibrated | psi | ks | chi_square | tvd | nulls | volume | expect | iforest | pinned
	Summary   string  `json:"summary"` // calibrated: the summary that moved most
	Statistic float64 `json:"statistic"`
	Threshold float64 `json:"threshold"` // the method's own; 0 if it has none and the rule must set it
	PValue    float64 `json:"p_value"`   // 1 where the method has none
	N         uint64  `json:"n"`         // observations of the window
	M         uint64  `json:"m"`         // observations of the baseline
	Bound     float64 `json:"bound"`     // how far Statistic may lie from the exact one

	// Severity is how far past its own threshold; 1 is the threshold. It is
	// filled by methods that have a threshold of their own.
	Severity float64 `json:"severity"`
	// Effect reports whether the shift is also large enough to block. Methods
	// without an effect floor set it.
	Effect bool `json:"effect"`
	// Uncalibrated marks a score without enough history behind it.
	Uncalibrated bool `json:"uncalibrated"`
	// Short, if not empty, says why the method could not judge: too few rows.
	Short string `json:"short"`
	// Accumulated marks a shift that only several windows together show, the first of
	// which starts at Onset.
	Accumulated bool      `json:"accumulated,omitempty"`
	Onset       time.Time `json:"onset,omitzero"`
	// Text says in one sentence what moved, from where to where, in units.
	Text string `json:"text"`
}
