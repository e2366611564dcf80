package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"sluice/feature"
)

// RegistryStore is a registry.
type RegistryStore interface {
	Definitions(ctx context.Context) (feature.Definitions, uint64, error)
	DefinitionsAt(ctx context.Context, generation uint64) (feature.Definitions, error)
	CheckDefinitions(ctx context.Context, defs feature.Definitions) error
	SaveDefinitions(ctx context.Context, ifGeneration uint64, defs feature.Definitions, why feature.Audit) (feature.Definitions, uint64, error)

	OpenVersion(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error)
	OpenKind(ctx context.Context, view *feature.View, info feature.VersionInfo) (feature.VersionInfo, error)
	Version(ctx context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error)
	VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error)
	Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error)

	Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error)
	Vectors(ctx context.Context) (map[feature.ViewID]feature.Vector, error)
	Apply(ctx context.Context, c feature.Commit) (feature.Vector, error)
	Changed() <-chan struct{}

	Verdict(ctx context.Context, id string) (feature.VerdictRow, error)
	Verdicts(ctx context.Context, view feature.ViewID, after string, limit int) ([]feature.VerdictRow, string, error)
	Blob(ctx context.Context, digest string) ([]byte, error)
	Memory(ctx context.Context, view feature.ViewID) ([]byte, error)
	History(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.HistoryRow, error)
	Layouts(ctx context.Context, view feature.ViewID) ([]feature.LayoutRow, error)
	Baseline(ctx context.Context, view feature.ViewID) (*feature.BaselineRow, error)
	Baselines(ctx context.Context, view feature.ViewID) ([]feature.BaselineRow, error)
	Retain(ctx context.Context, view feature.ViewID, newest int, profilesBefore, windowsBefore time.Time) (profiles, windows int, err error)

	Records(ctx context.Context, from, to time.Time, after int64, limit int) ([]feature.RecordRow, error)
	LastRecord(ctx context.Context) (time.Time, error)
	RetainRecords(ctx context.Context, view feature.ViewID, before time.Time) (removed int, err error)

	SaveOrigins(ctx context.Context, verdict string, body []byte) error
	Origins(ctx context.Context, verdict string) ([]byte, error)
	Decided(ctx context.Context, after int64, limit int) ([]feature.Decided, error)

	AddExposure(ctx context.Context, report feature.ExposureReport) error
	Exposure(ctx context.Context, view feature.ViewID, first, last feature.Version) ([]feature.VersionReads, error)
	PutServed(ctx context.Context, p feature.ServedProfile) error
	Served(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.ServedProfile, error)
	RetainServed(ctx context.Context, view feature.ViewID, before time.Time) (removed int, err error)
	PutReadership(ctx context.Context, list []feature.Readership) error
	Readership(ctx context.Context, view feature.ViewID, from time.Time) ([]feature.Readership, error)
	RetainReadership(ctx context.Context, view feature.ViewID, before time.Time) (removed int, err error)

	AuditLog(ctx context.Context, after string, limit int) ([]feature.Audit, string, error)
	WriteAudit(ctx context.Context, row feature.Audit) error
	Alerts(ctx context.Context, after string, limit int) ([]feature.Alert, string, error)
	OpenAlerts(ctx context.Context, view string) ([]feature.Alert, error)
	WriteAlert(ctx context.Context, alert feature.Alert) error
	Notices(ctx context.Context, limit int) ([]feature.Notice, error)
	Told(ctx context.Context, ids ...string) error

	Acquire(ctx context.Context, owner string) (uint64, error)
	Lead(ctx context.Context, owner, holder string, ttl time.Duration) (uint64, error)
	Resign(ctx context.Context, owner, holder string) error
	LeaveIdle(ctx context.Context, topic string, partition int32, view feature.ViewID) (uint64, error)
	Idle(ctx context.Context, view feature.ViewID) (map[string]uint64, error)
	Clock(ctx context.Context) (time.Time, error)
	SetClock(ctx context.Context, t time.Time, why feature.Audit) (time.Time, error)
	Installation(ctx context.Context) ([16]byte, error)
	Begun(ctx context.Context, topic string, partition int32) (topicID string, begun bool, err error)
	NoteBegun(ctx context.Context, topic string, partition int32, topicID string) error
	SourceOwner(ctx context.Context, topic string, partition int32) (owner string, err error)
	SwapSourceOwner(ctx context.Context, topic string, partition int32, last, next string) (swapped bool, err error)
	Close() error
}

