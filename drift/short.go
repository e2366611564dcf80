package drift

import (
	"fmt"

	"sluice/feature"
	"sluice/quality/sketch"
)

// fewRows is the number of rows below which a window can be too short to judge.
const fewRows = 30

// TooFew says why windows hold too few rows to be judged: all together fewer
// than 30, and less than half of what the median window of history holds, if
// that is 30 or more. It is empty if they can be judged.
func TooFew(windows []WindowProfile, medianRows float64) string {
	rows := rowsOf(windows)
	if !isShort(rows, medianRows) {
		return ""
	}
	return fmt.Sprintf("too few rows to judge: %d, where history has %.0f in a window", rows, medianRows)
}

func isShort(rows uint64, medianRows float64) bool {
	return rows < fewRows && medianRows >= fewRows && float64(rows) < medianRows/2
}

func rowsOf(windows []WindowProfile) uint64 {
	rows := uint64(0)
	for _, w := range windows {
		rows += w.Profile.Profiled()
	}
	return rows
}

// joinShort merges each window that is too short to judge by itself into the
// next one, or into the one before if it is the last.
func joinShort(view *feature.View, layout *sketch.Layout, windows []WindowProfile, medianRows float64) ([]WindowProfile, error) {
	var out []WindowProfile
	var waiting []WindowProfile
	for _, w := range windows {
		if waiting = append(waiting, w); isShort(rowsOf(waiting), medianRows) {
			continue
		}
		joined, err := join(view, layout, waiting)
		if err != nil {
			return nil, err
		}
		out, waiting = append(out, joined), nil
	}
	if len(waiting) == 0 {
		return out, nil
	}
	if len(out) > 0 {
		waiting = append([]WindowProfile{out[len(out)-1]}, waiting...)
		out = out[:len(out)-1]
	}
	joined, err := join(view, layout, waiting)
	return append(out, joined), err
}

// join merges windows into one, which starts as the last does.
func join(view *feature.View, layout *sketch.Layout, windows []WindowProfile) (WindowProfile, error) {
	last := windows[len(windows)-1]
	if len(windows) == 1 {
		return last, nil
	}
	profile, err := merge(view, layout, windows)
	return WindowProfile{Window: last.Window, Profile: profile}, err
}
