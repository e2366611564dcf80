package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/serving/jsonform"
)

// pastWorld is a view whose versions come and go, over a store that sweeps and a list
// of all that was ever staged, which does not.
type pastWorld struct {
	*fixture
	all    []feature.Row // the version of each is in its record
	vector feature.Vector
	next   feature.Version
	number float64 // of the last row, its value
	folds  map[feature.Version]bool
	told   int // answers below the floor that were given
}

var pastKeys = []string{"a", "b", "c", "d", "e"}

func newPastWorld(t testing.TB) *pastWorld {
	// The lease is on the real clock, and a busy machine may stand still for longer than a second.
	w := &pastWorld{fixture: newFixture(t, func(c *Config, _ *Deps) { c.Lease = time.Minute }), next: 1, folds: map[feature.Version]bool{}}
	w.show(t)
	return w
}

// show puts the vector in force.
func (w *pastWorld) show(t testing.TB) {
	t.Helper()
	w.vector.Generation++
	w.registry.vectors[2] = w.vector
	w.renew(t)
}

func (w *pastWorld) state(v feature.Version) feature.State { return w.registry.infos[v].State }

func (w *pastWorld) set(v feature.Version, state feature.State) {
	w.registry.infos[v] = feature.VersionInfo{Version: v, Step: feature.StepDecided, State: state}
}

// stage opens a version with rows of some keys. Event times of neighbours overlap,
// but no row comes before a deletion of an earlier version: the store promises
// nothing of those.
func (w *pastWorld) stage(t *rapid.T) {
	v := w.next
	w.next++
	w.set(v, feature.StateStaged)
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(pastKeys), 1, 4, rapid.ID).Draw(t, "keys") {
		deleted := rapid.IntRange(0, 3).Draw(t, "deleted") == 0
		most := 15
		if deleted {
			most = 9
		}
		w.put(t, v, name, int64(v)*10+int64(rapid.IntRange(0, most).Draw(t, "at")), deleted)
	}
}

func (w *pastWorld) put(t interface{ Fatal(...any) }, v feature.Version, name string, at int64, deleted bool) {
	view := w.registry.defs.View("users")
	key, err := feature.NewKey(view, user(name))
	if err != nil {
		t.Fatal(err)
	}
	w.number++
	r := feature.Row{Key: key, Record: feature.Record{Version: v, EventTime: at, Deleted: deleted}}
	if !deleted {
		r.Record.Row = feature.AppendRow(nil, view, []feature.Value{float(w.number), feature.Null, feature.Null, feature.Null, feature.Null})
	}
	if _, err := w.rows.Stage(w.ctx(), view.ID, v, []feature.Row{r}); err != nil {
		t.Fatal(err)
	}
	w.all = append(w.all, r)
}

// pick returns a version in one of the states; 0 if there is none.
func (w *pastWorld) pick(t *rapid.T, above feature.Version, states ...feature.State) feature.Version {
	var of []feature.Version
	for v := above + 1; v < w.next; v++ {
		if slices.Contains(states, w.state(v)) {
			of = append(of, v)
		}
	}
	if len(of) == 0 {
		return 0
	}
	return rapid.SampledFrom(of).Draw(t, "version")
}

func (w *pastWorld) publish(t *rapid.T, tb testing.TB) {
	if v := w.pick(t, w.vector.Floor, feature.StateStaged); v > 0 {
		if next, ok := w.vector.With(v); ok {
			w.vector = next
			w.set(v, feature.StateVisible)
			w.show(tb)
		}
	}
}

func (w *pastWorld) takeBack(t *rapid.T, tb testing.TB) {
	if v := w.pick(t, w.vector.Floor, feature.StateStaged, feature.StateVisible); v > 0 {
		w.vector, _ = w.vector.Without(v)
		w.set(v, feature.StateRolledBack)
		w.show(tb)
	}
}

// certify raises the floor to a visible version; what is not visible below it is dead.
func (w *pastWorld) certify(t *rapid.T, tb testing.TB) {
	if len(w.vector.Visible) == 0 {
		return
	}
	floor := rapid.SampledFrom(w.vector.Visible).Draw(t, "floor")
	var dead []feature.Version
	for v := w.vector.Floor + 1; v <= floor; v++ {
		if !slices.Contains(w.vector.Visible, v) {
			dead = append(dead, v)
			if !w.state(v).Dead() {
				w.set(v, feature.StateExpired)
			}
		}
	}
	w.vector = w.vector.Raise(floor, dead)
	w.show(tb)
}