// Registry tests a registry. invalid is the error by which it refuses commits that
// no registry may carry out. Several are opened on one folder at once.
func Registry(t *testing.T, invalid error, open func(t testing.TB, dir string) RegistryStore) {
	for name, test := range map[string]func(*testing.T, *reg){
		"definitions":                     testDefinitions,
		"definitions keep ids":            testDefinitionIDs,
		"versions":                        testVersions,
		"versions of other kinds":         testKinds,
		"opened by many":                  testOpenedByMany,
		"optimistic":                      testOptimistic,
		"vector":                          testVector,
		"commit refused":                  testRefused,
		"commit that shows hidden rows":   testShown,
		"versions go forward":             testForward,
		"two swappers":                    testSwappers,
		"fenced":                          testFenced,
		"lease":                           testLease,
		"lease that ends":                 testLeaseEnds,
		"seal and leave idle":             testSeal,
		"verdicts":                        testVerdicts,
		"verdicts once":                   testVerdictsOnce,
		"blobs":                           testBlobs,
		"history":                         testHistory,
		"layouts":                         testLayouts,
		"baseline and memory":             testBaseline,
		"audit log":                       testAudit,
		"alerts":                          testAlerts,
		"notices":                         testNotices,
		"clock":                           testClock,
		"installation":                    testInstallation,
		"partitions that were read":       testBegun,
		"owners of partitions":            testOwners,
		"changed":                         testChanged,
		"open again":                      testRegistryRestart,
		"random commits of many deciders": testDeciders,
		"seal against leave idle":         testSealRace,
		"owner against owner":             testFenceRace,
		"follow the log":                  testFollow,
		"numbers once":                    testIDsRace,
		"records":                         testRecords,
		"origins":                         testOrigins,
		"retain":                          testRetain,
		"exposure":                        testExposure,
		"exposure of many processes":      testExposureRace,
		"served profiles":                 testServed,
		"readership":                      testReadership,
	} {
		t.Run(name, func(t *testing.T) {
			r := &reg{t: t, dir: t.TempDir(), invalid: invalid, openAt: open}
			r.RegistryStore = open(t, r.dir)
			defer func() { r.close() }()
			test(t, r)
		})
	}
}

// reg is a registry under test.
type reg struct {
	RegistryStore
	t       *testing.T
	dir     string
	invalid error
	openAt  func(t testing.TB, dir string) RegistryStore
}

func (r *reg) close() {
	if err := r.Close(); err != nil {
		r.t.Errorf("Close() = %v", err)
	}
}

func (r *reg) reopen() {
	r.close()
	r.RegistryStore = r.openAt(r.t, r.dir)
}

// second opens the same registry once more, for the rest of the case.
func (r *reg) second() RegistryStore {
	other := r.openAt(r.t, r.dir)
	r.t.Cleanup(func() {
		if err := other.Close(); err != nil {
			r.t.Errorf("Close() of the second = %v", err)
		}
	})
	return other
}

var day = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// window returns the i-th window of five minutes of the day.
func window(i int) feature.Window {
	start := day.Add(time.Duration(i) * 5 * time.Minute)
	return feature.Window{Start: start, End: start.Add(5 * time.Minute)}
}

// why is an audit row.
func why(action string) feature.Audit {
	return feature.Audit{At: day, By: "test", Action: action, View: "delays", Reason: "because"}
}

