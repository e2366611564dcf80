package feature

// Share is what the rows of one value of a dimension contribute to a shift.
type Share struct {
	Dimension string `json:"dimension"` // producer, schema, or the column of a slice
	Header    bool   `json:"header"`    // the dimension is a header of records, not a slice
	Value     string `json:"value"`     // cut for display; empty if Group has no value that leads it
	Group     string `json:"group,omitempty"`

	Share         float64 `json:"share"`          // of the shift; those of a dimension add up to at most 1
	Remains       float64 `json:"remains"`        // of the shift once these rows are left out: 0 nothing, 1 all
	Rows          uint64  `json:"rows"`           // of the window that count in the statistic
	RowShare      float64 `json:"row_share"`      // of those of the window
	BaselineShare float64 `json:"baseline_share"` // of those of the baseline
	Change        string  `json:"change"`
}

// Groups of rows whose values have no counts of their own. Value is the one that stands
// out among them; empty if none does.
const (
	GroupOther  = "other"  // known values that are rarer than those counted
	GroupUnseen = "unseen" // values that the layout does not know
	GroupNone   = "none"   // rows without a value in the dimension
)

// What changed in the rows of a value.
const (
	ChangeValues = "values" // their values
	ChangeRows   = "rows"   // how many there are, which shifts the whole
	ChangeNew    = "new"    // they were not there before
	ChangeGone   = "gone"   // they are no longer there
)

// Name returns the value with its dimension, as people read it.
func (s *Share) Name() string {
	switch {
	case s.Group == GroupNone:
		return "rows without a " + s.Dimension
	case s.Value != "":
		return s.Dimension + "=" + s.Value
	case s.Group == GroupUnseen:
		return s.Dimension + " values that are new"
	}
	return s.Dimension + " values that are rare"
}
