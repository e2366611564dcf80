package serving

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
)

// roll records who reads what: the last that was said of a view and hour.
type roll struct {
	mu    sync.Mutex
	said  map[string]feature.Readership // by view and hour
	calls int
	err   error
}

func (r *roll) put(_ context.Context, list []feature.Readership) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.err != nil {
		return r.err
	}
	if r.said == nil {
		r.said = map[string]feature.Readership{}
	}
	for _, of := range list {
		r.said[fmt.Sprintf("%d %s", of.View, of.Window.Start.Format("15"))] = of
	}
	return nil
}

// rows returns what was said of a view and hour, by service and feature.
func (r *roll) rows(view feature.ViewID, hour int) map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[string]uint64{}
	for _, of := range r.said[fmt.Sprintf("%d %02d", view, hour)].Reads {
		key := strings.TrimSpace(fmt.Sprintf("%s %d", of.Service, of.Feature))
		if _, twice := out[key]; twice {
			out["twice"]++
		}
		out[key] = of.Rows
	}
	return out
}

// TestReaders reads at every door, by list and by service: every row that is returned
// counts once for its view and once for each feature that was asked for, whatever the
// form, and those that are not found or withheld do not.
func TestReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &roll{}
		f := computedFixture(t, func(_ *Config, d *Deps) { d.Readers = l.put })
		f.write(t, "drivers", 1, ago(time.Minute), driver(7), values...)
		f.running(t)
		for range 3 {
			for path, body := range map[string]string{
				"/api/v1/views/users/rows":    `{"keys":[{"user_id":"new"},{"user_id":"none"}],"features":["f00","f03"]}`,
				"/get-online-features":        `{"features":["users:f00","users:f03"],"entities":{"user_id":["new","none"]}}`,
				"/get-online-features?2":      `{"features": ["users:f03"],"entities":{"user_id":["new"]},"full_feature_names":true}`,
				"/get-online-features?3":      `{"feature_service":"model","entities":{"user_id":["new","none"],"driver_id":[7,7]}}`,
				"/api/v1/services/fraud/rows": `{"keys":[{"user_id":"new"}],"context":{"amount":1}}`,
				"/api/v1/views/drivers/rows":  `{"keys":[{"driver_id":7}],"features":["meta.a","meta"]}`,
				"/api/v1/views/accounts/rows": `{"keys":[{"user_id":"older"}],"features":["country"],"policy":"null"}`,
				"/api/v1/rows/stream":         `{"keys":[{"user_id":"new"},{"user_id":"new"}],"features":["users:f02"]}`,
			} {
				if code, answer := f.post(t, path, body); code != 200 {
					t.Errorf("%s = %d %s", path, code, answer)
				}
			}
			f.wire(t, feastRequest(columnsOf{"user_id": texts("new")}, "users:f04"), false)
			f.wire(t, ownRequest(columnsOf{"user_id": texts("new")}, sluicev1.Policy_POLICY_SERVE, "users:f04", "users:f00"), true)
		}
		time.Sleep(readersEvery + time.Second)
		for view, want := range map[feature.ViewID]map[string]uint64{
			1: {"0": 3, "9": 3, "model 0": 6, "model 3": 6},
			2: {"0": 6 + 3 + 6 + 3 + 3, "100": 6 + 3, "102": 6, "103": 6 + 3, "104": 3 + 3, "fraud 0": 3, "fraud 100": 3, "model 0": 3, "model 101": 3},
			9: {"fraud 0": 3, "fraud 1": 3},
		} {
			if got := l.rows(view, 12); !maps.Equal(got, want) {
				t.Errorf("reads of view %d: %v, want %v", view, got, want)
			}
		}
	})
}

// wire asks over gRPC's bytes.
func (f *fixture) wire(t *testing.T, request proto.Message, own bool) {
	t.Helper()
	in, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	buffer, err := f.readWire(t.Context(), in, own)
	if err != nil {
		t.Fatal(err)
	}
	buffer.Free()
}

