package suite

import (
	"encoding/json"
	"fmt"

	"sluice/feature"
)

// Result is what a suite became.
type Result struct {
	View       feature.View // name, features, expectations and source.map alone
	Guessed    []string     // features whose type the suite does not say
	Unread     []Unread     // what was not understood, in the order of the suite
	Understood int          // expectations that are part of View
}

// Unread is an expectation that has no counterpart.
type Unread struct {
	Type   string
	Column string // empty: of several, or of the table
	Why    string
}

// String is one line about u.
func (u Unread) String() string {
	if u.Column == "" {
		return fmt.Sprintf("%s: %s", u.Type, u.Why)
	}
	return fmt.Sprintf("%s of %.100q: %s", u.Type, u.Column, u.Why)
}

// expectation is one of a suite. Version 0.x calls its kind expectation_type.
type expectation struct {
	Kind   string          `json:"type"`
	Old    string          `json:"expectation_type"`
	Kwargs json.RawMessage `json:"kwargs"`
}

// arguments are what the kinds take.
type arguments struct {
	Column     string            `json:"column"`
	ColumnA    string            `json:"column_A"`
	ColumnB    string            `json:"column_B"`
	Columns    []string          `json:"column_list"`
	Set        []string          `json:"column_set"`
	Mostly     *float64          `json:"mostly"`
	Min        json.RawMessage   `json:"min_value"`
	Max        json.RawMessage   `json:"max_value"`
	StrictMin  bool              `json:"strict_min"`
	StrictMax  bool              `json:"strict_max"`
	Value      json.RawMessage   `json:"value"`
	Values     []json.RawMessage `json:"value_set"`
	Regex      string            `json:"regex"`
	Regexes    []string          `json:"regex_list"`
	MatchOn    string            `json:"match_on"`
	Type       string            `json:"type_"`
	Types      []string          `json:"type_list"`
	OrEqual    bool              `json:"or_equal"`
	Condition  string            `json:"row_condition"`
	IgnoreRows string            `json:"ignore_row_if"`
	Quantiles  struct {
		Ranks  []float64     `json:"quantiles"`
		Ranges [][2]*float64 `json:"value_ranges"`
	} `json:"quantile_ranges"`
}

// Read reads a suite into a view of that name. The error is ErrSuite or ErrLimit.
func Read(text []byte, view string) (Result, error) {
	if len(text) > MaxBytes {
		return Result{}, fmt.Errorf("%d bytes, and at most %d are read: %w", len(text), MaxBytes, ErrLimit)
	}
	var suite struct {
		Expectations *[]expectation `json:"expectations"`
	}
	if err := json.Unmarshal(text, &suite); err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrSuite, err)
	}
	if suite.Expectations == nil {
		return Result{}, fmt.Errorf("without a list of expectations: %w", ErrSuite)
	}
	if n := len(*suite.Expectations); n > MaxExpectations {
		return Result{}, fmt.Errorf("%d expectations, and at most %d are read: %w", n, MaxExpectations, ErrLimit)
	}
	r := newReading(view)
	for i := range *suite.Expectations {
		r.take(&(*suite.Expectations)[i])
	}
	return r.done(), nil
}

// take reads one expectation.
func (r *reading) take(e *expectation) {
	kind := e.Kind
	if kind == "" {
		kind = e.Old
	}
	var a arguments
	why := ""
	switch rule, known := kinds[kind]; {
	case kind == "":
		kind, why = "an expectation", "it has no type"
	case len(e.Kwargs) > 0 && json.Unmarshal(e.Kwargs, &a) != nil:
		why = "its arguments are not of the types that they have"
	case a.Condition != "":
		why = "it holds for some rows alone (row_condition): write an expr"
	case a.Mostly != nil && !(*a.Mostly >= 0 && *a.Mostly <= 1):
		why = "mostly is no share between 0 and 1"
	case !known:
		why = "it has no counterpart"
		if reason := noCounterpart[kind]; reason != "" {
			why = reason
		}
	default:
		why = rule(r, &a)
	}
	if why != "" {
		r.out.Unread = append(r.out.Unread, Unread{fmt.Sprintf("%.100s", kind), a.Column, why})
		return
	}
	r.out.Understood++
}
