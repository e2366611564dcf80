package comparison

// blocks are the heights of a small bar chart.
var blocks = []rune("▁▂▃▄▅▆▇█")

// Spark draws counts as a line of small bars, the tallest the largest; empty for none.
func Spark(counts []uint64) string {
	most := uint64(0)
	for _, n := range counts {
		most = max(most, n)
	}
	var line []rune
	for _, n := range counts {
		line = append(line, block(float64(n), float64(most)))
	}
	return string(line)
}

func block(value, most float64) rune {
	if value <= 0 || most <= 0 {
		return ' '
	}
	return blocks[min(len(blocks)-1, int(value/most*float64(len(blocks))))]
}

// Spark draws the current shares of the bins; a baseline's are about level. It is empty
// for a column of texts.
func (out *Column) Spark() string {
	if out.Kind != Numeric || out.shares[1] == nil {
		return ""
	}
	most := 0.0
	for i := range out.shares[1] {
		most = max(most, out.shares[0][i], out.shares[1][i])
	}
	var line []rune
	for _, s := range out.shares[1] {
		line = append(line, block(s, most))
	}
	return string(line)
}

// NullShares returns the shares of nulls among the rows of either side.
func (out *Column) NullShares() (baseline, current float64) {
	return nullShare(out.Kind, out.NBaseline, out.NullsBaseline), nullShare(out.Kind, out.NCurrent, out.NullsCurrent)
}

func nullShare(kind string, n, nulls uint64) float64 {
	if kind == Numeric {
		n += nulls
	}
	if n == 0 {
		return 0
	}
	return float64(nulls) / float64(n)
}
