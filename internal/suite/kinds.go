package suite

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"sluice/feature"
)

// kinds read the expectations that have a counterpart. What they return says why one
// was not understood; empty if it was.
var kinds = map[string]func(r *reading, a *arguments) string{
	"expect_column_to_exist":                                    func(r *reading, a *arguments) string { return r.column(a, func(*column) string { return "" }) },
	"expect_table_columns_to_match_set":                         func(r *reading, a *arguments) string { return r.columns(append(a.Set, a.Columns...)) },
	"expect_table_columns_to_match_ordered_list":                func(r *reading, a *arguments) string { return r.columns(append(a.Columns, a.Set...)) },
	"expect_column_values_to_be_of_type":                        func(r *reading, a *arguments) string { return r.typed(a, a.Type) },
	"expect_column_type_to_be":                                  func(r *reading, a *arguments) string { return r.typed(a, a.Type) },
	"expect_column_values_to_be_in_type_list":                   func(r *reading, a *arguments) string { return r.typed(a, a.Types...) },
	"expect_column_values_to_not_be_null":                       (*reading).notNull,
	"expect_column_proportion_of_non_null_values_to_be_between": (*reading).nonNullShare,
	"expect_column_values_to_be_between":                        (*reading).between,
	"expect_column_values_to_be_in_set":                         (*reading).inSet,
	"expect_column_distinct_values_to_be_in_set":                (*reading).inSet,
	"expect_column_values_to_not_be_in_set":                     (*reading).notInSet,
	"expect_column_values_to_match_regex":                       func(r *reading, a *arguments) string { return r.matches(a, a.Regex) },
	"expect_column_values_to_match_regex_list":                  (*reading).matchesAny,
	"expect_column_values_to_not_match_regex":                   (*reading).matchesNot,
	"expect_column_value_lengths_to_be_between":                 (*reading).lengths,
	"expect_column_value_lengths_to_equal":                      (*reading).lengths,
	"expect_column_values_to_be_unique": func(r *reading, a *arguments) string {
		return r.column(a, func(c *column) string { c.expect().Unique = true; c.tolerate(a); return "" })
	},
	"expect_compound_columns_to_be_unique": (*reading).together,
	"expect_column_pair_values_a_to_be_greater_than_b": func(r *reading, a *arguments) string {
		return r.pair(a, map[bool]string{false: ">", true: ">="}[a.OrEqual])
	},
	"expect_column_pair_values_to_be_equal": func(r *reading, a *arguments) string { return r.pair(a, "==") },
	"expect_column_mean_to_be_between": func(r *reading, a *arguments) string {
		return r.measured(a, func(e *feature.Expect, s *feature.Range) string { return both(&e.Mean, s) })
	},
	"expect_column_median_to_be_between":             func(r *reading, a *arguments) string { return r.quantile(a, "0.5") },
	"expect_column_min_to_be_between":                func(r *reading, a *arguments) string { return r.quantile(a, "0") },
	"expect_column_max_to_be_between":                func(r *reading, a *arguments) string { return r.quantile(a, "1") },
	"expect_column_quantile_values_to_be_between":    (*reading).quantiles,
	"expect_column_unique_value_count_to_be_between": (*reading).distinct,
	"expect_table_row_count_to_be_between":           (*reading).rows,
	"expect_table_row_count_to_equal":                (*reading).rows,
}

// noCounterpart says why others have none.
var noCounterpart = map[string]string{
	"expect_column_values_to_be_increasing":                   "it is about the order of a whole table; of streams `monotonic` looks at the writes of each entity: add it if that is meant",
	"expect_column_values_to_be_decreasing":                   "order is looked at by `monotonic`, which rises",
	"expect_column_proportion_of_unique_values_to_be_between": "shares of different values depend on the size of a window: use `unique` with `bad`, or `distinct`",
	"expect_column_stdev_to_be_between":                       "the spread of a window is judged by its history (method calibrated); there is no fixed bound",
	"expect_column_kl_divergence_to_be_less_than":             "drift is judged by rules (psi, ks, chi_square, tvd), not by an expectation",
	"expect_column_value_z_scores_to_be_less_than":            "outliers of a window are judged by its history (method calibrated)",
	"expect_table_column_count_to_equal":                      "a view lists its features; a record with others is refused on the default topic",
	"expect_table_column_count_to_be_between":                 "a view lists its features; a record with others is refused on the default topic",
	"expect_column_values_to_be_null":                         "a feature that is always null says nothing: leave it out",
	"expect_select_column_values_to_be_unique_within_record":  "it compares columns of one row: write an expr",
	"expect_multicolumn_sum_to_equal":                         "it compares columns of one row: write an expr",
}

