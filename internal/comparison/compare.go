package comparison

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"sluice/drift/binned"
	"sluice/drift/sample"
	"sluice/quality"
	"sluice/store/tabular"
)

// Result is a comparison of two files.
type Result struct {
	RowsBaseline uint64   `json:"rows_baseline"`
	RowsCurrent  uint64   `json:"rows_current"`
	Problem      string   `json:"problem,omitempty"` // why nothing could be compared
	Columns      []Column `json:"columns"`           // in the order of the baseline
	OnlyBaseline []string `json:"only_baseline"`     // columns that the other file lacks
	OnlyCurrent  []string `json:"only_current"`
}

// Column is one column on both sides. The first fields are the contract's.
type Column struct {
	Column        string     `json:"column"`
	Kind          string     `json:"kind"`
	Times         bool       `json:"times,omitempty"` // the numbers are timestamps, in seconds since 1970
	NBaseline     uint64     `json:"n_baseline"`      // without nulls if numeric
	NCurrent      uint64     `json:"n_current"`
	NullsBaseline uint64     `json:"nulls_baseline"`
	NullsCurrent  uint64     `json:"nulls_current"`
	KS            KS         `json:"ks"`
	PSI           Number     `json:"psi"`
	TVD           Number     `json:"tvd"`
	JS            Number     `json:"js"`
	Wasserstein   Number     `json:"wasserstein"`
	Entropy       Number     `json:"entropy"` // of the current shares, nats
	ChiSquare     ChiSquare  `json:"chi_square"`
	Fit           Fit        `json:"goodness_of_fit"`
	UnseenShare   Number     `json:"unseen_share"` // of the current rows, in categories that the baseline lacks
	Moments                  // of the current side
	Before        Moments    `json:"baseline"`
	Severity      Number     `json:"severity"` // 1 and more: a shift that is clear and large
	Problem       string     `json:"problem,omitempty"`
	Changed       []Category `json:"changed,omitempty"` // categories whose shares moved most, or numeric bins

	// Type is list<T> or json of a nested column. Numbers are the lengths of lists, and
	// categories of json are present and null. Parts are the elements of lists, as rows of
	// their own, or the paths of json, as present or null in its values; Severity is the worst of all.
	// Parts of timestamps are age, hours of the day and days of the week: see times.
	Type      string   `json:"type,omitempty"`
	Part      string   `json:"part,omitempty"` // elements, the path, age…; empty of a column
	Parts     []Column `json:"parts,omitempty"`
	PartsLeft int      `json:"parts_left_out,omitempty"`

	shares [2][]float64 // by bin or category, for people
	parts  float64      // that share the level with it, itself included; 0 is one
}

// KS is the Kolmogorov-Smirnov distance with its p-values.
type KS struct {
	Statistic   Number `json:"statistic"`
	PValue      Number `json:"p_value"`
	PValueExact Number `json:"p_value_exact"`
}

// ChiSquare is the test of the contingency table, without correction.
type ChiSquare struct {
	Statistic Number `json:"statistic"`
	PValue    Number `json:"p_value"`
	DOF       int    `json:"dof"`
}

// Fit is the test of the current counts against the baseline's shares.
type Fit struct {
	Statistic Number `json:"statistic"`
	PValue    Number `json:"p_value"`
}

// Category is a category or a bin and its shares.
type Category struct {
	Name     string `json:"name"`
	Baseline Number `json:"baseline"`
	Current  Number `json:"current"`
}

// ErrNoColumn reports two files of which no column could be compared.
var ErrNoColumn = errors.New("no column is in both files")

// Err returns ErrNoColumn if nothing was compared, with the reason if it is that there are
// no rows; otherwise nil.
func (r *Result) Err() error {
	switch {
	case len(r.Columns) > 0:
		return nil
	case r.RowsBaseline == 0 || r.RowsCurrent == 0:
		return fmt.Errorf("%s: %w", missing(r.RowsBaseline, r.RowsCurrent), ErrNoColumn)
	}
	return ErrNoColumn
}

// Compare compares the columns that both files have. A file without rows that does not
// name its columns counts as one that has all of the other's.
func Compare(baseline, current *tabular.Contents) Result {
	r := Result{RowsBaseline: baseline.Rows, RowsCurrent: current.Rows, Problem: missing(baseline.Rows, current.Rows),
		Columns: []Column{}, OnlyBaseline: []string{}, OnlyCurrent: []string{}}
	before, now := happened(baseline), happened(current)
	for _, b := range baseline.Columns {
		if c := named(current, b.Name); c != nil {
			r.Columns = append(r.Columns, compare(b, c))
			if b.Times && c.Times {
				r.Columns[len(r.Columns)-1].times(b, c, before, now)
			}
		} else {
			r.OnlyBaseline = append(r.OnlyBaseline, b.Name)
		}
	}
	for _, c := range current.Columns {
		if b := named(baseline, c.Name); b == nil {
			r.OnlyCurrent = append(r.OnlyCurrent, c.Name)
		} else if len(baseline.Columns) == 0 {
			r.Columns = append(r.Columns, compare(b, c))
		}
	}
	if r.Problem == "" && len(r.Columns) == 0 {
		r.Problem = ErrNoColumn.Error()
	}
	return r
}

