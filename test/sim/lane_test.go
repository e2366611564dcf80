package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sluice/feature"
)

const (
	writes    = "sluice.writes"
	groupName = "users"
	oneGroup  = 4 // how many histories there are for one whose views are in a group
)

// lane is one view of a history: its writes, its tap, and what its oracle keeps. All
// else, from the registry to the keys, it shares with the other view of its group, if
// there is one.
type lane struct {
	*world
	view    *feature.View
	topic   string
	oracle  *oracle
	streams []*stream
	batch   int // rows that a tap holds back
	deletes bool
	lacking map[feature.Version]bool // whose rows a tap left out, or some of them
	expiry  time.Duration            // of rows, after their last write; 0: none
}

// groupRNG is what the part of a history is drawn from that is of groups.
func groupRNG(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6e)) }

// withGroup reports whether the views of a history of TestHistories are in a group.
func withGroup(seed uint64) bool { return groupRNG(seed).IntN(oneGroup) == 0 }

// draw makes the views: one, or two of a group, each with a ttl of its own or without.
// What is drawn for the first is the same either way, but for its ttl.
func (w *world) draw() {
	w.addLane("payments", writes, rand.New(rand.NewPCG(w.seed, 0x3a)))
	if _, ok := w.rows.(grouping); !ok && !withGroup(w.seed) {
		return
	}
	rng := groupRNG(w.seed ^ 1<<63)
	w.addLane("devices", "sluice.devices", rng)
	for _, l := range w.lanes {
		l.view.Group, l.view.TTL = groupName, time.Duration([]int{0, 0, 2, 6}[rng.IntN(4)])*windowSize
		if l.view.Source.Topic = l.topic; l.topic == writes {
			l.view.Source.Topic = ""
		}
		l.expiry = expiryOf(l.view)
	}
}

// expiryOf is how long after their last write the rows of a view are kept: until no
// rollback can bring them back any more, as the application asks for, but without a day
// more. It is never a moment that a window ends at.
func expiryOf(v *feature.View) time.Duration {
	if v.TTL == 0 {
		return 0
	}
	pending := v.Publish.ProbationWindows + v.Publish.Hold + feature.MaxVisible + 1
	return v.TTL + time.Duration(pending)*windowSize + v.Window.Lateness + windowSize/4
}

// addLane draws a view with its writes.
func (w *world) addLane(name, topic string, rng *rand.Rand) {
	l := &lane{world: w, topic: topic, oracle: newOracle(), batch: 1 + rng.IntN(4), deletes: rng.IntN(2) == 0, lacking: map[feature.Version]bool{}}
	view := drawView(name, rng)
	l.view = &view
	w.profiles.partitions[topic] = 1 + rng.IntN(3)
	for p := range w.profiles.partitions[topic] {
		l.streams = append(l.streams, newStream(l, int32(p)))
	}
	w.lanes = append(w.lanes, l)
}

// of returns the lane of a view.
func (w *world) of(view feature.ViewID) *lane { return w.lanes[view-1] }

func (w *world) grouped() bool { return len(w.lanes) > 1 }

// grouping is a row store that keeps the views of a group together, for as long as one
// of them needs it.
type grouping interface {
	store
	Group(views map[feature.ViewID]string)
	SetExpiry(view feature.ViewID, d time.Duration)
	groupReads
}

// ageing is a row store whose time has to be told.
type ageing interface{ age(d time.Duration) }

// clocked is a row store that looks at a clock.
type clocked interface{ SetClock(now func() time.Time) }

// arrange tells a row store that has groups what it is to know.
func (w *world) arrange() {
	if in, ok := w.rows.(clocked); ok {
		in.SetClock(w.now)
	}
	in, ok := w.rows.(grouping)
	if !ok {
		return
	}
	for _, l := range w.lanes {
		in.Group(map[feature.ViewID]string{l.view.ID: l.view.Group})
		in.SetExpiry(l.view.ID, l.expiry)
	}
}