func (r *reading) columns(names []string) string {
	for _, name := range names {
		if why := r.column(&arguments{Column: name}, func(*column) string { return "" }); why != "" {
			return fmt.Sprintf("%.100q: %s", name, why)
		}
	}
	if len(names) == 0 {
		return "it names no columns"
	}
	return ""
}

// typeNames are names of types in pandas, SQL and Spark, in lower case.
var typeNames = map[string]feature.Type{
	"int": feature.Int64, "int64": feature.Int64, "bigint": feature.Int64, "longtype": feature.Int64, "long": feature.Int64, "integer": feature.Int64, "uint32": feature.Int64,
	"int32": feature.Int32, "int16": feature.Int32, "int8": feature.Int32, "smallint": feature.Int32, "integertype": feature.Int32, "shorttype": feature.Int32,
	"float": feature.Float64, "float64": feature.Float64, "double": feature.Float64, "doubletype": feature.Float64, "double_precision": feature.Float64, "numeric": feature.Float64, "decimal": feature.Float64, "real": feature.Float64,
	"float32": feature.Float32, "floattype": feature.Float32,
	"str": feature.String, "string": feature.String, "object": feature.String, "varchar": feature.String, "text": feature.String, "char": feature.String, "stringtype": feature.String, "string_": feature.String, "string_type": feature.String,
	"bool": feature.Bool, "boolean": feature.Bool, "booleantype": feature.Bool, "bool_": feature.Bool,
	"datetime": feature.Timestamp, "datetime64": feature.Timestamp, "datetime64[ns]": feature.Timestamp, "timestamp": feature.Timestamp, "timestamptype": feature.Timestamp, "date": feature.Timestamp,
	"bytes": feature.Bytes, "binary": feature.Bytes, "bytea": feature.Bytes, "binarytype": feature.Bytes,
}

func (r *reading) typed(a *arguments, names ...string) string {
	for _, name := range names {
		t, known := typeNames[strings.ToLower(name)]
		if !known {
			continue
		}
		return r.column(a, func(c *column) string { return c.of(t, true) })
	}
	return fmt.Sprintf("no type of %.200q is known", names)
}

func (r *reading) notNull(a *arguments) string {
	share := 0.0
	if a.Mostly != nil {
		share = rest(*a.Mostly)
	}
	return r.column(a, func(c *column) string { return once(&c.expect().Nulls, share) })
}

func (r *reading) nonNullShare(a *arguments) string {
	low, _, why := ends(a)
	if why != "" || low == nil {
		return "it has no least share (min_value)"
	}
	return r.column(a, func(c *column) string { return once(&c.expect().Nulls, rest(*low)) })
}

// rest is 1 - share without the noise of subtraction.
func rest(share float64) float64 { return math.Round((1-share)*1e12) / 1e12 }

func (r *reading) between(a *arguments) string {
	low, high, why := ends(a)
	if why != "" {
		return why
	}
	return r.column(a, func(c *column) string {
		if why := c.of(feature.Float64, false); why != "" || !c.type_.Numeric() {
			return "bounds of what is no number are not compared: write an expr"
		}
		e := c.expect()
		if low != nil && e.Min != nil || high != nil && e.Max != nil {
			return "the column has such a bound already"
		}
		c.tolerate(a)
		e.Min, e.Max = low, high
		if a.StrictMin && low != nil {
			r.row(c.name+"_above", fmt.Sprintf("%s == null || %[1]s > %s", c.name, number(*low)), a)
		}
		if a.StrictMax && high != nil {
			r.row(c.name+"_below", fmt.Sprintf("%s == null || %[1]s < %s", c.name, number(*high)), a)
		}
		return ""
	})
}

func (r *reading) inSet(a *arguments) string {
	values, text, why := scalars(a.Values)
	if why != "" {
		return why
	}
	return r.column(a, func(c *column) string {
		t := feature.Float64
		if text {
			t = feature.String
		}
		if why := c.of(t, false); why != "" {
			return why
		}
		if c.expect().In != nil {
			return "the column has a set already"
		}
		c.tolerate(a)
		c.expect().In = values
		return ""
	})
}

