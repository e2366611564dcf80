package drift

import (
	"fmt"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// MethodPinned is the method of scores against a pinned reference.
const MethodPinned = "pinned"

// PinnedWindows is how many windows, together, are compared with a pinned reference.
const PinnedWindows = 16

// pinnedPart is the part of a run's level that is left to the comparison with a pinned
// reference: the mean of 16 windows is compared with every window anew.
const pinnedPart = 4

// Pinned compares the mean of the last PinnedWindows windows of recent, which rise and
// share layout, with r, a reference that does not follow the windows that passed
// since: so a drift too slow to be seen against history that goes along with it shows
// against r. It judges as Score does, with the spread that as many windows in a row
// had in r's history, at a quarter of level.
//
// It returns a score of method pinned for each feature that alarms, and one without a
// feature if the view's volume does. since says from which window start on a feature's
// windows count: the end of the window of its last alarm, so that a drift that lasts is
// told of every PinnedWindows windows. Fewer windows, or too few rows in all of them,
// show nothing. The errors are those of Score.
func (r *Reference) Pinned(view *feature.View, layout *sketch.Layout, recent []WindowProfile, baseline *sketch.Profile, level float64, since map[string]time.Time) ([]feature.Score, error) {
	if len(recent) < PinnedWindows {
		return nil, nil
	}
	recent = recent[len(recent)-PinnedWindows:]
	scores, err := r.Score(view, layout, recent, baseline, level/pinnedPart)
	if err != nil {
		return nil, fmt.Errorf("compare with what is pinned: %w", err)
	}
	var alarms []feature.Score
	for _, s := range scores {
		if s.Short != "" || s.PValue > level/pinnedPart || recent[0].Window.Start.Before(since[s.Feature]) {
			continue
		}
		s.Method = MethodPinned
		alarms = append(alarms, s)
	}
	return alarms, nil
}
