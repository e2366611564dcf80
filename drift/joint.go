package drift

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"errors"
	"sluice/drift/forest"
	"sluice/feature"
	"sluice/quality/sketch"
)

const (
	jointColumns = 64    // features that a row's vector holds at most
	jointWindows = 32    // latest windows of history that a forest is fitted on
	jointScore   = 0.995 // quantile of the baseline's scores beyond which a row is an outlier
	jointNames   = 3     // contributors that a text names
	jointExplain = 64    // outlying rows whose contributions are averaged
)

// Joint finds what no single feature shows: rows whose values do not go together.
// Isolation Forests are fitted on the row samples of every other window of history,
// and calibrated on the windows that they have not seen, so that history is not
// scored by its own rows: one on the features' values and, if there are pairs of
// correlated features, one on the differences within pairs, which many other
// features would drown. A row beyond the 99.5 % score of either is an outlier. The
// share of outlying rows is then one more summary, judged like the others.
//
// It looks at sampled rows, 512 a window, and at the first 64 features with bins.
// See jointEncoder for how a row becomes a vector.
type Joint struct {
	encoder jointEncoder
	sides   [2]jointSide // fitted on the windows at even and at odd places
	rows    uint64       // rows fitted on
	spread  Spread       // of the share of outliers over the windows of history
}

// jointSide is what was fitted on one half of history: a forest on the columns of
// features and, with pairs, one on the derived columns.
type jointSide struct {
	forests   []*forest.Forest
	threshold []float64 // per forest; scores beyond are outliers
}

// FitJoint fits on the row samples of history, of which it takes the latest 32
// windows. The same arguments give the same Joint. It takes some milliseconds a window.
//
// The error is ErrSample if fewer than MinWindows windows hold rows or fewer than
// two features have bins, and ErrBins if a window was profiled over another layout.
func FitJoint(view *feature.View, layout *sketch.Layout, history []WindowProfile, seed uint64) (*Joint, error) {
	if err := sameLayout(layout, history); err != nil {
		return nil, fmt.Errorf("fit joint of %s: %w", view.Name, err)
	}
	history = slices.DeleteFunc(slices.Clone(history), func(w WindowProfile) bool { return len(w.Profile.Sample) == 0 })
	history = history[max(0, len(history)-jointWindows):]
	if len(history) < MinWindows {
		return nil, fmt.Errorf("fit joint of %s on %d windows: %w", view.Name, len(history), ErrSample)
	}
	j := &Joint{encoder: newJointEncoder(view, layout, history)}
	if len(j.encoder.columns) < 2 {
		return nil, fmt.Errorf("fit joint of %s: fewer than two features with bins: %w", view.Name, ErrSample)
	}
	return j, j.fit(view, layout, history, seed)
}

// fit grows the forests of both sides and calibrates each on the other's windows.
func (j *Joint) fit(view *feature.View, layout *sketch.Layout, history []WindowProfile, seed uint64) error {
	vectors := make([][][]float64, len(history))
	binder := j.encoder.bind(view, layout)
	for w := range history {
		vectors[w] = binder.rows(history[w].Profile)
	}
	j.encoder.pair(vectors)
	for w := range vectors {
		for i := range vectors[w] {
			vectors[w][i] = j.encoder.derive(vectors[w][i])
		}
		j.rows += uint64(len(vectors[w]))
	}
	shares := make([]float64, len(history))
	for side := range j.sides {
		var own [][]float64
		var unseen [][][]float64
		for w := range vectors {
			if w%2 == side {
				own = append(own, vectors[w]...)
			} else {
				unseen = append(unseen, vectors[w])
			}
		}
		found, err := j.fitSide(side, own, unseen, seed+uint64(2*side))
		if err != nil {
			return fmt.Errorf("fit joint of %s: %w", view.Name, err)
		}
		for i, share := range found {
			shares[2*i+1-side] = share
		}
	}
	return j.calibrate(view, history, shares)
}

// fitSide grows one side's forests on its own rows, sets their thresholds by the
// unseen windows, and returns the share of outliers of each of those.
func (j *Joint) fitSide(side int, own [][]float64, unseen [][][]float64, seed uint64) ([]float64, error) {
	outlier := make([][]bool, len(unseen))
	for w := range unseen {
		outlier[w] = make([]bool, len(unseen[w]))
	}
	parts := j.encoder.parts()
	for k, part := range parts {
		grown, err := forest.Fit(cutRows(own, part), seed+uint64(k))
		if errors.Is(err, forest.ErrRows) {
			return nil, fmt.Errorf("%w: %w", ErrSample, err)
		}
		if err != nil {
			return nil, err
		}
		scores := make([][]float64, len(unseen))
		var all []float64
		for w := range unseen {
			for _, row := range unseen[w] {
				scores[w] = append(scores[w], grown.Score(row[part[0]:part[1]]))
			}
			all = append(all, scores[w]...)
		}
		slices.Sort(all)
		quantile := 1 - (1-jointScore)/float64(len(parts)) // so that both together call the same share
		threshold := all[int(quantile*float64(len(all)-1))]
		for w := range scores {
			for i, s := range scores[w] {
				outlier[w][i] = outlier[w][i] || s > threshold
			}
		}
		j.sides[side].forests = append(j.sides[side].forests, grown)
		j.sides[side].threshold = append(j.sides[side].threshold, threshold)
	}
	shares := make([]float64, len(unseen))
	for w := range outlier {
		for _, is := range outlier[w] {
			if is {
				shares[w] += 1 / float64(len(outlier[w]))
			}
		}
	}
	return shares, nil
}

