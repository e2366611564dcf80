package flights

import (
	"cmp"
	"slices"
	"time"
)

// Judgement is what a verdict said of one view's window, and what became of it.
type Judgement struct {
	View     string
	Window   time.Time // its start
	State    string    // pass, warn, fail, inconclusive, error
	Decision string    // publish, hold, reject, rollback, notify, none
	Verdict  string    // its id
	Reasons  []Reason
}

// Reason is one reason of a verdict, worst first.
type Reason struct {
	Feature string
	Method  string
	Text    string
}

// stopped reports whether readers did not keep the window.
func (j *Judgement) stopped() bool {
	return j.Decision == "reject" || j.Decision == "hold" || j.Decision == "rollback"
}

func (j *Judgement) alarmed() bool { return j.State == "warn" || j.State == "fail" }

// catches reports whether j caught p: the window failed, and was taken back if it
// was visible, for the planted feature; a joint fault is caught by a warning or a
// failure that names the forest.
func (j *Judgement) catches(p *Plant) bool {
	if p.Joint {
		return j.alarmed() && slices.ContainsFunc(j.Reasons, func(r Reason) bool { return r.Method == "iforest" })
	}
	if p.Topic == TopicLive && j.Decision != "rollback" {
		return false
	}
	return j.State == "fail" && slices.ContainsFunc(j.Reasons, func(r Reason) bool { return r.Feature == p.Feature })
}

const windowSize = 24 * time.Hour

// Tally gathers a run's judgements and reads. It belongs to one goroutine.
type Tally struct {
	judged   map[windowKey]Judgement
	exposed  map[string]exposure // by plant
	later    int                 // versions that probation rolled back
	versions map[versionKey]bool
	reads    int
	bad      int
	failed   int
}

type windowKey struct {
	view   string
	window int64
}

type versionKey struct {
	view    string
	version uint64
}

type exposure struct {
	reads       int
	first, last time.Time
}

// NewTally returns an empty tally.
func NewTally() *Tally {
	return &Tally{judged: map[windowKey]Judgement{}, exposed: map[string]exposure{}, versions: map[versionKey]bool{}}
}

// Judged adds a judgement of a window; a later one of the same window (a held one
// that was judged again) takes the place of the former.
func (t *Tally) Judged(j Judgement) { t.judged[windowKey{j.View, j.Window.Unix()}] = j }

// RolledBack adds n versions that were rolled back after their own verdict.
func (t *Tally) RolledBack(n int) { t.later += n }

// Read adds one read: the version that answered (0: none), and whether it failed.
func (t *Tally) Read(view string, version uint64, failed bool) {
	t.reads++
	if failed {
		t.failed++
	} else if version > 0 {
		t.versions[versionKey{view, version}] = true
	}
}

// Spoilt adds that a read of the view, at that moment, got a planted value of the
// plant. Through a gated view that is a bad read.
func (t *Tally) Spoilt(p Plant, at time.Time) {
	if p.Topic != TopicLive {
		t.bad++
	}
	e := t.exposed[p.Name]
	if e.reads++; e.reads == 1 {
		e.first = at
	}
	e.last = at
	t.exposed[p.Name] = e
}

// Result returns what was gathered, of a run that took as long as took.
func (t *Tally) Result(took time.Duration) *Result {
	r := &Result{
		Planted: []PlantSeen{}, RolledBack: t.later, VersionsSeen: len(t.versions),
		Reads: t.reads, BadReads: t.bad, FailedReads: t.failed, Seconds: took.Seconds(),
		AlertsPerWeek: alertsPerWeek,
	}
	all := make([]Judgement, 0, len(t.judged))
	for _, j := range t.judged {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b Judgement) int {
		return cmp.Or(a.Window.Compare(b.Window), cmp.Compare(a.View, b.View))
	})
	storms, alarmed, quiet := map[string]bool{}, map[string]time.Time{}, map[int64]bool{}
	for i := range all {
		j := &all[i]
		r.count(j, storms)
		if _, planted := Planted(j.View, j.Window); !planted && LabelOf(j.Window) == Quiet {
			quiet[j.Window.Unix()] = true
			if j.alarmed() && j.Window.Sub(alarmed[j.View]) > windowSize {
				r.QuietIncidents++
			}
		}
		if j.alarmed() {
			alarmed[j.View] = j.Window
		}
	}
	r.QuietWeeks = float64(len(quiet)) / 7
	r.Storms = len(storms)
	for _, p := range Plants() {
		if j, ok := t.judged[windowKey{p.View, p.Day.Unix()}]; ok {
			r.Planted = append(r.Planted, t.seen(&p, &j))
		}
	}
	return r
}

// count adds one window; storms holds the storm days that were judged.
func (r *Result) count(j *Judgement, storms map[string]bool) {
	r.WindowsJudged++
	switch j.Decision {
	case "reject":
		r.Rejected++
	case "hold":
		r.Held++
	case "rollback":
		r.RolledBack++
		r.Published++
	default:
		r.Published++
	}
	if j.stopped() {
		r.Stopped = append(r.Stopped, *j)
	}
	_, planted := Planted(j.View, j.Window)
	switch label := LabelOf(j.Window); {
	case planted:
	case label == Quiet:
		r.QuietWindows++
		if j.Decision == "reject" || j.Decision == "rollback" {
			r.FalseBlocks++
		}
		if j.alarmed() {
			r.QuietAlarms++
		}
	case label == Storm:
		day := j.Window.Format(time.DateOnly)
		storms[day] = true
		if j.alarmed() && !slices.Contains(r.StormsSeen, day) {
			r.StormsSeen = append(r.StormsSeen, day)
		}
	}
}

// seen says what became of p, whose window j judged.
func (t *Tally) seen(p *Plant, j *Judgement) PlantSeen {
	e := t.exposed[p.Name]
	return PlantSeen{
		Name: p.Name, View: p.View, Window: p.Day.Format(time.RFC3339), Feature: p.Feature,
		Caught: j.catches(p), Decision: j.Decision, Verdict: j.Verdict,
		ExposedReads: e.reads, ExposedMS: e.last.Sub(e.first).Milliseconds(),
	}
}
