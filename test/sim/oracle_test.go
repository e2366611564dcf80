package sim

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/feature"
)

// oracle keeps every row that ever came to the row store, and what was visible at
// every generation. It reads versions by their state and compares records by itself:
// nothing of feature.Vector is used.
type oracle struct {
	mu     sync.Mutex
	all    map[feature.Key][]feature.Record
	staged map[stamp]time.Time // when each came first, by the platform's clock
	shown  map[uint64]sight    // by generation
	out    map[feature.Version]time.Time
	last   sight
	judged map[feature.Version][]string        // states of verdicts on windows that name it
	rested map[feature.Version]feature.Version // that went to rest in the log for want of room, and the floor before
	shelf  map[feature.Version]bool            // that were said to rest in the log, for whatever reason
	whole  map[feature.Version]bool            // that showed after their verdict, and were found to have all rows then
}

// stamp names a record of a view.
type stamp struct {
	key     feature.Key
	version feature.Version
	seq     uint64
}

// sight is what readers see at a generation.
type sight struct {
	generation uint64
	visible    []feature.Version
	floor      feature.Version
	frozen     bool
	refuse     bool
}

func newOracle() *oracle {
	return &oracle{
		all: map[feature.Key][]feature.Record{}, staged: map[stamp]time.Time{}, shown: map[uint64]sight{0: {}}, out: map[feature.Version]time.Time{}, judged: map[feature.Version][]string{}, whole: map[feature.Version]bool{}, rested: map[feature.Version]feature.Version{}, shelf: map[feature.Version]bool{},
	}
}

// keep notes rows that are staged, those that were staged before once.
func (w *lane) keep(version feature.Version, rows []feature.Row) {
	o := w.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range rows {
		r.Record.Version = version
		same := func(x feature.Record) bool { return x.Version == version && x.Seq == r.Record.Seq }
		if !slices.ContainsFunc(o.all[r.Key], same) {
			o.all[r.Key] = append(o.all[r.Key], r.Record)
			o.staged[stamp{r.Key, version, r.Record.Seq}] = w.now()
		}
	}
}

// see notes what is visible from now on.
func (w *world) see(view feature.ViewID, v feature.Vector, versions []feature.VersionInfo) {
	w.of(view).see(v, versions)
}

func (w *lane) see(v feature.Vector, versions []feature.VersionInfo) {
	o := w.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	s := sight{generation: v.Generation, floor: v.Floor, frozen: v.Frozen, refuse: v.Refuse}
	for _, info := range versions {
		if info.State == feature.StateVisible {
			s.visible = append(s.visible, info.Version)
		}
		if strings.Contains(info.Reason, "rests in the log") {
			o.shelf[info.Version] = true
		}
		if _, known := o.rested[info.Version]; !known && strings.Contains(info.Reason, "rests in the log: its online store") {
			o.rested[info.Version] = o.last.floor
		}
		if info.State == feature.StateVisible && info.PublishedAt.IsZero() {
			w.fail("version %d is visible and was never published", info.Version)
		}
		if info.State == feature.StateVisible && w.view.Publish.Mode == feature.Gated {
			o.justified(w, info)
		}
		if info.State == feature.StateVisible && info.Step != feature.StepOpen && info.Step != feature.StepSealed {
			o.completed(w, info)
		}
	}
	if known, ok := o.shown[v.Generation]; ok && !slices.Equal(known.visible, s.visible) {
		w.fail("generation %d shows %v and, later, %v", v.Generation, known.visible, s.visible)
	}
	for _, version := range o.last.visible {
		if !slices.Contains(s.visible, version) {
			o.out[version] = time.Now()
		}
	}
	for _, version := range s.visible {
		if o.last.frozen && s.frozen && w.view.Publish.Mode == feature.Gated && !slices.Contains(o.last.visible, version) {
			w.fail("version %d became visible in a frozen view", version)
		}
		if at, gone := o.out[version]; gone {
			w.fail("version %d, taken out at %s, is visible again", version, at)
		}
	}
	o.shown[v.Generation], o.last = s, s
}