// named returns a column of a file; nil if it is known not to have it.
func named(in *tabular.Contents, name string) *tabular.Values {
	if i := slices.IndexFunc(in.Columns, func(v *tabular.Values) bool { return v.Name == name }); i >= 0 {
		return in.Columns[i]
	}
	if in.Rows == 0 && len(in.Columns) == 0 {
		return &tabular.Values{Name: name}
	}
	return nil
}

// missing says which file has no rows; empty if both have some.
func missing(baseline, current uint64) string {
	switch {
	case baseline == 0 && current == 0:
		return "no rows in either file"
	case baseline == 0 || current == 0:
		return "no rows in the " + side(baseline == 0)
	}
	return ""
}

func compare(b, c *tabular.Values) Column {
	if b.Nested() || c.Nested() {
		return compareNested(b, c)
	}
	out := newColumn(b, c)
	switch {
	case b.Rows == 0 || c.Rows == 0:
		out.Problem = missing(b.Rows, c.Rows)
	case b.Empty() || c.Empty():
		out.Problem = fmt.Sprintf("nothing but nulls in the %s", side(b.Empty()))
	case b.Numeric() != c.Numeric():
		out.Problem = fmt.Sprintf("numbers in the %s, texts in the %s: compared as categories", side(b.Numeric()), side(!b.Numeric()))
	}
	if out.Kind == Numeric {
		out.numeric(b, c)
	} else {
		out.categorical(b, c)
	}
	out.Severity = out.severity(b, c)
	return out
}

// newColumn returns a column of which nothing is measured yet.
func newColumn(b, c *tabular.Values) Column {
	return Column{Column: b.Name, Kind: kindOf(b, c), Times: b.Times && c.Times, NullsBaseline: b.Nulls, NullsCurrent: c.Nulls,
		KS: KS{undefined, undefined, undefined}, PSI: undefined, TVD: undefined, JS: undefined, Wasserstein: undefined, Entropy: undefined,
		ChiSquare: ChiSquare{Statistic: undefined, PValue: undefined}, Fit: Fit{undefined, undefined}, UnseenShare: undefined,
		Moments: momentsOf(nil), Before: momentsOf(nil)}
}

func side(baseline bool) string {
	if baseline {
		return "baseline"
	}
	return "current file"
}

func (out *Column) numeric(b, c *tabular.Values) {
	before, now := sample.New(slices.Clone(b.Numbers)), sample.New(slices.Clone(c.Numbers))
	out.NBaseline, out.NCurrent = uint64(len(before)), uint64(len(now))
	out.Before, out.Moments = momentsOf(before.Finite()), momentsOf(now.Finite())
	out.Before.hide(before.Finite())
	out.Moments.hide(now.Finite())
	out.Wasserstein = Number(sample.Wasserstein(before.Finite(), now.Finite()))
	if len(before) == 0 || len(now) == 0 {
		return
	}
	d := sample.KS(before, now)
	out.KS.Statistic, out.KS.PValueExact = Number(d), Number(sample.KSExact(d, len(before), len(now)))
	if len(before)*len(now) > 1 { // the law at round(1/2) observations is none
		out.KS.PValue = Number(binned.KSPValue(d, out.NBaseline, out.NCurrent))
	}
	edges := before.Finite().Deciles()
	if len(edges) == 0 { // one bin would hold everything on either side
		out.Problem = "no finite number in the baseline"
		return
	}
	bins := [2][]uint64{before.Counts(edges), now.Counts(edges)}
	out.distances(bins)
	for i := range bins[0] {
		out.Changed = append(out.Changed, Category{Name: interval(edges, i), Baseline: Number(out.shares[0][i]), Current: Number(out.shares[1][i])})
	}
}

// interval names a bin.
func interval(edges []float64, i int) string {
	switch {
	case i == 0:
		return fmt.Sprintf("to %.4g", edges[0])
	case i == len(edges):
		return fmt.Sprintf("over %.4g", edges[i-1])
	}
	return fmt.Sprintf("%.4g to %.4g", edges[i-1], edges[i])
}

