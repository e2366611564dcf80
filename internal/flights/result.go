package flights

import "fmt"

// What a run of the demo must keep to be a success.
const (
	maxFalseBlocks = 0.02 // share of the quiet days' view-windows
	minPublished   = 0.93 // share of all view-windows
	// alertsPerWeek is the budget that the demo's definitions state.
	alertsPerWeek = 2
)

// Result is the document that `sluice demo --format json` prints. The fields
// without a JSON name are for the text alone.
type Result struct {
	WindowsJudged int         `json:"windows_judged"` // view-windows
	Published     int         `json:"published"`      // those rolled back among them
	Rejected      int         `json:"rejected"`
	Held          int         `json:"held"`
	RolledBack    int         `json:"rolled_back"`
	Planted       []PlantSeen `json:"planted"`
	FalseBlocks   int         `json:"false_blocks"`  // stopped view-windows of quiet days, plants apart
	QuietAlarms   int         `json:"quiet_alarms"`  // warned or failed ones
	VersionsSeen  int         `json:"versions_seen"` // distinct versions that readers got
	Reads         int         `json:"reads"`
	BadReads      int         `json:"bad_reads"` // that got a planted value through a gated view
	FailedReads   int         `json:"failed_reads"`
	Seconds       float64     `json:"seconds"`
	// QuietIncidents are QuietAlarms of which those of one view on days in a row are
	// one, in QuietWeeks; AlertsPerWeek is the budget that they must keep.
	QuietIncidents int     `json:"quiet_incidents"`
	QuietWeeks     float64 `json:"quiet_weeks"`
	AlertsPerWeek  float64 `json:"alerts_per_week"`

	QuietWindows int         `json:"-"` // view-windows of quiet days, plants apart
	Storms       int         `json:"-"` // days labelled storm that were judged
	StormsSeen   []string    `json:"-"` // those on which a view warned or failed, as dates
	Stopped      []Judgement `json:"-"` // rejected, held or rolled back, in order
}

// PlantSeen is what became of one plant.
type PlantSeen struct {
	Name         string `json:"name"`
	View         string `json:"view"`
	Window       string `json:"window"` // its start, RFC 3339
	Feature      string `json:"feature"`
	Caught       bool   `json:"caught"`
	Decision     string `json:"decision"`
	Verdict      string `json:"verdict"`
	ExposedReads int    `json:"exposed_reads"` // reads that saw a planted value
	ExposedMS    int64  `json:"exposed_ms"`    // from the first such read to the last
}

// Failures returns what the run did not keep, a sentence each; none is success.
func (r *Result) Failures() []string {
	var all []string
	fail := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if len(r.Planted) != len(Plants()) {
		fail("%d of %d planted faults were met", len(r.Planted), len(Plants()))
	}
	for _, p := range r.Planted {
		if !p.Caught {
			fail("the planted fault %s was not caught in %s of %s", p.Name, p.Feature, p.View)
		}
	}
	if most := maxFalseBlocks * float64(r.QuietWindows); float64(r.FalseBlocks) > most {
		fail("%d of %d view-windows of quiet days were blocked, more than %.0f %%", r.FalseBlocks, r.QuietWindows, maxFalseBlocks*100)
	}
	if most := r.AlertsPerWeek * r.QuietWeeks; float64(r.QuietIncidents) > most {
		fail("%d false alarms in %.1f quiet weeks, more than the budget of %g a week", r.QuietIncidents, r.QuietWeeks, r.AlertsPerWeek)
	}
	if least := minPublished * float64(r.WindowsJudged); float64(r.Published) < least || r.WindowsJudged == 0 {
		fail("%d of %d view-windows were published, less than %.0f %%", r.Published, r.WindowsJudged, minPublished*100)
	}
	if sum := r.Published + r.Rejected + r.Held; sum != r.WindowsJudged {
		fail("published, rejected and held are %d, judged are %d", sum, r.WindowsJudged)
	}
	if r.BadReads > 0 {
		fail("planted values read through gated views: %d", r.BadReads)
	}
	if r.FailedReads > 0 {
		fail("failed reads: %d", r.FailedReads)
	}
	if r.Reads == 0 {
		fail("nothing was read")
	}
	return all
}
