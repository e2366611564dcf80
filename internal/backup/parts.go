package backup

import (
	"slices"
	"time"

	"sluice/feature"
)

// Part is what one partition of the log has of one version.
type Part struct {
	View    *feature.View
	Version feature.Version
	Window  feature.Window
	State   feature.State
	Span    feature.Span
	Rows    uint64 // of the whole version, as the registry says; 0 while it is open
	Gone    string // why the log cannot be asked for it; empty if it can
}

// Open is what one partition had of a window that was not sealed.
type Open struct {
	View    string
	Version feature.Version
	Window  feature.Window
	Span    feature.Span
}

// Parts returns what has to be staged so that readers with vector see what they saw, and
// the gate finds the rows of what it has still to decide about: every part of the
// versions that are not dead, and of the open windows.
func Parts(view *feature.View, versions []feature.VersionInfo, open []Open) []Part {
	var parts []Part
	for _, v := range versions {
		if v.State.Dead() {
			continue
		}
		for _, p := range v.Parts() {
			for _, span := range p.Spans {
				if span.First >= 0 {
					parts = append(parts, Part{View: view, Version: v.Version, Window: p.Window, State: v.State, Span: span, Rows: v.Rows})
				}
			}
		}
	}
	for _, o := range open {
		if o.View != view.Name || o.Span.First < 0 || !takesRows(versions, o.Version) {
			continue
		}
		parts = append(parts, Part{View: view, Version: o.Version, Window: o.Window, State: feature.StateStaged, Span: o.Span})
	}
	return parts
}

// takesRows reports whether the registry knows a version and has not fixed what belongs
// to it.
func takesRows(versions []feature.VersionInfo, version feature.Version) bool {
	return slices.ContainsFunc(versions, func(v feature.VersionInfo) bool { return v.Version == version && v.Step == feature.StepOpen })
}

// Lost is a part of a version whose rows the log no longer holds.
type Lost struct {
	View      string          `json:"view"`
	Version   feature.Version `json:"version"`
	Window    feature.Window  `json:"window"`
	State     feature.State   `json:"state"`
	Partition string          `json:"partition"`
	Reason    string          `json:"reason"`
}

// Difference is a version of which the log gave another number of rows than were
// counted when it was sealed.
type Difference struct {
	View    string          `json:"view"`
	Version feature.Version `json:"version"`
	Counted uint64          `json:"counted"`
	Staged  uint64          `json:"staged"`
}

// Restaged is what Restage did.
type Restaged struct {
	Parts       int           `json:"parts"`
	Rows        uint64        `json:"rows"`
	Folded      int           `json:"folded"` // rows that newer ones hide, removed again
	Lost        []Lost        `json:"lost"`
	Differences []Difference  `json:"differences"`
	Took        time.Duration `json:"-"`
}
