package feature

// Expect is what a feature's values must keep. Nil and empty fields ask for
// nothing. A write that breaks Min, Max, In, Expr, Pattern, Length or Token is
// quarantined; the others are held against a window. Nulls and Bad are shares in
// [0, 1].
type Expect struct {
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	In      []string `json:"in,omitempty"`      // the text forms of the allowed values
	Expr    string   `json:"expr,omitempty"`    // CEL over the row's features by name
	Pattern string   `json:"pattern,omitempty"` // RE2, which a whole text must match
	Length  *Length  `json:"length,omitempty"`  // characters of a text, bytes of bytes, elements of a list
	Token   bool     `json:"token,omitempty"`   // holds no payment card number

	Unique    bool             `json:"unique,omitempty"`    // every value once in a window
	Monotonic bool             `json:"monotonic,omitempty"` // never goes back, for one entity within a window
	Mean      *Range           `json:"mean,omitempty"`      // of a window's values
	Quantiles map[string]Range `json:"quantiles,omitempty"` // of a window's values, by rank such as 0.5
	Distinct  *Range           `json:"distinct,omitempty"`  // number of different values in a window

	Nulls *float64 `json:"nulls,omitempty"` // largest share of nulls
	Bad   *float64 `json:"bad,omitempty"`   // largest share of writes that break the above; DefaultBad if nil
}

// Length bounds a length, both ends included; nil is no bound.
type Length struct {
	Min *int `json:"min,omitempty"`
	Max *int `json:"max,omitempty"`
}

// Range bounds a number, both ends included; nil is no bound.
type Range struct {
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// Expectation is what a view expects of a row or of a window as a whole. One of the
// fields between Name and Bad is given. A write that breaks Expr is quarantined.
type Expectation struct {
	Name         string   `json:"name"`
	Expr         string   `json:"expr,omitempty"`         // CEL over the row's features by name
	Unique       []string `json:"unique,omitempty"`       // features, or all join keys, whose values together come once in a window
	Monotonic    string   `json:"monotonic,omitempty"`    // EventTimeName or a feature: never goes back, for one entity within a window
	Completeness *float64 `json:"completeness,omitempty"` // least share of values that are not null
	Rows         *Range   `json:"rows,omitempty"`         // rows of a window
	Late         *float64 `json:"late,omitempty"`         // largest share of late writes
	Bad          *float64 `json:"bad,omitempty"`          // largest share that breaks Expr, Unique or Monotonic; DefaultBad if nil
}

const (
	// DefaultBad is the share of refused writes above which a window fails.
	DefaultBad = 0.01
	// DefaultCompleteness is what a view with the tag tier: critical expects where it
	// does not say otherwise.
	DefaultCompleteness = 0.9995
	// EventTimeName names a row's event time in Expectation.Monotonic.
	EventTimeName = "event_time"
)

// Completeness returns the least share of values that are not null, and the name
// of the expectation that says so; 0 if the view has none.
func (v *View) Completeness() (share float64, name string) {
	for i := range v.Expect {
		if e := &v.Expect[i]; e.Completeness != nil {
			return *e.Completeness, e.Name
		}
	}
	if v.Tags["tier"] == "critical" {
		return DefaultCompleteness, "completeness"
	}
	return 0, ""
}

// Tokens reports whether a feature of the view must hold no payment card number.
func (v *View) Tokens() bool {
	for i := range v.Features {
		if v.Features[i].Expect.Token {
			return true
		}
	}
	return false
}
