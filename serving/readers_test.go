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

// readersTake is how long it takes until who reads what is reported.
const readersTake = 10 * time.Second

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
		time.Sleep(readersTake + time.Second)
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
			time.Sleep(readersTake + time.Second)
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
		time.Sleep(10 * readersTake)
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
