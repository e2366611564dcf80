package materialize

import (
	"testing"

	"sluice/feature"
	"sluice/rules"
)

// TestVersionsTellTheirStory brings versions into every state there is: each says what
// it holds, by which verdict, who decided, when and why.
func TestVersionsTellTheirStory(t *testing.T) {
	type told struct {
		step  feature.Step
		state feature.State
		by    string
	}
	for name, tc := range map[string]struct {
		live func(w *world) feature.Version
		want told
	}{
		"published": {func(w *world) feature.Version { return w.run(0, 300, 10).Version }, told{feature.StepDecided, feature.StateVisible, "gate"}},
		"certified": {func(w *world) feature.Version {
			for n := range 4 {
				w.run(n, 300, 10)
			}
			return 1
		}, told{feature.StepCertified, feature.StateVisible, "gate"}},
		"certified and swept": {func(w *world) feature.Version {
			for n := range 4 {
				w.run(n, 300, 10)
			}
			w.sweep()
			return 1
		}, told{feature.StepSwept, feature.StateVisible, "gate"}},
		"rejected": {func(w *world) feature.Version {
			w.states(rules.Fail)
			return w.run(0, 300, 10).Version
		}, told{feature.StepDecided, feature.StateRejected, "gate"}},
		"rejected and swept": {func(w *world) feature.Version {
			w.states(rules.Fail)
			version := w.run(0, 300, 10).Version
			w.sweep()
			return version
		}, told{feature.StepSwept, feature.StateRejected, "gate"}},
		"held": {func(w *world) feature.Version {
			w.states(rules.Inconclusive)
			return w.run(0, 300, 10).Version
		}, told{feature.StepDecided, feature.StateHeld, "gate"}},
		"held by a freeze": {func(w *world) feature.Version {
			w.act("freeze", 0)
			return w.run(0, 300, 10).Version
		}, told{feature.StepDecided, feature.StateHeld, "gate"}},
		"published by a thaw": {func(w *world) feature.Version {
			w.act("freeze", 0)
			version := w.run(0, 300, 10).Version
			w.act("thaw", 0)
			return version
		}, told{feature.StepDecided, feature.StateVisible, "gate"}},
		"expired": {func(w *world) feature.Version {
			w.states(rules.Error)
			version := w.run(0, 300, 10).Version
			for n := 1; n < 4; n++ {
				w.run(n, 300, 10)
			}
			return version
		}, told{feature.StepDecided, feature.StateExpired, "gate"}},
		"rejected by a person": {func(w *world) feature.Version {
			w.states(rules.Error)
			version := w.run(0, 300, 10).Version
			w.act("reject", version)
			return version
		}, told{feature.StepDecided, feature.StateRejected, "alice"}},
		"rolled back by a person": {func(w *world) feature.Version {
			version := w.run(0, 300, 10).Version
			w.act("rollback", version)
			return version
		}, told{feature.StepDecided, feature.StateRolledBack, "alice"}},
		"approved while held": {func(w *world) feature.Version {
			w.states(rules.Error)
			version := w.run(0, 300, 10).Version
			w.act("approve", version)
			return version
		}, told{feature.StepDecided, feature.StateVisible, "alice"}},
		"approved after its end": {func(w *world) feature.Version {
			w.states(rules.Fail)
			version := w.run(0, 300, 10).Version
			w.act("approve", version)
			return version + 1
		}, told{feature.StepDecided, feature.StateVisible, "alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, paymentsView())
			info := w.version(tc.live(w))
			if got := (told{info.Step, info.State, info.DecidedBy}); got != tc.want {
				t.Errorf("it is %+v, want %+v", got, tc.want)
			}
			if info.Rows != 300 || info.Bytes == 0 || info.Digest == "" || info.Verdict == "" || info.Reason == "" || info.DecidedAt.IsZero() || len(info.Spans) == 0 {
				t.Errorf("something is left out of %+v", info)
			}
		})
	}
}
