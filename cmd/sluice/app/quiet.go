package app

import (
	"sluice/feature"
	"sluice/internal/probe"
	"sluice/materialize"
)

// unlessPlanted tells nobody of what the gate finds in the view of a probe: its faults
// are planted, and what matters of it are the probe's own metrics. They stay in the list
// of alerts and in the audit log.
func unlessPlanted(definitions func() *feature.Definitions, notify materialize.NotifyFunc) materialize.NotifyFunc {
	return func(e materialize.Event) {
		if e.Alert.View == probe.View && e.Alert.Kind != "frozen" {
			if v := definitions().View(probe.View); v != nil && v.Project == probe.Project {
				return
			}
		}
		notify(e)
	}
}
