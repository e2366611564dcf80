package materialize

import (
	"testing"

	"sluice/feature"
	"sluice/rules"
)

// TestOnset has the judge find a shift that began after the first window on probation:
// versions from before it stay.
func TestOnset(t *testing.T) {
	const last = 12
	for name, tc := range map[string]struct {
		began int // windows before the last one
		state rules.State
		gone  int
	}{
		"one window ago":            {1, rules.Fail, 2},
		"two windows ago":           {2, rules.Fail, 3},
		"with the last":             {0, rules.Fail, 1},
		"one window ago, but small": {1, rules.Warn, 0},
		"not known":                 {-1, rules.Fail, 3},
	} {
		t.Run(name, func(t *testing.T) {
			view := paymentsView()
			view.Publish.ProbationWindows, view.Publish.ProbationFail = 3, 1
			w := newWorld(t, view)
			w.judge = func(e Evidence) (Opinion, error) {
				o := verdict(rules.Pass)
				if e.Kind == "probation" && e.Window.End.Equal(w.window(last).End) {
					o = verdict(tc.state)
					if tc.began >= 0 {
						o.Verdict.Onset = w.window(last - tc.began).Start
					}
				}
				return o, nil
			}
			var version feature.Version
			for n := range last + 1 {
				version = w.run(n, 40, 1).Version
			}
			for k := range 3 {
				want := feature.StateVisible
				if k < tc.gone {
					want = feature.StateRolledBack
				}
				if got := w.version(version - feature.Version(k)); got.State != want {
					t.Errorf("version %d is %s (%s), want %s", got.Version, got.State, got.Reason, want)
				}
			}
		})
	}
}