func cutRows(rows [][]float64, part [2]int) [][]float64 {
	out := make([][]float64, len(rows))
	for i, row := range rows {
		out[i] = row[part[0]:part[1]]
	}
	return out
}

// calibrate reduces the windows' shares of outliers to their spread.
func (j *Joint) calibrate(view *feature.View, history []WindowProfile, shares []float64) error {
	x, inverse := make([]float64, len(history)), 0.0
	for w := range shares {
		x[w] = angle(shares[w])
		inverse += 1 / float64(len(history[w].Profile.SampledRows())) / float64(len(history))
	}
	var f frame
	spread, ok := newSpread(Outliers, x, newPhases(view, history), MinWindows, inverse, f.noise(Outliers, inverse))
	if !ok {
		return fmt.Errorf("calibrate joint of %s: %w", view.Name, ErrSample)
	}
	j.spread = spread
	return nil
}

// Score judges the current windows' sampled rows: one score of method iforest, or
// none if there are no rows. Statistic is the share of outlying rows, Threshold
// the share at which it alarms, PValue that of the prediction interval; Feature is
// the one that contributes most to the outliers, and Text names up to three with
// their contributions. Effect asks for five points more than history expects and
// 1.5 times its largest excursion. level is as for Reference.Score.
//
// The error is ErrBins if the layout is not the one that the Joint was fitted over.
func (j *Joint) Score(view *feature.View, layout *sketch.Layout, current []WindowProfile, level float64) ([]feature.Score, error) {
	if layout.Digest() != j.encoder.layout {
		return nil, fmt.Errorf("score %s over layout %q, fitted over %q: %w", view.Name, layout.Digest(), j.encoder.layout, ErrBins)
	}
	binder := j.encoder.bind(view, layout)
	c := credits{sum: make([]float64, len(j.encoder.columns))}
	now, inverse, m, n := 0.0, 0.0, 0, 0
	for _, w := range current {
		rows := binder.rows(w.Profile)
		if len(rows) == 0 {
			continue
		}
		share := 0.0
		for i := range rows {
			rows[i] = j.encoder.derive(rows[i])
			share += j.votes(rows[i], &c) / float64(len(rows))
		}
		now += angle(share)
		inverse += 1 / float64(len(rows))
		m, n = m+1, n+len(rows)
	}
	if m == 0 {
		return nil, nil
	}
	phases := func(season string) []int {
		of := make([]int, len(current))
		for i, w := range current {
			of[i] = phaseOf(season, view, w.Window.Start)
		}
		return of
	}
	return []feature.Score{j.score(now/float64(m), inverse/float64(m), m, n, phases, &c, level)}, nil
}

// credits adds up what sets outlying rows apart, per feature.
type credits struct {
	rows int
	sum  []float64
}

// votes returns the share of the sides that call row an outlier, and credits the
// features that make it one.
func (j *Joint) votes(row []float64, c *credits) float64 {
	votes, parts := 0.0, j.encoder.parts()
	for s := range j.sides {
		side, called := &j.sides[s], false
		for k, forest := range side.forests {
			part := row[parts[k][0]:parts[k][1]]
			if forest.Score(part) <= side.threshold[k] {
				continue
			}
			called = true
			if c.rows < jointExplain {
				for i, share := range forest.Contributions(part) {
					j.encoder.credit(c.sum, parts[k][0]+i, share)
				}
				c.rows++
			}
		}
		if called {
			votes += 1 / float64(len(j.sides))
		}
	}
	return votes
}

func (j *Joint) score(now, inverse float64, m, n int, phases func(string) []int, c *credits, level float64) feature.Score {
	at := j.spread.predict(phases, m)
	expected, t := at.expected, j.spread.interval(now, at, m, inverse)
	p := j.spread.pvalue(t)
	var shift moved
	shift.now[Outliers], shift.expected[Outliers] = now, expected
	se := 0.0
	if t != 0 {
		se = (now - expected) / t
	}
	critical := expected + se*j.spread.quantile(level)
	s := feature.Score{
		Method: MethodForest, Summary: Outliers.String(), Statistic: Outliers.natural(now), Threshold: Outliers.natural(critical),
		PValue: p, N: uint64(n), M: j.rows, Severity: severity(p, level),
	}
	s.Effect = p <= level && shift.large(Outliers) && now-expected >= effectHistory*j.spread.excursion(m)
	names, shares := j.contributors(c)
	if len(names) > 0 {
		s.Feature = names[0]
	}
	if p <= level {
		var parts []string
		for i, name := range names {
			parts = append(parts, fmt.Sprintf("%s %s", name, percent(shares[i])))
		}
		s.Text = fmt.Sprintf("rows that are unusual as a whole went from %s to %s; what sets them apart: %s",
			percent(Outliers.natural(expected)), percent(s.Statistic), strings.Join(parts, ", "))
	}
	return s
}

// contributors returns up to jointNames features that set the outliers apart, the
// most important first, with their shares.
func (j *Joint) contributors(c *credits) (names []string, shares []float64) {
	sum := c.sum
	order := make([]int, 0, len(sum))
	for i, share := range sum {
		if share > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if d := sum[b] - sum[a]; d != 0 {
			return int(math.Copysign(1, d))
		}
		return 0
	})
	for _, i := range order[:min(len(order), jointNames)] {
		names, shares = append(names, j.encoder.columns[i].name), append(shares, sum[i]/float64(c.rows))
	}
	return names, shares
}