// reach moves the platform's clock forward, and what goes by it.
func (w *world) reach(at time.Time) {
	before := w.now()
	w.clock.reach(at)
	if in, ok := w.rows.(ageing); ok && w.now().After(before) {
		in.age(w.now().Sub(before))
	}
}

// asked are the views that the next check reads: all at once, or now and then one alone.
func (w *world) asked() []*lane {
	if n := len(w.lanes); n > 1 && w.turn%3 == 0 {
		at := w.turn / 3 % n
		return w.lanes[at : at+1]
	}
	return w.lanes
}

// mayBeGone reports whether a record came to the store so long ago that it need not be
// there any more, though another view may keep it.
func (w *lane) mayBeGone(key feature.Key, r feature.Record) bool {
	if w.expiry == 0 || r.Version == 0 {
		return false
	}
	return w.now().Sub(w.oracle.staged[stamp{key, r.Version, r.Seq}]) > w.expiry
}

// oldRow reports whether an answer is one that may stand for a record which is gone:
// nothing, or a row that readers see and that is past its ttl.
func (w *lane) oldRow(key feature.Key, c slot, s sight) bool {
	if c.value == nil {
		return c.status == "NOT_FOUND"
	}
	return c.status == "OUTSIDE_MAX_AGE" && w.visibleRow(key, *c.value, s)
}

// status is the one that goes with a record.
func (w *lane) status(r feature.Record, exists bool) string {
	switch {
	case !exists:
		return "NOT_FOUND"
	case w.view.TTL > 0 && w.now().Sub(time.Unix(0, r.EventTime)) > w.view.TTL:
		return "OUTSIDE_MAX_AGE"
	}
	return "PRESENT"
}

// slot is a value in an answer.
type slot struct {
	value  *float64
	status string
}

// answer is what a server says of one view.
type answer struct {
	provenance
	cells []slot // by key
}

type provenance struct {
	Generation uint64
	Stale      bool
}

// get reads every key of some views, at once.
func (n *serverNode) get(w *world, of []*lane) (status int, code string, answers []answer) {
	var views []string
	for _, l := range of {
		views = append(views, l.view.Name)
	}
	status, code, answers, err := n.answers(views, keyNames)
	if err != nil {
		w.fail("%v", err)
	}
	return status, code, answers
}

// answers reads keys of one view, or of several in one request.
func (n *serverNode) answers(views, keys []string) (status int, code string, answers []answer, err error) {
	if len(views) > 1 {
		status, code, answers, err = n.askAll(views, keys)
	} else {
		var r reply
		status, r, err = n.ask(views[0], keys)
		a := answer{provenance: provenance{r.Provenance.Generation, r.Provenance.Stale}}
		for _, row := range r.Rows {
			a.cells = append(a.cells, slot{row.Values.Amount, row.Statuses.Amount})
		}
		code, answers = r.Error.Code, []answer{a}
	}
	if err == nil && status == 200 && slices.ContainsFunc(answers, func(a answer) bool { return len(a.cells) != len(keys) }) {
		err = fmt.Errorf("answers %+v, want %d rows", answers, len(keys))
	}
	return status, code, answers, err
}

// askAll reads keys of several views in one request.
func (n *serverNode) askAll(views, keys []string) (status int, code string, answers []answer, err error) {
	var names []string
	for _, view := range views {
		names = append(names, view+":amount")
	}
	var r struct {
		Rows []struct {
			Values   map[string]*float64
			Statuses map[string]string
		}
		Provenance map[string]provenance
		Error      struct{ Code string }
	}
	status, err = n.post("/api/v1/rows", readOf(keys, names...), &r)
	for i, view := range views {
		a := answer{provenance: r.Provenance[view]}
		for _, row := range r.Rows {
			a.cells = append(a.cells, slot{row.Values[names[i]], row.Statuses[names[i]]})
		}
		answers = append(answers, a)
	}
	return status, r.Error.Code, answers, err
}