func (out *Column) categorical(b, c *tabular.Values) {
	out.NBaseline, out.NCurrent = b.Rows, c.Rows
	if b.Rows == 0 || c.Rows == 0 {
		return
	}
	before, now := categories(b), categories(c)
	var names []category
	for name := range before {
		names = append(names, name)
	}
	unseen := uint64(0)
	for name, n := range now {
		if before[name] == 0 {
			names = append(names, name)
			unseen += n
		}
	}
	slices.SortFunc(names, func(x, y category) int {
		return cmp.Or(cmp.Compare(before[y], before[x]), cmp.Compare(x.text, y.text), compareBool(x.null, y.null))
	})
	var counts [2][]uint64
	for _, name := range names {
		counts[0], counts[1] = append(counts[0], before[name]), append(counts[1], now[name])
	}
	out.UnseenShare = Number(float64(unseen) / float64(c.Rows))
	out.distances(counts)
	out.tests(counts, unseen)
	for i, name := range names {
		out.Changed = append(out.Changed, Category{Name: name.text, Baseline: Number(out.shares[0][i]), Current: Number(out.shares[1][i])})
	}
	slices.SortStableFunc(out.Changed, func(x, y Category) int {
		return cmp.Compare(math.Abs(float64(y.Current-y.Baseline)), math.Abs(float64(x.Current-x.Baseline)))
	})
	out.Changed = out.Changed[:min(len(out.Changed), mostChanged)]
	for i := range out.Changed {
		out.Changed[i].Name, _ = quality.MaskCards(out.Changed[i].Name)
	}
}

// mostChanged is how many categories an answer names.
const mostChanged = 10

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// distances sets what is measured on shares alone. One bin holds the same share on
// either side.
func (out *Column) distances(counts [2][]uint64) {
	for i, side := range counts {
		out.shares[i] = sharesOf(side)
	}
	padded := counts
	if len(counts[0]) == 1 { // the functions want two bins: an empty one changes nothing
		padded = [2][]uint64{append(slices.Clone(counts[0]), 0), append(slices.Clone(counts[1]), 0)}
	}
	out.PSI = orUndefined(binned.PSI(padded[0], padded[1]))
	out.TVD = orUndefined(binned.TVD(padded[0], padded[1]))
	out.JS = orUndefined(binned.JensenShannon(padded[0], padded[1]))
	out.Entropy = entropyOf(counts[1])
}

// entropyOf returns Shannon's entropy of the shares, in nats.
func entropyOf(counts []uint64) Number {
	return orUndefined(binned.Entropy(append(slices.Clone(counts), 0))) * math.Ln2 // it wants two bins: an empty one changes nothing
}

func (out *Column) tests(counts [2][]uint64, unseen uint64) {
	if len(counts[0]) == 1 {
		out.ChiSquare = ChiSquare{0, 1, 0}
		return
	}
	if statistic, p, dof, err := binned.ChiSquare(counts[0], counts[1]); err == nil {
		out.ChiSquare = ChiSquare{Number(statistic), Number(p), dof}
	}
	if unseen > 0 {
		return
	}
	if statistic, p, _, err := binned.GoodnessOfFit(counts[0], counts[1]); err == nil {
		out.Fit = Fit{Number(statistic), Number(p)}
	}
}

func orUndefined(v float64, err error) Number {
	if err != nil {
		return undefined
	}
	return Number(v)
}

func sharesOf(counts []uint64) []float64 {
	n := 0.0
	for _, k := range counts {
		n += float64(k)
	}
	shares := make([]float64, len(counts))
	for i, k := range counts {
		shares[i] = float64(k) / n
	}
	return shares
}

// What a shift must be to count, besides being clear: a distance of the distributions
// or of the shares of nulls. Two files are not enough to say what is usual, so that
// these are floors and no calibrated thresholds.
const (
	chance    = 0.001 // p-value
	effect    = 0.1   // Kolmogorov-Smirnov or total variation distance
	nullShift = 0.05
)

// severity is how many times past its floor the larger of two shifts is, of the
// distribution and of the nulls; below 1 if a test does not tell it from chance.
func (out *Column) severity(b, c *tabular.Values) Number {
	if b.Rows == 0 || c.Rows == 0 {
		return undefined
	}
	share := math.Abs(float64(c.Nulls)/float64(c.Rows) - float64(b.Nulls)/float64(b.Rows))
	_, p, _, err := binned.ChiSquare([]uint64{b.Nulls, b.Rows - b.Nulls}, []uint64{c.Nulls, c.Rows - c.Nulls})
	worst := 0.0
	tests := max(1, out.parts)
	if err == nil {
		worst = grade(share/nullShift, p*tests)
	}
	d, p := float64(out.KS.Statistic), float64(out.KS.PValue)
	if out.Kind == Categorical {
		d, p = float64(out.TVD), float64(out.ChiSquare.PValue)
	}
	if !math.IsNaN(d) && !math.IsNaN(p) {
		worst = max(worst, grade(d/effect, p*tests))
	}
	if b.Empty() != c.Empty() {
		worst = max(worst, 1/nullShift)
	}
	return Number(worst)
}

func grade(size, p float64) float64 {
	if p > chance {
		return min(size, 0.99)
	}
	return size
}