// view saves the definition of one view and returns it with its ids.
func (r *reg) view(mode feature.Mode) *feature.View {
	r.t.Helper()
	defs, generation, err := r.Definitions(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defs.Views = append(defs.Views, feature.View{
		Name: fmt.Sprint("delays", len(defs.Views)), Publish: feature.Publish{Mode: mode},
		Entities: []feature.Entity{{Name: "carrier", Type: feature.String}},
		Features: []feature.Feature{{Name: "delay", Type: feature.Float64}},
	})
	defs, _, err = r.SaveDefinitions(r.t.Context(), generation, defs, why("apply"))
	if err != nil {
		r.t.Fatal(err)
	}
	return &defs.Views[len(defs.Views)-1]
}

// opened opens the versions of windows 0 to n-1.
func (r *reg) opened(view *feature.View, n int) []feature.VersionInfo {
	r.t.Helper()
	infos := make([]feature.VersionInfo, n)
	for i := range infos {
		var err error
		if infos[i], err = r.OpenVersion(r.t.Context(), view, window(i), day); err != nil {
			r.t.Fatal(err)
		}
	}
	return infos
}

// apply carries out a commit that must succeed, at the generation in force.
func (r *reg) apply(c feature.Commit) feature.Vector {
	r.t.Helper()
	c.IfGeneration = r.vector(c.View).Generation
	v, err := r.Apply(r.t.Context(), c)
	if err != nil {
		r.t.Fatalf("Apply(%+v) = %v", c, err)
	}
	return v
}

// publish lists versions.
func (r *reg) publish(view *feature.View, infos ...feature.VersionInfo) feature.Vector {
	r.t.Helper()
	v := r.vector(view.ID)
	for i := range infos {
		infos[i].Step, infos[i].State = feature.StepDecided, feature.StateVisible
		v, _ = v.With(infos[i].Version)
	}
	return r.apply(feature.Commit{View: view.ID, Vector: &v, Versions: infos, Audit: []feature.Audit{why("publish")}, Now: day})
}

func (r *reg) vector(view feature.ViewID) feature.Vector {
	r.t.Helper()
	v, err := r.Vector(r.t.Context(), view)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// refused carries out a commit that must fail with want and change nothing.
func (r *reg) refused(c feature.Commit, want error) {
	r.t.Helper()
	before := r.state(c.View)
	_, err := r.Apply(r.t.Context(), c)
	if !errors.Is(err, want) {
		r.t.Errorf("Apply = %v, want %v", err, want)
	}
	if after := r.state(c.View); after != before {
		r.t.Errorf("a refused commit changed\n%s\nto\n%s", before, after)
	}
}

// state is everything that a commit on a view may change, as text.
func (r *reg) state(view feature.ViewID) string {
	r.t.Helper()
	ctx := r.t.Context()
	text := fmt.Sprintf("vector %+v\n", r.vector(view))
	add := func(name string, v any, err error) {
		if err != nil {
			r.t.Fatalf("%s: %v", name, err)
		}
		text += fmt.Sprintf("%s %+v\n", name, v)
	}
	versions, err := r.Versions(ctx, view, 0, 0)
	add("versions", versions, err)
	verdicts, _, err := r.Verdicts(ctx, view, "", 0)
	add("verdicts", verdicts, err)
	audit, _, err := r.AuditLog(ctx, "", 0)
	add("audit", audit, err)
	alerts, _, err := r.Alerts(ctx, "", 0)
	for i := range alerts {
		add("alert", alerts[i].ID, nil)
		add("resolved", alerts[i].ResolvedAt != nil, nil)
	}
	add("alerts", len(alerts), err)
	history, err := r.History(ctx, view, time.Time{}, time.Time{})
	add("history", history, err)
	layouts, err := r.Layouts(ctx, view)
	add("layouts", layouts, err)
	baseline, err := r.Baseline(ctx, view)
	add("baseline", baseline != nil, err)
	memory, err := r.Memory(ctx, view)
	add("memory", memory, err)
	return text
}