// TestReadersHours goes from one hour to the next while what is counted cannot be recorded,
// and back: nothing is lost or counted twice, and it is said once.
func TestReadersHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log := &roll{err: errors.New("no registry")}, &lines{}
		begun, ahead := time.Now(), atomic.Int64{}
		f := newFixture(t, func(_ *Config, d *Deps) {
			d.Readers, d.Log = l.put, log.log()
			d.Now = func() time.Time { return start.Add(30*time.Minute + time.Since(begun) + time.Duration(ahead.Load())) }
		})
		f.write(t, "users", 1, start, user("a"), float(1))
		f.running(t)
		read := func(times int) {
			for range times {
				f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"a"}],"features":["f00"]}`)
			}
			time.Sleep(readersEvery + time.Second)
		}
		read(5)
		ahead.Store(int64(time.Hour))
		read(7)
		l.set(nil)
		read(1)
		ahead.Store(0) // counted on: the hour before was told of already
		read(2)
		ahead.Store(int64(3 * time.Hour))
		read(4)
		for hour, want := range map[int]uint64{12: 5, 13: 7 + 1 + 2, 14: 0, 15: 4} {
			if got := l.rows(2, hour); got["0"] != want || got["100"] != want {
				t.Errorf("reads of hour %d: %v, want %d", hour, got, want)
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if of := l.said["2 13"]; of.First.Before(of.Window.Start) || of.First.After(of.Window.Start.Add(time.Hour)) || of.Window.End.Sub(of.Window.Start) != time.Hour {
			t.Errorf("the first read of the second hour is said to be of %v, in %v", of.First, of.Window)
		}
		if text := log.String(); strings.Count(text, "kept until") != 1 || strings.Count(text, "recorded again") != 1 {
			t.Errorf("the log says %q, want one line when it begins and one when it ends", text)
		}
		calls := l.calls
		l.mu.Unlock()
		time.Sleep(10 * readersEvery)
		l.mu.Lock()
		if l.calls != calls {
			t.Errorf("%d calls without a read", l.calls-calls)
		}
	})
}

func (r *roll) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// TestReadersOwed bounds what is kept of hours that could not be recorded, and passes over
// reads of a time when the clock was not set.
func TestReadersOwed(t *testing.T) {
	lists := &readership{counters: map[string]*listReads{}}
	now := time.Time{}
	l := &roll{err: errors.New("no registry")}
	r := readers{counted: lists, tell: l.put, now: func() time.Time { return now }, metrics: newMetrics(nil), log: (&lines{}).log()}
	list := lists.of(readList{view: 2, whole: true, features: []uint32{100}}, 1)[0]
	list.rows.add(50)
	r.report(t.Context())
	if l.calls != 0 {
		t.Errorf("%d reports while the clock is not set, want none", l.calls)
	}
	for i := range 100 {
		now = start.Add(time.Duration(i) * time.Hour)
		list.rows.add(uint64(i))
		r.report(t.Context())
	}
	l.set(nil)
	r.report(t.Context())
	if len(l.said) != hoursOwed || len(r.owed()) != 0 {
		t.Errorf("%d hours were recorded and %d are owed, want %d and 0", len(l.said), len(r.owed()), hoursOwed)
	}
	if got := l.rows(2, now.Hour()); got["0"] != 99 || got["100"] != 99 {
		t.Errorf("reads of the last hour: %v, want 99", got)
	}
}

// TestReadershipBounds asks for more lists of features than are counted as such: nothing is
// lost. Those that no plan in force has are let go once nobody reads by them.
func TestReadershipBounds(t *testing.T) {
	r := &readership{counters: map[string]*listReads{}}
	ask := func(generation uint64, service string, ids ...uint32) []*listReads {
		r.generation = max(r.generation, generation)
		return r.of(readList{2, service, true, ids}, generation)
	}
	sums := func() map[readKey]uint64 {
		got := map[readKey]uint64{}
		r.take(func(at readKey, rows uint64) { got[at] += rows })
		return got
	}
	const asked = mostLists + 500
	want := map[readKey]uint64{{2, "", 0}: 2 * asked, {2, "", 1}: 2 * asked, {2, "fraud", 0}: 3, {2, "fraud", 7}: 3}
	for i := range uint32(asked) {
		ids := []uint32{1, 10 + i%40, 100 + i/40}
		for _, l := range ask(1, "", ids...) {
			l.rows.add(2)
		}
		want[readKey{2, "", ids[1]}] += 2
		want[readKey{2, "", ids[2]}] += 2
	}
	for _, l := range ask(1, "fraud", 7) {
		l.rows.add(3)
	}
	if got := sums(); !maps.Equal(got, want) {
		t.Errorf("%d sums, want %d: %v", len(got), len(want), got)
	}
	if most := mostLists + 1 + 1 + 40 + asked/40 + 2; len(r.counters) > most || r.lists != mostLists {
		t.Errorf("%d counters, of them %d lists, want at most %d and %d", len(r.counters), r.lists, most, mostLists)
	}
	kept := ask(2, "", 1, 10, 100)[0]
	for range idleLists {
		sums()
	}
	if len(r.counters) != 1 || r.lists != 1 || ask(2, "", 1, 10, 100)[0] != kept {
		t.Errorf("%d counters of %d lists are left, want the one of the definitions in force", len(r.counters), r.lists)
	}
	if got := ask(2, "", 5, 6); len(got) != 1 {
		t.Errorf("a list is counted by %d counters though there is room", len(got))
	}
}