// justified wants a verdict that passed, or a person, behind a visible version.
func (o *oracle) justified(w *lane, info feature.VersionInfo) {
	if info.Kind == feature.KindApproved || info.DecidedBy != "gate" && info.DecidedBy != "" {
		return
	}
	states := o.judged[info.Version]
	if !slices.Contains(states, "pass") && !slices.Contains(states, "warn") {
		w.fail("version %d is visible, and its verdicts are %v", info.Version, states)
	}
}

// completed wants all rows of a version in the store when it shows after its verdict.
func (o *oracle) completed(w *lane, info feature.VersionInfo) {
	if o.whole[info.Version] {
		return
	}
	o.whole[info.Version] = true
	if n, kept := w.recordsOf(info), o.rows(info.Version); kept != n {
		w.fail("version %d shows with %d rows of the %d records of its windows: %+v", info.Version, kept, n, info)
	}
}

// rows counts the rows that ever came to the store for a version.
func (o *oracle) rows(version feature.Version) (n uint64) {
	for _, chain := range o.all {
		for _, r := range chain {
			if r.Version == version {
				n++
			}
		}
	}
	return n
}

// newest is the record of a key that a reader gets who sees some versions.
func (o *oracle) newest(key feature.Key, visible []feature.Version) (best feature.Record, ok bool) {
	for _, r := range o.all[key] {
		if !slices.Contains(visible, r.Version) {
			continue
		}
		later := r.EventTime > best.EventTime || r.EventTime == best.EventTime && (r.Version > best.Version || r.Version == best.Version && r.Seq > best.Seq)
		if !ok || later {
			best, ok = r, true
		}
	}
	return best, ok && !best.Deleted
}

// reply is what a server answers to a read of every key.
type reply struct {
	Rows []struct {
		Values   struct{ Amount *float64 }
		Statuses struct{ Amount string }
	}
	Provenance struct {
		Version    feature.Version
		Generation uint64
		Stale      bool
		Fallback   string
	}
	Error struct{ Code, Message string }
}

var keyNames = []string{"a", "b", "c", "d", "e"}

var readAll = readOf(keyNames, "amount")

func readOf(names []string, features ...string) string {
	var keys, quoted []string
	for _, k := range names {
		keys = append(keys, fmt.Sprintf(`{"id":%q}`, k))
	}
	for _, f := range features {
		quoted = append(quoted, fmt.Sprintf("%q", f))
	}
	return `{"keys":[` + strings.Join(keys, ",") + `],"features":[` + strings.Join(quoted, ",") + `]}`
}

// ask reads keys of a view.
func (n *serverNode) ask(view string, names []string) (status int, r reply, err error) {
	body := readAll
	if len(names) != len(keyNames) {
		body = readOf(names, "amount")
	}
	status, err = n.post("/api/v1/views/"+view+"/rows", body, &r)
	return status, r, err
}

func (n *serverNode) post(path, body string, r any) (status int, err error) {
	out := httptest.NewRecorder()
	n.handler.ServeHTTP(out, httptest.NewRequest("POST", path, strings.NewReader(body)))
	if err := json.Unmarshal(out.Body.Bytes(), r); err != nil {
		return out.Code, fmt.Errorf("a server answers %d %s: %w", out.Code, out.Body, err)
	}
	return out.Code, nil
}

// check reads every key of some views from a server, at once, and holds the answer
// against their oracles.
func (w *world) check(n *serverNode, of ...*lane) {
	confirmed, shown := n.snapshot()
	since := time.Since(confirmed)
	status, code, answers := n.get(w, of)
	w.reads++
	if since > w.lease+w.grace || confirmed.IsZero() {
		if status != 503 {
			w.fail("a server that confirmed its vectors %s ago answers %d", since, status)
		}
		return
	}
	if status != 200 {
		if !slices.ContainsFunc(of, func(l *lane) bool { return l.refuses(shown[l.view.ID]) }) {
			w.fail("a read is refused with %d %s, and no view does so in %v", status, code, shown)
		}
		return
	}
	for i, l := range of {
		if len(of) > 1 && answers[i].Generation != shown[l.view.ID] {
			w.fail("view %s was read at generation %d, beside others, and %v were confirmed at once", l.view.Name, answers[i].Generation, shown)
		}
		l.hold(&answers[i], since)
	}
}

func (w *lane) refuses(generation uint64) bool {
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	return w.oracle.shown[generation].refuse
}

