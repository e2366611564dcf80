package tap

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// A tap that goes on from an older state reads again what it had read since, and ends
// where it would have: nothing twice, nothing lost, although event ids and windows of
// later are on the log.
func TestStates(t *testing.T) {
	r := newRig(t, 2, delays())
	run := r.start()
	send := func(from, n int, at time.Time) {
		for i := range n {
			id := fmt.Sprint(from + i)
			r.send("sluice.writes", on(int32(i%2), withID(write(fmt.Sprintf("C%d", i%7), at.Add(time.Duration(i)*time.Second), float64(i), i), id)))
		}
	}
	send(0, 40, day)
	r.drain()
	states, err := r.log.States(r.ctx)
	if err != nil || len(states) != 2 || states[0].TopicID == "" {
		t.Fatalf("States = %+v, %v, want two with the topic's id", states, err)
	}
	for _, s := range states {
		progress, partials, err := s.Read()
		if err != nil || progress.Offset != 20 || len(partials) != 1 || partials[0].Rows != 20 || partials[0].Window.Start != day {
			t.Errorf("state of %s/%d: offset %d, partials %+v, %v, want 20 records in one window", s.Topic, s.Partition, progress.Offset, partials, err)
		}
	}
	send(40, 40, day.Add(2*time.Minute))
	send(20, 20, day.Add(3*time.Minute)) // duplicates
	send(80, 20, day.Add(5*time.Minute)) // a window that the states do not have
	counts := r.drain()
	want, rows := r.merged("delays", day)
	r.end(run)
	for _, s := range states {
		if err := r.log.PutState(r.ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	back, err := r.log.States(r.ctx)
	if err != nil || !equalStates(back, states) {
		t.Errorf("States after PutState = %+v (%v), want %+v", back, err, states)
	}
	r.wait("the states are in force", func() bool {
		return r.seen[source{"sluice.writes", 0}].Offset == 20 && r.seen[source{"sluice.writes", 1}].Offset == 20
	})
	r.start()
	if again := r.drain(); again != counts {
		t.Errorf("counts = %+v, want %+v as before", again, counts)
	}
	if got, n := r.merged("delays", day); n != rows || got.Digest() != want.Digest() {
		t.Errorf("window has %d rows, digest %s, want %d, %s as before", n, got.Digest(), rows, want.Digest())
	}
	if _, n := r.merged("delays", day.Add(5*time.Minute)); n != 20 {
		t.Errorf("the later window has %d rows, want 20", n)
	}
}

// equalStates compares states, whatever their epochs.
func equalStates(a, b []State) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		p, _, err := x.Read()
		q, _, err2 := y.Read()
		p.Epoch, q.Epoch = 0, 0
		x.Progress, y.Progress = nil, nil
		if err != nil || err2 != nil || !reflect.DeepEqual(p, q) || !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

func TestStateRefuses(t *testing.T) {
	for name, s := range map[string]State{
		"no progress": {Progress: []byte("{")},
		"a partial":   {Progress: []byte("{}"), Partials: [][]byte{{9}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := s.Read(); !errors.Is(err, ErrCorrupt) {
				t.Errorf("Read = %v, want %v", err, ErrCorrupt)
			}
		})
	}
}

func TestInspect(t *testing.T) {
	r := newRig(t, 3, delays())
	found, err := r.log.Inspect(r.ctx, "nothing")
	if err != nil || found.Brokers != 1 || found.Version == "" {
		t.Fatalf("Inspect = %+v, %v", found, err)
	}
	for _, topic := range found.Topics {
		if missing := topic.Name == "nothing"; topic.Missing != missing || !missing && (topic.Partitions < 3 || topic.Replicas != 1 || len(topic.Leaderless) > 0) {
			t.Errorf("topic %+v, want three partitions with a leader, or missing", topic)
		}
	}
	ids, err := r.log.TopicIDs(r.ctx, "sluice.writes", "nothing")
	if err != nil || len(ids) != 1 || ids["sluice.writes"] == "" {
		t.Errorf("TopicIDs = %v, %v, want one id", ids, err)
	}
	if _, err := r.log.TopicIDs(r.ctx); err != nil {
		t.Error(err)
	}
	if err := r.log.PutState(r.ctx, State{Topic: "sluice.writes", Progress: []byte("{")}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("PutState of no progress = %v, want %v", err, ErrCorrupt)
	}
}
