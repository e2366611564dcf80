package sim

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/storetest"
)

var errInvalid = errors.New("invalid")

// ledger is a registry in memory, for histories by the thousand: the plain reading
// of what package registry does in a database. TestLedger holds it to the same suite.
type ledger struct {
	reports     map[string]uint64 // by process: the last report of what it has shown
	mu          sync.Mutex
	defs        feature.Definitions
	definitions uint64
	former      []feature.Definitions // by generation, from 1
	viewIDs     map[string]feature.ViewID
	online      map[string]string // store by view
	groups      map[string]string // group by view
	featureIDs  map[string]uint32
	views       map[feature.ViewID]*shelf
	verdicts    []verdictAt
	records     []feature.RecordRow // in the order of their commits
	noted       int64               // records that there were
	blobs       map[string][]byte
	audit       []feature.Audit
	alerts      []feature.Alert
	notices     []feature.Notice
	noticed     int // notices that there were
	epochs      map[string]uint64
	leases      map[string]tenure
	origins     map[string][]byte // by verdict
	clock       time.Time
	id          [16]byte
	begun       map[string]string // id of the topic by source partition
	sources     map[string]string // owner by source partition
	changed     chan struct{}
	watch       func(view feature.ViewID, v feature.Vector, versions []feature.VersionInfo) // called at every change
}

// shelf is what a ledger keeps of one view.
type shelf struct {
	vector    *feature.Vector // nil before the first change
	versions  []feature.VersionInfo
	memory    []byte
	history   []feature.HistoryRow  // rising
	layouts   []feature.LayoutRow   // rising by From
	baselines []feature.BaselineRow // in their order
	idle      map[string]uint64
	reads     map[feature.Version]feature.VersionReads
	served    []feature.ServedProfile // by window and process

	readership []feature.Readership // by hour and process
}

type verdictAt struct {
	view feature.ViewID
	feature.VerdictRow
}

// tenure is who works as an owner, and until when.
type tenure struct {
	holder string
	until  time.Time
}

func newLedger() *ledger {
	l := &ledger{
		viewIDs: map[string]feature.ViewID{}, online: map[string]string{}, groups: map[string]string{}, featureIDs: map[string]uint32{}, views: map[feature.ViewID]*shelf{}, blobs: map[string][]byte{},
		epochs: map[string]uint64{}, leases: map[string]tenure{}, origins: map[string][]byte{}, changed: make(chan struct{}),
	}
	rand.Read(l.id[:]) // never fails
	return l
}

// TestLedger holds the model to what the registries on SQLite and PostgreSQL keep.
func TestLedger(t *testing.T) {
	var mu sync.Mutex
	kept := map[string]*ledger{}
	open := func(_ testing.TB, dir string) storetest.RegistryStore {
		mu.Lock()
		defer mu.Unlock()
		if kept[dir] == nil {
			kept[dir] = newLedger()
		}
		return kept[dir]
	}
	storetest.Registry(t, errInvalid, open)
	storetest.Linearizable(t, 20, open)
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errInvalid, fmt.Sprintf(format, args...))
}

func (l *ledger) shelf(view feature.ViewID) *shelf {
	if l.views[view] == nil {
		l.views[view] = &shelf{idle: map[string]uint64{}, reads: map[feature.Version]feature.VersionReads{}}
	}
	return l.views[view]
}

func (l *ledger) signal() {
	if l.watch != nil {
		for id, s := range l.views {
			l.watch(id, s.current(), s.versions)
		}
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *ledger) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *ledger) Close() error { return nil }

// note stores an audit row, unless its id exists.
func (l *ledger) note(row feature.Audit) error {
	if row.ID == "" {
		row.ID = fmt.Sprintf("%024x", len(l.audit))
	} else if slices.ContainsFunc(l.audit, func(a feature.Audit) bool { return a.ID == row.ID }) {
		return fmt.Errorf("audit row %s is there already: %w", row.ID, feature.ErrConflict)
	}
	row.At = row.At.UTC()
	if len(row.Before) == 0 {
		row.Before = json.RawMessage("{}")
	}
	if len(row.After) == 0 {
		row.After = json.RawMessage("{}")
	}
	l.audit = append(l.audit, row)
	return nil
}

func shown(row *feature.Audit, old, next feature.Vector) {
	for _, side := range []struct {
		to *json.RawMessage
		v  feature.Vector
	}{{&row.Before, old}, {&row.After, next}} {
		if len(*side.to) == 0 {
			b, err := json.Marshal(side.v)
			if err != nil {
				panic(err) // numbers and flags only
			}
			*side.to = b
		}
	}
}

