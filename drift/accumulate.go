package drift

import (
	"fmt"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// segments are the lengths, in windows, over which small shifts add up.
var segments = [...]int{2, 4, 8, 16}

// Accumulated is how many windows Accumulate looks at.
const Accumulated = 16

// Slow is a shift that several windows show together.
type Slow struct {
	feature.Score
	Onset   time.Time // start of the first window that shows it
	Windows int       // from there to the newest
}

// Accumulate looks for shifts that are too small to be seen in one window: it judges
// the means of the last 2, 4, 8 and 16 windows of recent, which rise and come after
// r's history, each as Score does and at an equal part of level, so that of stable
// feature-windows at most a share of level alarms. The mean of m windows is compared
// with that of n windows of history in the prediction interval of both, so that an
// error of history's mean is allowed for, which a cumulative sum would take for a
// shift that goes on for ever.
//
// It returns an item per feature, and one for the view's volume, that alarms: over the
// segment with the least p-value, whose start is the estimate of the onset. since says
// from which window start on a feature's windows count: the end of the last window of
// its last alarm, after which it starts anew. Features that are not named have none.
func (r *Reference) Accumulate(view *feature.View, layout *sketch.Layout, recent []WindowProfile, baseline *sketch.Profile, level float64, since map[string]time.Time) ([]Slow, error) {
	var slow []Slow
	at := map[string]int{}
	for _, m := range segments {
		if m > len(recent) {
			break
		}
		segment := recent[len(recent)-m:]
		onset, part := segment[0].Window.Start, level/float64(len(segments))
		scores, err := r.Score(view, layout, segment, baseline, part)
		if err != nil {
			return nil, fmt.Errorf("accumulate %d windows: %w", m, err)
		}
		for _, s := range scores {
			if s.Short != "" || s.PValue > part || onset.Before(since[s.Feature]) {
				continue
			}
			i, known := at[s.Feature]
			if !known {
				i, at[s.Feature] = len(slow), len(slow)
				slow = append(slow, Slow{})
			}
			if !known || s.PValue < slow[i].PValue {
				slow[i] = Slow{Score: s, Onset: onset, Windows: m}
			}
		}
	}
	return slow, nil
}
