package tap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// profileRecord makes a record of the profiles topic, as a dead transaction might
// leave it.
func (r *rig) putState(partition int32, key stateKey, value []byte) {
	r.Helper()
	r.send("sluice.profiles", Out{Key: key.append(nil), Value: value, Partition: &partition})
}

func statePartial(t *testing.T, at source, epoch, seq uint64, offset int64, rows uint64) (stateKey, []byte) {
	t.Helper()
	view := delays()
	profile, _ := sketch.NewProfile(&view, sketch.Unbinned(&view), testKey).MarshalBinary()
	body, err := encodePartial(&sketch.Partial{
		View: "delays", Window: view.Window.Of(day), Version: 1, Topic: at.topic, Partition: at.partition,
		Epoch: epoch, Offset: offset, Profile: profile, Rows: rows,
	})
	if err != nil {
		t.Fatal(err)
	}
	return stateKey{kind: kindPartial, at: at, view: "delays", start: day.UnixNano()}, piece{stamp{epoch, seq}, 1, body}.append(nil)
}

// What a transaction that never ended left in front of the next one is passed
// over; a partial whose own progress was compacted away is not.
func TestFollowPassesOverDeadTransactions(t *testing.T) {
	r := newRig(t, 1, delays())
	at := source{"sluice.writes", 0}
	progress := func(epoch, seq uint64, offset int64, epochs ...epochEnd) []byte {
		b, err := json.Marshal(progressRecord{
			Progress: feature.Progress{Topic: at.topic, Partition: at.partition, Epoch: epoch, Offset: offset}, Seq: seq, Epochs: epochs,
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rows := func() uint64 { return r.parts[WindowKey{"delays", day.UnixNano(), at.topic, 0}].Rows }
	key, value := statePartial(t, at, 10, 3, 50, 7) // its progress, 10/3, was compacted away
	r.putState(0, key, value)
	r.putState(0, stateKey{kind: kindProgress, at: at}, progress(10, 5, 90, epochEnd{10, 5}))
	r.wait("the compacted checkpoint", func() bool { return r.seen[at].Offset == 90 })
	if got := rows(); got != 7 {
		t.Errorf("rows = %d, want 7", got)
	}
	key, value = statePartial(t, at, 10, 6, 120, 999) // never ended
	r.putState(0, key, value)
	r.putState(0, stateKey{kind: kindProgress, at: at}, progress(20, 1, 90, epochEnd{10, 5}, epochEnd{20, 1}))
	r.wait("the next owner's checkpoint", func() bool { return r.seen[at].Epoch == 20 })
	if got := rows(); got != 7 {
		t.Errorf("rows = %d, want 7: a dead transaction was counted", got)
	}
	r.putState(0, key, nil)
	r.wait("the tombstone", func() bool { return rows() == 0 })
}

// A partial larger than a chunk is put together again, and forgotten whole.
func TestPartialInChunks(t *testing.T) {
	r := newRig(t, 1, delays())
	at := source{"sluice.writes", 0}
	_, whole := statePartial(t, at, 1, 1, 5, 3)
	chunk, err := parsePiece(whole)
	if err != nil {
		t.Fatal(err)
	}
	pieces := slices.Collect(slices.Chunk(chunk.body, 40))
	for i, body := range slices.Backward(pieces) {
		r.putState(0, stateKey{kindPartial, at, "delays", day.UnixNano(), i}, piece{stamp{1, 1}, len(pieces), body}.append(nil))
	}
	b, err := json.Marshal(progressRecord{Progress: feature.Progress{Topic: at.topic, Epoch: 1, Offset: 5}, Epochs: []epochEnd{{1, 1}}})
	if err != nil {
		t.Fatal(err)
	}
	r.putState(0, stateKey{kind: kindProgress, at: at}, b)
	name := WindowKey{"delays", day.UnixNano(), at.topic, 0}
	r.wait("the partial", func() bool { return r.parts[name].Rows == 3 })
	_, before, err := r.log.bounds(r.ctx, "sluice.profiles", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.log.Forget(r.ctx, []WindowKey{name}); err != nil {
		t.Fatal(err)
	}
	if _, after, _ := r.log.bounds(r.ctx, "sluice.profiles", 0); after-before != int64(len(pieces)) {
		t.Errorf("Forget wrote %d tombstones, want one for each of %d chunks", after-before, len(pieces))
	}
}

// A tap that lost its partition without noticing cannot save, and takes nothing
// that its successor counts.
func TestZombieIsFenced(t *testing.T) {
	r := newRig(t, 1, delays())
	r.cfg.Checkpoint = 20 * time.Second // the zombie has not saved what it read
	zombie := r.start()
	r.wait("the first owner", func() bool { return len(r.seen) == 1 })
	for i := range 20 {
		r.send("sluice.writes", write("UA", day.Add(time.Duration(i)*time.Second), 1, i))
	}
	r.cfg.Checkpoint = 20 * time.Millisecond
	r.cfg.Group = "other" // nobody tells the zombie
	r.start()
	counts := r.drain()
	if counts.Accepted != 20 {
		t.Errorf("counts = %+v, want 20 accepted", counts)
	}
	r.watermark("delays", day.Add(time.Hour)) // both close the window and save
	r.drain()
	if _, rows := r.merged("delays", day); rows != 20 {
		t.Errorf("window holds %d rows, want 20", rows)
	}
	r.crash(zombie)
}

// flaky is a registry and store that fail now and then.
type flaky struct {
	Versions
	Rows
	calls atomic.Int64
}

var errFlaky = errors.New("flaky")

func (f *flaky) fail() error {
	if f.calls.Add(1)%20 == 1 {
		return errFlaky
	}
	return nil
}

func (f *flaky) OpenVersion(ctx context.Context, v *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error) {
	if err := f.fail(); err != nil {
		return feature.VersionInfo{}, err
	}
	return f.Versions.OpenVersion(ctx, v, w, now)
}

func (f *flaky) Sync(ctx context.Context) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Rows.Sync(ctx)
}

// Errors of registry and store cost time, never a count.
func TestFlakyNeighbours(t *testing.T) {
	r := newRig(t, 1, delays())
	deps := r.deps()
	f := &flaky{Versions: r.registry, Rows: r.rows}
	deps.Versions, deps.Rows = f, f
	r.startWith(deps)
	for i := range 60 {
		r.send("sluice.writes", withID(write("UA", day.Add(time.Duration(i)*5*time.Minute), float64(i), i), fmt.Sprint(i)))
	}
	if counts := r.drain(); counts != (feature.Counts{Received: 60, Accepted: 60}) {
		t.Errorf("counts = %+v, want 60 accepted", counts)
	}
	if f.calls.Load() < 20 {
		t.Errorf("%d calls, want enough for some to fail", f.calls.Load())
	}
	r.compare(t, "delays", day, 60)
}

// A view that is applied after the tap has begun is found, with the records
// already waiting; and its topic is read.
func TestDefinitionsChange(t *testing.T) {
	r := newRig(t, 1)
	deps := r.deps()
	deps.Refresh = func(context.Context) error {
		if r.view("delays") == nil {
			r.apply(delays())
		}
		return nil
	}
	r.startWith(deps)
	r.send("sluice.writes", write("UA", day, 1, 1), Out{Value: []byte(`{"view":"nowhere","key":{},"event_time":1,"values":{}}`)})
	r.wait("both records", func() bool { return r.seen[source{"sluice.writes", 0}].Counts.Received == 2 })
	if got, want := r.progress()[source{"sluice.writes", 0}].Counts, (feature.Counts{Received: 2, Accepted: 1, DeadLettered: 1}); got != want {
		t.Errorf("counts = %+v, want %+v", got, want)
	}
	own := delays()
	own.Name, own.Source = "own", feature.Source{Topic: "own"}
	more := delays()
	more.Features = append(more.Features, feature.Feature{Name: "extra", Type: feature.Bool})
	r.apply(more, own)
	r.wait("the new topic", func() bool { return r.seen[source{"own", 0}].Views != nil })
	r.send("own", Out{Value: []byte(`{"carrier":"UA","event_time":"2024-05-06T12:00:00Z","delay":1}`)})
	o := write("UA", day, 1, 1)
	o.Value = []byte(`{"view":"delays","key":{"carrier":"AA"},"event_time":"2024-05-06T12:00:00Z","values":{"extra":true}}`)
	r.send("sluice.writes", o)
	if counts := r.drain(); counts.Accepted != 3 {
		t.Errorf("counts = %+v, want 3 accepted", counts)
	}
}

// Two taps of one group share the partitions, and hand them over.
func TestTwoTaps(t *testing.T) {
	r := newRig(t, 4, delays())
	first := r.start()
	r.send("sluice.writes", write("UA", day, 1, 1))
	r.drain()
	second := r.start()
	r.waitReady(second, 2)
	for i := range 40 {
		r.send("sluice.writes", write(fmt.Sprint("c", i), day.Add(time.Duration(i)*time.Second), 1, i))
	}
	r.drain()
	r.end(first)
	for i := range 40 {
		r.send("sluice.writes", write(fmt.Sprint("c", i), day.Add(time.Duration(i)*time.Second), 1, i))
	}
	if counts := r.drain(); counts.Accepted != 81 || counts.Received != 81 {
		t.Errorf("counts = %+v, want 81 accepted", counts)
	}
	if _, rows := r.merged("delays", day); rows != 81 {
		t.Errorf("window holds %d rows, want 81", rows)
	}
	r.end(second)
}

// waitReady waits until a tap owns n partitions and has restored them.
func (r *rig) waitReady(run *running, n int) {
	r.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(deadline)
	for {
		run.tap.mu.Lock()
		owned := len(run.tap.owners)
		run.tap.mu.Unlock()
		if owned == n && run.tap.Ready() == nil {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			r.Fatalf("a tap owns %d partitions, want %d: %v", owned, n, run.tap.Ready())
		}
	}
}