// sweep drops the dead, folds some certified versions, and may forget the dead.
func (w *pastWorld) sweep(t *rapid.T, tb testing.TB) {
	var touched []feature.Version
	for v := feature.Version(1); v < w.next; v++ {
		if w.state(v).Dead() {
			if _, err := w.rows.Drop(w.ctx(), 2, v); err != nil {
				t.Fatal(err)
			}
		} else if v <= w.vector.Floor && !w.folds[v] && rapid.Bool().Draw(t, "fold") {
			touched, w.folds[v] = append(touched, v), true
		}
	}
	if _, err := w.rows.Fold(w.ctx(), 2, w.vector.Floor, w.vector.Dead, touched); err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 3).Draw(t, "forget") == 0 {
		w.vector = w.vector.Swept(slices.Clone(w.vector.Dead))
		w.show(tb)
	}
}

// right is what a store that kept everything answers for a key.
func (w *pastWorld) right(key feature.Key, version feature.Version) (feature.Record, bool) {
	var best feature.Record
	found := false
	for _, r := range w.all {
		if r.Key == key && r.Record.Version <= version && w.state(r.Record.Version) == feature.StateVisible && (!found || r.Record.Newer(best)) {
			best, found = r.Record, true
		}
	}
	return best, found && !best.Deleted
}

// check reads every key as of every version.
func (w *pastWorld) check(t *rapid.T, tb testing.TB) {
	view := w.registry.defs.View("users")
	for v := feature.Version(1); v < w.next; v++ {
		for _, name := range pastKeys {
			code, body := w.post(tb, "/api/v1/views/users/rows", fmt.Sprintf(`{"keys":[{"user_id":%q}],"features":["f00"],"as_of_version":%d}`, name, v))
			if code == 410 && (w.state(v).Dead() || v < w.vector.Floor) || code == 400 && !w.vector.Sees(v) {
				continue
			}
			key, err := feature.NewKey(view, user(name))
			if err != nil {
				t.Fatal(err)
			}
			want := `"values":{"f00":null}`
			if record, ok := w.right(key, v); ok {
				if err := feature.EachValue(record.Row, func(_ uint32, value []byte) {
					want = `"values":{"f00":` + string(jsonform.Append(nil, value, feature.Float64, jsonform.Own)) + `}`
				}); err != nil {
					t.Fatal(err)
				}
			}
			if code != 200 || !strings.Contains(body, want) || w.state(v) != feature.StateVisible {
				t.Fatalf("%s as of version %d (%s; vector %+v) = %d %s, want %s", name, v, w.state(v), w.vector, code, body, want)
			}
			if v < w.vector.Floor {
				w.told++
			}
		}
	}
}

// TestPastAgainstAll holds reads of the past against a list of all that was staged:
// what is answered is right, and from the floor on everything visible is answered.
func TestPastAgainstAll(t *testing.T) {
	told := 0
	history := func(rt *rapid.T) {
		w := newPastWorld(t)
		for range rapid.IntRange(4, 24).Draw(rt, "steps") {
			switch rapid.IntRange(0, 8).Draw(rt, "step") {
			case 0, 1, 2:
				w.stage(rt)
			case 3, 4:
				w.publish(rt, t)
			case 5:
				w.takeBack(rt, t)
			case 6:
				w.certify(rt, t)
			default:
				w.sweep(rt, t)
			}
		}
		w.check(rt, t)
		told += w.told
	}
	for range 10 { // a short run has few histories
		if rapid.Check(t, history); told > 0 {
			return
		}
	}
	t.Error("no read below the floor was ever answered")
}