func (r *reading) notInSet(a *arguments) string {
	values, text, why := scalars(a.Values)
	if why != "" {
		return why
	}
	if !text {
		return "a set of numbers that are not allowed: write an expr"
	}
	for i := range values {
		values[i] = strconv.Quote(values[i])
	}
	return r.column(a, func(c *column) string {
		if why := c.of(feature.String, false); why != "" {
			return why
		}
		return r.row(c.name+"_not_in", fmt.Sprintf("%s == null || !(%[1]s in [%s])", c.name, strings.Join(values, ", ")), a)
	})
}

// matches reads a regular expression, which Python looks for anywhere in the text.
func (r *reading) matches(a *arguments, source string) string {
	if _, err := regexp.Compile(source); err != nil || source == "" {
		return fmt.Sprintf("%.200q is no RE2 expression, which has no look-around and no references back", source)
	}
	whole := "(?:" + source + ")"
	if !strings.HasPrefix(source, "^") || strings.Contains(source, "|") {
		whole = "(?s:.*)" + whole
	}
	if !strings.HasSuffix(source, "$") || strings.HasSuffix(source, `\$`) || strings.Contains(source, "|") {
		whole += "(?s:.*)"
	}
	if inner, ok := strings.CutPrefix(source, "^"); ok && !strings.Contains(source, "|") && strings.HasSuffix(inner, "$") && !strings.HasSuffix(inner, `\$`) {
		whole = strings.TrimSuffix(inner, "$") // as the whole text must match anyhow
	}
	return r.column(a, func(c *column) string {
		if why := c.of(feature.String, false); why != "" {
			return why
		}
		if c.expect().Pattern != "" {
			return "the column has a pattern already"
		}
		c.tolerate(a)
		c.expect().Pattern = whole
		return ""
	})
}

func (r *reading) matchesAny(a *arguments) string {
	if a.MatchOn == "all" {
		return "a text that matches all of several patterns: write an expr"
	}
	var parts []string
	for _, source := range a.Regexes {
		parts = append(parts, "(?:"+source+")")
	}
	return r.matches(a, strings.Join(parts, "|"))
}

func (r *reading) matchesNot(a *arguments) string {
	if _, err := regexp.Compile(a.Regex); err != nil || a.Regex == "" {
		return fmt.Sprintf("%.200q is no RE2 expression, which has no look-around and no references back", a.Regex)
	}
	return r.column(a, func(c *column) string {
		if why := c.of(feature.String, false); why != "" {
			return why
		}
		return r.row(c.name+"_not_like", fmt.Sprintf("%s == null || !%[1]s.matches(%s)", c.name, strconv.Quote(a.Regex)), a)
	})
}

func (r *reading) lengths(a *arguments) string {
	if a.Value != nil {
		a.Min, a.Max = a.Value, a.Value
	}
	low, high, why := ends(a)
	if why != "" {
		return why
	}
	whole := func(v *float64) *int {
		if v == nil {
			return nil
		}
		n := int(math.Max(0, math.Min(*v, 1<<30)))
		return &n
	}
	return r.column(a, func(c *column) string {
		if why := c.of(feature.String, false); why != "" {
			return why
		}
		if c.expect().Length != nil {
			return "the column has a length already"
		}
		c.tolerate(a)
		c.expect().Length = &feature.Length{Min: whole(low), Max: whole(high)}
		return ""
	})
}

func (r *reading) together(a *arguments) string {
	var names []string
	for _, name := range a.Columns {
		c, why := r.named(name)
		if why != "" {
			return why
		}
		names = append(names, c.name)
	}
	if len(names) == 0 {
		return "it names no columns"
	}
	r.own(feature.Expectation{Name: strings.Join(names, "_") + "_unique", Unique: names}, a)
	return ""
}

func (r *reading) pair(a *arguments, operator string) string {
	x, why := r.named(a.ColumnA)
	if why != "" {
		return why
	}
	y, why := r.named(a.ColumnB)
	if why != "" {
		return why
	}
	t := feature.Float64
	switch {
	case x.type_ != 0:
		t = x.type_
	case y.type_ != 0:
		t = y.type_
	}
	for _, c := range []*column{x, y} {
		if why := c.of(t, false); why != "" {
			return why
		}
	}
	return r.row(x.name+"_"+y.name, fmt.Sprintf("%s == null || %s == null || %[1]s %[3]s %[2]s", x.name, y.name, operator), a)
}

