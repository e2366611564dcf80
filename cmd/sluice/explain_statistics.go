package main

import (
	"fmt"
	"strings"

	"sluice/internal/comparison"
	"sluice/rules"
)

// explainRows is how many features a table of statistics shows unless all are asked for.
const explainRows = 20

// statistics is the table of what the counts of a verdict's window and of its baseline
// say, features that have a reason first; empty without any.
func statistics(v *rules.Verdict, counted []comparison.Counted, all bool) (string, error) {
	if len(counted) == 0 {
		return "", nil
	}
	shown := reasonsFirst(v, counted)
	left := 0
	if !all && len(shown) > explainRows {
		left = len(shown) - explainRows
		shown = shown[:explainRows]
	}
	var rows [][]string
	for _, c := range shown {
		name := c.Feature
		if c.Part != "" {
			name += ", " + c.Part
		}
		rows = append(rows, []string{
			name, nullsOf(c), change(c.Before.Mean, c.Mean), change(c.Before.Std, c.Std), threeDigits(c.KS.Statistic), threeDigits(c.PSI),
			threeDigits(c.TVD), threeDigits(c.JS), threeDigits(c.Wasserstein), chiSquare(c), threeDigits(c.Entropy), threeDigits(c.UnseenShare),
		})
	}
	var b strings.Builder
	b.WriteString("\nStatistics, baseline → judged (nothing is decided by them unless a rule names a threshold):\n")
	if err := table(&b, "FEATURE NULLS MEAN SD KS PSI TVD JS WASSERSTEIN CHI_SQUARE ENTROPY UNSEEN", rows); err != nil {
		return "", err
	}
	if left > 0 {
		fmt.Fprintf(&b, "… and %d more: `sluice explain %s --all`\n", left, v.ID)
	}
	return b.String(), nil
}

// reasonsFirst orders features: those that have a reason first, and each part of
// them in the order of the view.
func reasonsFirst(v *rules.Verdict, counted []comparison.Counted) (out []*comparison.Counted) {
	named := map[string]bool{}
	for i := range v.Reasons {
		named[v.Reasons[i].Feature] = true
	}
	for _, want := range []bool{true, false} {
		for i := range counted {
			if named[counted[i].Feature] == want {
				out = append(out, &counted[i])
			}
		}
	}
	return out
}

func nullsOf(c *comparison.Counted) string {
	share := func(nulls, n uint64) string {
		if nulls+n == 0 {
			return "-"
		}
		return percentage(float64(nulls) / float64(nulls+n))
	}
	before, now := share(c.NullsBaseline, c.NBaseline), share(c.NullsCurrent, c.NCurrent)
	if before == now {
		return now
	}
	return before + " → " + now
}

// change shows a number on both sides; empty if neither is known.
func change(before, now comparison.Number) string {
	if !before.Defined() && !now.Defined() {
		return ""
	}
	return threeDigits(before) + " → " + threeDigits(now)
}

func chiSquare(c *comparison.Counted) string {
	if !c.ChiSquare.Statistic.Defined() {
		return ""
	}
	return fmt.Sprintf("%.3g (dof %d)", c.ChiSquare.Statistic, c.ChiSquare.DOF)
}
