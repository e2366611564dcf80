package materialize

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// TestRollbackSaysWhoSawIt: verdict and alert of a rollback name the reads that saw
// the versions which went, and no others.
func TestRollbackSaysWhoSawIt(t *testing.T) {
	view := paymentsView()
	view.Publish.Mode = feature.Optimistic
	w := newWorld(t, view)
	w.run(0, 300, 10)
	w.states(rules.Fail)
	version := w.put(1, 300, 50)
	err := w.registry.AddExposure(t.Context(), feature.ExposureReport{Process: "p", Number: 1, Reads: []feature.Exposure{
		{View: w.view.ID, Version: 1, Reads: 1000, First: day0, Last: day0.Add(time.Hour)},
		{View: w.view.ID, Version: version, Reads: 40, First: day0.Add(time.Hour), Last: day0.Add(time.Hour + 10*time.Second)},
		{View: w.view.ID, Version: version, Reads: 2, First: day0.Add(time.Hour + 11*time.Second), Last: day0.Add(time.Hour + 72*time.Second)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.close(1, 0, 1)
	w.decide()
	if last := w.events()[len(w.events())-1].Alert; last.Kind != "rollback" || !strings.HasSuffix(last.Text, "; seen by 42 reads in 1m12s") {
		t.Errorf("told %q: %q, want how many reads saw it", last.Kind, last.Text)
	}
	verdicts := w.verdicts()
	var v rules.Verdict
	if err := json.Unmarshal(verdicts[len(verdicts)-1].Body, &v); err != nil || len(v.Exposure) != 1 || v.Exposure[0].Reads != 42 || v.Exposure[0].Version != version {
		t.Errorf("verdict has exposure %+v, %v", v.Exposure, err)
	}
}

func TestSeenBy(t *testing.T) {
	for name, tc := range map[string]struct {
		exposure []feature.VersionReads
		want     string
	}{
		"nothing":        {nil, "seen by no read"},
		"no clock":       {[]feature.VersionReads{{Version: 1, Reads: 3}}, "seen by 3 reads"},
		"one":            {[]feature.VersionReads{{Version: 1, Reads: 3, First: day0, Last: day0.Add(90 * time.Second)}}, "seen by 3 reads in 1m30s"},
		"over versions":  {[]feature.VersionReads{{Version: 1, Reads: 3, First: day0, Last: day0.Add(time.Minute)}, {Version: 2, Reads: 4, First: day0.Add(time.Hour), Last: day0.Add(2 * time.Hour)}}, "seen by 7 reads in 2h0m0s"},
		"clock set late": {[]feature.VersionReads{{Version: 1, Reads: 3}, {Version: 2, Reads: 4, First: day0, Last: day0}}, "seen by 7 reads in 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := seenBy(tc.exposure); got != tc.want {
				t.Errorf("seenBy(%+v) = %q, want %q", tc.exposure, got, tc.want)
			}
		})
	}
}