// measured reads a range of a window's numbers.
func (r *reading) measured(a *arguments, set func(*feature.Expect, *feature.Range) string) string {
	low, high, why := ends(a)
	if why != "" {
		return why
	}
	return r.column(a, func(c *column) string {
		if why := c.of(feature.Float64, false); why != "" {
			return why
		}
		if !c.type_.Numeric() || c.type_ == feature.Timestamp {
			return "a window of a " + c.type_.String() + " has none"
		}
		return set(c.expect(), &feature.Range{Min: low, Max: high})
	})
}

// both narrows a range to what another allows as well: a suite may have several expectations of
// one number, and all of them are to hold. why says if nothing would be left.
func both(into **feature.Range, other *feature.Range) (why string) {
	if *into == nil {
		*into = other
		return ""
	}
	r := **into
	if r.Min == nil || other.Min != nil && *other.Min > *r.Min {
		r.Min = other.Min
	}
	if r.Max == nil || other.Max != nil && *other.Max < *r.Max {
		r.Max = other.Max
	}
	if r.Min != nil && r.Max != nil && *r.Min > *r.Max {
		return "another one allows none of these values"
	}
	*into = &r
	return ""
}

func (r *reading) quantile(a *arguments, rank string) string {
	return r.measured(a, func(e *feature.Expect, s *feature.Range) string {
		if e.Quantiles == nil {
			e.Quantiles = map[string]feature.Range{}
		}
		if there, ok := e.Quantiles[rank]; ok {
			whole := &there
			if why := both(&whole, s); why != "" {
				return why
			}
			s = whole
		}
		e.Quantiles[rank] = *s
		return ""
	})
}

func (r *reading) quantiles(a *arguments) string {
	q := a.Quantiles
	if len(q.Ranks) == 0 || len(q.Ranks) != len(q.Ranges) {
		return "it has not a range for each quantile"
	}
	for i, rank := range q.Ranks {
		one := arguments{Column: a.Column, Min: raw(q.Ranges[i][0]), Max: raw(q.Ranges[i][1])}
		if !(rank >= 0 && rank <= 1) {
			return "a quantile is no share between 0 and 1"
		}
		if why := r.quantile(&one, number(rank)); why != "" {
			return why
		}
	}
	return ""
}

func (r *reading) distinct(a *arguments) string {
	low, high, why := ends(a)
	if why != "" {
		return why
	}
	return r.column(a, func(c *column) string {
		return both(&c.expect().Distinct, &feature.Range{Min: low, Max: high})
	})
}

func (r *reading) rows(a *arguments) string {
	if a.Value != nil {
		a.Min, a.Max = a.Value, a.Value
	}
	low, high, why := ends(a)
	if why != "" {
		return why
	}
	r.own(feature.Expectation{Name: "rows", Rows: &feature.Range{Min: low, Max: high}}, a)
	return ""
}

// ends reads min_value and max_value.
func ends(a *arguments) (low, high *float64, why string) {
	for _, end := range []struct {
		text json.RawMessage
		to   **float64
	}{{a.Min, &low}, {a.Max, &high}} {
		if end.text == nil || string(end.text) == "null" {
			continue
		}
		if json.Unmarshal(end.text, end.to) != nil {
			return nil, nil, "bounds that are no numbers are not compared: write an expr"
		}
	}
	if low == nil && high == nil {
		return nil, nil, "it has neither min_value nor max_value"
	}
	if low != nil && high != nil && *low > *high {
		return nil, nil, "min_value is above max_value"
	}
	return low, high, ""
}

// scalars reads the values of a set, and whether they are texts.
func scalars(values []json.RawMessage) (texts []string, text bool, why string) {
	for i, v := range values {
		var s string
		var n float64
		is := json.Unmarshal(v, &s) == nil && string(v) != "null"
		if !is {
			if json.Unmarshal(v, &n) != nil || string(v) == "null" {
				return nil, false, "its set holds what is neither a text nor a number"
			}
			s = string(v)
		}
		if i > 0 && is != text {
			return nil, false, "its set holds texts and numbers"
		}
		text = is
		texts = append(texts, s)
	}
	if len(texts) == 0 {
		return nil, false, "its set is empty"
	}
	return texts, text, ""
}

func raw(v *float64) json.RawMessage {
	if v == nil {
		return nil
	}
	return json.RawMessage(number(*v))
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// once sets what is not set yet.
func once(to **float64, v float64) string {
	if *to != nil {
		return "the column has such a share already"
	}
	*to = &v
	return ""
}