// hold holds the answer of one view against its oracle.
func (w *lane) hold(a *answer, since time.Duration) {
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	s, known := w.oracle.shown[a.Generation]
	if !known || s.refuse {
		w.fail("a read of %s is of generation %d, which nobody knows or which refuses", w.view.Name, a.Generation)
		return
	}
	lapsed := since > w.lease
	if lapsed != a.Stale {
		w.fail("%s after its vectors were confirmed a server says stale=%t", since, a.Stale)
	}
	for i, key := range w.keys {
		w.compare(key, i, a.cells[i], s, lapsed)
	}
}

// compare holds one key of an answer against the oracle.
func (w *lane) compare(key feature.Key, i int, c slot, s sight, lapsed bool) {
	value := c.value
	want, exists := w.oracle.newest(key, s.visible)
	if (value != nil) == exists && (!exists || *value == amount(want)) && c.status == w.status(want, exists) {
		if at, gone := w.oracle.out[want.Version]; exists && gone && !lapsed && time.Since(at) > w.lease {
			w.fail("key %s: version %d was taken out %s ago and is served without a flag", keyNames[i], want.Version, time.Since(at))
		}
		return
	}
	if w.mayBeGone(key, want) && w.oldRow(key, c, s) {
		w.expired++
		return
	}
	if lapsed {
		w.missed++ // rows may be swept two leases after a version went; the answer is flagged
		if value == nil || w.visibleRow(key, *value, s) {
			return
		}
	}
	if value != nil && want.Deleted && want.Version <= s.floor && w.returned(key, *value, want, s) {
		w.returns++
		return
	}
	got := "nothing"
	if value != nil {
		got = fmt.Sprint(*value)
	}
	w.fail("key %s of %s at generation %d, which shows %v: got %s %s, want %v of version %d (%t, %s); of the key: %s", keyNames[i], w.view.Name, s.generation, s.visible, got, c.status, amount(want), want.Version, exists, w.status(want, exists), chainText(w.oracle.all[key]))
}

// visibleRow reports whether a value is of some record of a key that readers see.
func (w *lane) visibleRow(key feature.Key, value float64, s sight) bool {
	return slices.ContainsFunc(w.oracle.all[key], func(x feature.Record) bool { return amount(x) == value && slices.Contains(s.visible, x.Version) })
}

// returned reports whether a value is of a row that came to the store in a later
// version than a deletion that is certified, with an earlier event time: package
// embedded says that such a row shows again once the deletion is folded away.
func (w *lane) returned(key feature.Key, value float64, deletion feature.Record, s sight) bool {
	return slices.ContainsFunc(w.oracle.all[key], func(x feature.Record) bool {
		return !x.Deleted && amount(x) == value && slices.Contains(s.visible, x.Version) && x.Version > deletion.Version && !w.hidden(x, deletion)
	})
}

// hidden reports whether a deletion has to hide a row that came later from the log, where
// it rested for want of room: one of its time or later that was not certified by then is
// not folded away before the row is back. What a person rejects there rests no more, and is
// an old version as others are if it is approved later.
func (w *lane) hidden(row, deletion feature.Record) bool {
	versions := w.versions()
	by := versions[deletion.Version-1]
	for version, floor := range w.oracle.rested {
		of := versions[version-1].Window
		if w.rejected(version) {
			continue
		}
		in := slices.ContainsFunc(versions[row.Version-1].Parts(), func(p feature.Part) bool { return p.Window == of })
		if at := time.Unix(0, row.EventTime); in && !at.Before(of.Start) && at.Before(of.End) && deletion.Version > floor && !by.Window.Start.Before(of.Start) {
			return true
		}
	}
	return false
}

// amount is the value of a record: its own number.
func amount(r feature.Record) (n float64) {
	_ = feature.EachValue(r.Row, func(_ uint32, v []byte) {
		if x, err := feature.DecodeValue(v); err == nil {
			n = x.Float()
		}
	})
	return n
}

func chainText(all []feature.Record) string {
	var parts []string
	for _, r := range all {
		parts = append(parts, fmt.Sprintf("%v of %d at %s seq %d deleted %t", amount(r), r.Version, time.Unix(0, r.EventTime).UTC().Format("15:04:05"), r.Seq, r.Deleted))
	}
	return strings.Join(parts, "; ")
}
