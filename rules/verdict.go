package rules

import (
	"time"

	"sluice/feature"
)

// State is what a verdict says of a window.
type State string

// The states, from good to bad; the last two neither publish nor roll back.
const (
	Pass         State = "pass"
	Warn         State = "warn"
	Fail         State = "fail"
	Inconclusive State = "inconclusive"
	Error        State = "error"
)

// Verdict is the contract's verdict. The judge fills in what it found; the gate
// what it decided.
type Verdict struct {
	ID         string            `json:"id"`
	Kind       string            `json:"kind"` // window | probation | freshness | served | parity
	Project    string            `json:"project"`
	View       string            `json:"view"`
	Version    feature.Version   `json:"version"`
	Versions   []feature.Version `json:"versions"` // a joint verdict decides for all of them
	Window     feature.Window    `json:"window"`
	Onset      time.Time         `json:"onset,omitzero"`     // of a shift that began within probation: start of its first window; else zero
	Occasion   string            `json:"occasion,omitempty"` // declared in the calendar, in which alarms of drift only warn
	LeftOut    string            `json:"left_out,omitempty"` // why a window that passed does not enter history
	Held       string            `json:"held,omitempty"`     // why what passed is not published: too much of its source could not be read
	State      State             `json:"state"`
	Decision   string            `json:"decision"` // publish | hold | reject | rollback | notify | none
	RolledBack []feature.Version `json:"rolled_back"`
	// Exposure says how often those were read, as far as it was known then.
	Exposure     []feature.VersionReads `json:"exposure,omitempty"`
	Rows         uint64                 `json:"rows"`
	Backfilled   uint64                 `json:"backfilled,omitempty"` // of them, writes of declared backfills, by which nothing is judged
	DecidedAt    time.Time              `json:"decided_at"`
	Uncalibrated bool                   `json:"uncalibrated"`
	TooFew       bool                   `json:"too_few"` // inconclusive because there were too few rows
	Layout       string                 `json:"layout"`
	Baseline     string                 `json:"baseline"`
	Digests      map[string]string      `json:"digests"`
	History      int                    `json:"history"` // baseline windows
	Level        float64                `json:"level"`   // of the run
	Reasons      []Reason               `json:"reasons"` // what alarmed, or would have, worst first
	// FirstOffsetNote says why no reason has a FirstOffset; empty if one was looked for.
	FirstOffsetNote string          `json:"first_offset_note,omitempty"`
	Scores          []feature.Score `json:"scores"` // the worst of every feature, whether it alarmed or not
}

// Severity returns the worst severity that v holds of a feature, or with an empty name of
// the view as a whole; false if it holds none.
func (v *Verdict) Severity(name string) (worst float64, measured bool) {
	for i := range v.Reasons {
		if r := &v.Reasons[i]; r.Feature == name && r.Outcome != Undecided && r.Outcome != Broken {
			worst, measured = max(worst, r.Severity), true
		}
	}
	for i := range v.Scores {
		if s := &v.Scores[i]; s.Feature == name && s.Short == "" {
			worst, measured = max(worst, s.Severity), true
		}
	}
	return worst, measured
}

// Reason is one thing that alarmed under a rule.
type Reason struct {
	Rule      string  `json:"rule"`
	Feature   string  `json:"feature"`
	Method    string  `json:"method"`
	Summary   string  `json:"summary"`
	Statistic float64 `json:"statistic"`
	Threshold float64 `json:"threshold"`
	Severity  float64 `json:"severity"`
	PValue    float64 `json:"p_value"`
	N         uint64  `json:"n"`
	M         uint64  `json:"m"`
	Bound     float64 `json:"bound"`
	Slice     string  `json:"slice"`
	Producer  string  `json:"producer"`
	Text      string  `json:"text"`

	Schema string          `json:"schema,omitempty"` // like slice and producer: what alone carries most of it, if something does
	Shares []feature.Share `json:"shares,omitempty"` // what values of the dimensions contribute, what alone explains it first
	// FirstOffset is the record with which the shift begins, by topic/partition. It is read
	// from the log after the decision, and stored beside the verdict, which stays as it is.
	FirstOffset map[string]int64 `json:"first_offset,omitempty"`

	Mode         Mode    `json:"mode"`         // of the rule
	Outcome      Outcome `json:"outcome"`      // what it did to the verdict
	Effect       bool    `json:"effect"`       // the shift is large enough to block
	Uncalibrated bool    `json:"uncalibrated"` // without enough history: never fails

	Accumulated bool      `json:"accumulated,omitempty"` // only several windows together show it: never fails
	Onset       time.Time `json:"onset,omitzero"`        // start of the first of those
}

// Outcome is what one reason did to the verdict.
type Outcome string

// The outcomes. A pending reason alarmed, but not yet in k of n windows; an
// observed one belongs to a rule that only observes. Neither changes the state.
const (
	Failed    Outcome = "fail"
	Undecided Outcome = "inconclusive"
	Warned    Outcome = "warn"
	Pending   Outcome = "pending"
	Observed  Outcome = "observed"
	Broken    Outcome = "error"
)
