package app

import (
	"testing"

	"sluice/feature"
	"sluice/materialize"
)

func TestUnlessPlanted(t *testing.T) {
	for name, tc := range map[string]struct {
		project, view, kind string
		told                bool
	}{
		"a planted fault":                     {"sluice", "probe", "fail", false},
		"a probe that is frozen":              {"sluice", "probe", "frozen", true},
		"another view":                        {"sluice", "payments", "fail", true},
		"a view of that name of somebody":     {"shop", "probe", "fail", true},
		"a view of that name that is no more": {"", "probe", "fail", true},
	} {
		t.Run(name, func(t *testing.T) {
			defs := &feature.Definitions{}
			if tc.project != "" {
				defs.Views = []feature.View{{Project: tc.project, Name: "probe"}}
			}
			told := false
			unlessPlanted(func() *feature.Definitions { return defs }, func(materialize.Event) { told = true })(materialize.Event{Alert: feature.Alert{View: tc.view, Kind: tc.kind}})
			if told != tc.told {
				t.Errorf("told %t, want %t", told, tc.told)
			}
		})
	}
}