// TestPast follows one entity through publish, floor, fold and rollback, over both
// transports.
func TestPast(t *testing.T) {
	w := newPastWorld(t)
	for v := feature.Version(1); v <= 5; v++ {
		w.set(v, feature.StateVisible)
		if v != 3 {
			w.put(t, v, "a", int64(v)*10, false)
		}
	}
	w.put(t, 2, "b", 20, false)
	w.next = 7
	w.set(6, feature.StateHeld)
	w.set(3, feature.StateRolledBack)
	w.vector = feature.Vector{Floor: 2, Visible: []feature.Version{4, 5}, Dead: []feature.Version{}}
	w.show(t)
	ask := func(version int, name string) string {
		_, body := w.post(t, "/api/v1/rows", fmt.Sprintf(`{"keys":[{"user_id":%q}],"features":["users:f00"],"as_of_versions":{"users":%d}}`, name, version))
		var answer struct {
			Rows []struct {
				Values map[string]*float64 `json:"values"`
			} `json:"rows"`
			Provenance map[string]struct {
				Version int `json:"version"`
			} `json:"provenance"`
			Error struct{ Code, Message string } `json:"error"`
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		switch {
		case answer.Error.Code != "":
			return answer.Error.Code + ": " + answer.Error.Message
		case answer.Rows[0].Values["users:f00"] == nil:
			return "none"
		}
		return fmt.Sprintf("%v of %d", *answer.Rows[0].Values["users:f00"], answer.Provenance["users"].Version)
	}
	for _, c := range []struct {
		version    int
		name, want string
	}{
		{5, "a", "4 of 5"}, {4, "a", "3 of 4"}, {2, "a", "2 of 2"}, {4, "b", "5 of 2"}, {4, "c", "none"},
		{1, "a", "expired: view users as of version 1: 1 of 1 rows are no longer known, the first is row 0: certified versions are folded into one"},
		{3, "a", "expired: view users: version 3 is rolled_back, and what was taken back is not shown again"},
		{6, "a", "invalid_argument: view users: version 6 is not visible, it is held"},
		{9, "a", "invalid_argument: view users has no version 9"},
		{0, "a", "invalid_argument: view users as of version 0"},
	} {
		if got := ask(c.version, c.name); got != c.want {
			t.Errorf("%s as of version %d = %s, want %s", c.name, c.version, got, c.want)
		}
	}
	if _, err := w.rows.Fold(t.Context(), 2, 2, nil, []feature.Version{1, 2}); err != nil {
		t.Fatal(err)
	}
	if got := ask(2, "a"); got != "2 of 2" {
		t.Errorf("after the fold, a as of version 2 = %s, want 2 of 2", got)
	}
	client := sluicev1.NewFeatureServiceClient(w.dial(t))
	request := ownRequest(columnsOf{"user_id": texts("a")}, sluicev1.Policy_POLICY_SERVE, "users:f00")
	request.AsOfVersions = map[string]uint64{"users": 4}
	reply, err := client.GetFeatures(t.Context(), request)
	if err != nil || reply.Views[0].Columns[0].Values[0].GetDoubleVal() != 3 || reply.Views[0].Provenance.Version != 4 {
		t.Errorf("GetFeatures as of version 4 = %v, %v, want 3 of version 4", reply, err)
	}
	for version, want := range map[uint64]codes.Code{1: codes.FailedPrecondition, 6: codes.InvalidArgument} {
		request.AsOfVersions["users"] = version
		if _, err := client.GetFeatures(t.Context(), request); status.Code(err) != want {
			t.Errorf("GetFeatures as of version %d = %v, want %s", version, err, want)
		}
	}
	request.AsOfVersions = map[string]uint64{"drivers": 1}
	if _, err := client.GetFeatures(t.Context(), request); status.Code(err) != codes.InvalidArgument {
		t.Errorf("GetFeatures as of a version of a view not asked for = %v, want %s", err, codes.InvalidArgument)
	}
}

// TestPastLeavesNothing reads the past, and finds neither the rows that are kept for
// failures nor the sample of what was served changed by it.
func TestPastLeavesNothing(t *testing.T) {
	w := &pastWorld{fixture: newFixture(t, func(c *Config, _ *Deps) { c.KeptRows = 100 }), folds: map[feature.Version]bool{}}
	w.set(1, feature.StateVisible)
	w.set(2, feature.StateVisible)
	w.put(t, 1, "a", 10, false)
	w.put(t, 2, "a", 20, false)
	w.vector = feature.Vector{Floor: 1, Visible: []feature.Version{2}}
	w.show(t)
	if code, body := w.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"a"}],"as_of_version":1}`); code != 200 {
		t.Fatalf("read of the past = %d %s", code, body)
	}
	key, err := feature.NewKey(w.registry.defs.View("users"), user("a"))
	if err != nil {
		t.Fatal(err)
	}
	if record, ok := w.kept.get(2, key, &w.lease.current.Load().served[1]); ok {
		t.Errorf("a read of the past left version %d to stand in for the present", record.Version)
	}
}

// TestPastIsRefusedPastTheLease does not read the past while what is visible cannot be
// confirmed: rows may have been swept that this server does not know of.
func TestPastIsRefusedPastTheLease(t *testing.T) {
	w := &pastWorld{fixture: newFixture(t, func(c *Config, _ *Deps) { c.Lease, c.Renew, c.Grace = 2, 1, time.Hour })}
	w.set(1, feature.StateVisible)
	w.registry.change(func() { w.registry.err = errors.New("gone") })
	code, body := w.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"a"}],"as_of_version":1}`)
	if code != 503 || !strings.Contains(body, "the past is not read without that") {
		t.Errorf("read of the past without a lease = %d %s, want 503", code, body)
	}
}

func (w *pastWorld) ctx() context.Context { return context.Background() }