func (l *ledger) Alerts(_ context.Context, after string, limit int) ([]feature.Alert, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return behind(l.alerts, after, limit, func(feature.Alert) bool { return true })
}

func (l *ledger) OpenAlerts(_ context.Context, view string) ([]feature.Alert, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	open, _, err := behind(l.alerts, "", 0, func(a feature.Alert) bool { return a.ResolvedAt == nil && (view == "" || a.View == view) })
	return open, err
}

func (l *ledger) WriteAlert(_ context.Context, alert feature.Alert) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alarm(alert)
	l.signal()
	return nil
}

func (l *ledger) alarm(a feature.Alert) {
	a.At = a.At.UTC()
	if a.ID == "" {
		a.ID = fmt.Sprintf("%024x", len(l.alerts))
	}
	if i := slices.IndexFunc(l.alerts, func(b feature.Alert) bool { return a.ID == b.ID }); i >= 0 {
		l.alerts[i] = a
		return
	}
	l.alerts = append(l.alerts, a)
}

func (l *ledger) Notices(_ context.Context, limit int) ([]feature.Notice, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if limit <= 0 {
		limit = len(l.notices)
	}
	return slices.Clone(l.notices[:min(limit, len(l.notices))]), nil
}

func (l *ledger) Told(_ context.Context, ids ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notices = slices.DeleteFunc(l.notices, func(n feature.Notice) bool { return slices.Contains(ids, n.ID) })
	return nil
}

func (l *ledger) epoch(owner string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs[owner]
}

func (l *ledger) Acquire(_ context.Context, owner string) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.leases, owner)
	l.epochs[owner]++
	l.signal()
	return l.epochs[owner], nil
}

func (l *ledger) Lead(_ context.Context, owner, holder string, ttl time.Duration) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	former := l.leases[owner]
	if former.holder != "" && former.holder != holder && now.Before(former.until) && former.until.Sub(now) <= ttl {
		return 0, nil
	}
	l.leases[owner] = tenure{holder, now.Add(ttl)}
	if former.holder != holder {
		l.epochs[owner]++
		l.signal()
	}
	return l.epochs[owner], nil
}

func (l *ledger) Resign(_ context.Context, owner, holder string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leases[owner].holder == holder {
		delete(l.leases, owner)
	}
	return nil
}

func (l *ledger) Begun(_ context.Context, topic string, partition int32) (string, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, begun := l.begun[fmt.Sprint(topic, "/", partition)]
	return id, begun, nil
}

func (l *ledger) NoteBegun(_ context.Context, topic string, partition int32, topicID string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun == nil {
		l.begun = map[string]string{}
	}
	l.begun[fmt.Sprint(topic, "/", partition)] = topicID
	return nil
}

func (l *ledger) SourceOwner(_ context.Context, topic string, partition int32) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sources[fmt.Sprint(topic, "/", partition)], nil
}

func (l *ledger) SwapSourceOwner(_ context.Context, topic string, partition int32, last, next string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := fmt.Sprint(topic, "/", partition)
	if l.sources == nil {
		l.sources = map[string]string{}
	}
	if l.sources[name] == last {
		l.sources[name] = next
	}
	return l.sources[name] == next, nil
}

func (l *ledger) LeaveIdle(_ context.Context, topic string, partition int32, view feature.ViewID) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := fmt.Sprintf("%s/%d", topic, partition)
	idle := l.shelf(view).idle
	idle[name]++
	l.signal()
	return idle[name], nil
}

func (l *ledger) Idle(_ context.Context, view feature.ViewID) (map[string]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.shelf(view).idle), nil
}

func (l *ledger) Clock(context.Context) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock, nil
}

func (l *ledger) SetClock(_ context.Context, t time.Time, why feature.Audit) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.Before(l.clock) || t.IsZero() || t.UnixNano() == math.MinInt64 {
		return l.clock, fmt.Errorf("the clock is at %s: %w", l.clock, feature.ErrConflict)
	}
	if t.Equal(l.clock) {
		return l.clock, nil
	}
	if why.At.IsZero() {
		why.At = t
	}
	if !l.clock.IsZero() {
		why.Before = fmt.Appendf(nil, `{"now":%q}`, l.clock.Format(time.RFC3339Nano))
	}
	why.After = fmt.Appendf(nil, `{"now":%q}`, t.UTC().Format(time.RFC3339Nano))
	if err := l.note(why); err != nil {
		return l.clock, err
	}
	l.clock = t.UTC()
	l.signal()
	return l.clock, nil
}

func (l *ledger) Installation(context.Context) ([16]byte, error) { return l.id, nil }
