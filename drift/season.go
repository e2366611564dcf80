package drift

import (
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"sluice/feature"
)

const (
	// MinWindows is the fewest windows of history, and of a phase, that calibrate.
	MinWindows = 8
	// seasonLevel is the p-value below which a season is taken to explain history.
	seasonLevel = 1e-3
)

// phaseOf returns which phase of a season the window that starts at start
// belongs to: hour_of_day and day_of_week in UTC, or "windows:P" for a period of
// P windows. It is -1 for a season of another name.
func phaseOf(season string, view *feature.View, start time.Time) int {
	start = start.UTC()
	switch season {
	case "hour_of_day":
		return start.Hour()
	case "day_of_week":
		return int(start.Weekday())
	}
	text, ok := strings.CutPrefix(season, "windows:")
	period, err := strconv.Atoi(text)
	if !ok || err != nil || period < 1 || view.Window.Size <= 0 {
		return -1
	}
	index := start.UnixNano() / int64(view.Window.Size)
	return int((index%int64(period) + int64(period)) % int64(period))
}

// phases holds, per season of the view, the phase of every window of history.
type phases struct {
	seasons []string
	of      [][]int // of[season][window]
}

func newPhases(view *feature.View, history []WindowProfile) phases {
	p := phases{seasons: view.Baseline.Season}
	for _, season := range p.seasons {
		of := make([]int, len(history))
		for i := range history {
			of[i] = phaseOf(season, view, history[i].Window.Start)
		}
		p.of = append(p.of, of)
	}
	return p
}

// explain returns the season that explains x best by a one-way F test and its
// phases of at least MinWindows windows; empty if none has p < seasonLevel over
// two phases or more. Entries of x that are not a number are left out.
func (p phases) explain(x []float64) (season string, kept []Phase) {
	best := seasonLevel
	for i, of := range p.of {
		groups := group(x, of)
		if pv := fTest(x, of, groups); pv < best {
			best, season, kept = pv, p.seasons[i], groups
		}
	}
	return season, kept
}

// group returns the phases of at least MinWindows measured windows, rising.
func group(x []float64, of []int) []Phase {
	var byPhase []Phase
	for i, v := range x {
		if math.IsNaN(v) || of[i] < 0 {
			continue
		}
		for len(byPhase) <= of[i] {
			byPhase = append(byPhase, Phase{Phase: len(byPhase)})
		}
		byPhase[of[i]].N++
		byPhase[of[i]].Mean += v
	}
	kept := byPhase[:0]
	for _, g := range byPhase {
		if g.N >= MinWindows {
			g.Mean /= float64(g.N)
			kept = append(kept, g)
		}
	}
	return kept
}

// fTest returns the p-value of the one-way analysis of variance over groups; 1
// if there are fewer than two, or nothing varies.
func fTest(x []float64, of []int, groups []Phase) float64 {
	n, sum := 0, 0.0
	for _, g := range groups {
		n += g.N
		sum += g.Mean * float64(g.N)
	}
	if len(groups) < 2 {
		return 1
	}
	mean, between, within := sum/float64(n), 0.0, 0.0
	for _, g := range groups {
		between += float64(g.N) * (g.Mean - mean) * (g.Mean - mean)
	}
	for i, v := range x {
		if g := findPhase(groups, of[i]); g != nil && !math.IsNaN(v) {
			within += (v - g.Mean) * (v - g.Mean)
		}
	}
	d1, d2 := float64(len(groups)-1), float64(n-len(groups))
	if between <= 1e-18*float64(n)*mean*mean {
		return 1
	}
	if within == 0 {
		return 0
	}
	return distuv.F{D1: d1, D2: d2}.Survival(between / d1 / (within / d2))
}

func findPhase(groups []Phase, phase int) *Phase {
	for i := range groups {
		if groups[i].Phase == phase {
			return &groups[i]
		}
	}
	return nil
}
