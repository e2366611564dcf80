package tap

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// lines keeps what is logged.
type loggedLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *loggedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *loggedLines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// saved returns what the profiles topic holds, by source; nothing while it is not there.
func (r *rig) saved() map[source]State {
	states, err := r.log.States(r.ctx)
	if err != nil {
		return nil
	}
	all := map[source]State{}
	for _, s := range states {
		all[source{s.Topic, s.Partition}] = s
	}
	return all
}

// poll waits until ok holds of what the profiles topic holds.
func (r *rig) poll(what string, ok func(map[source]State) bool) {
	r.Helper()
	for {
		states := r.saved()
		if ok(states) {
			return
		}
		if r.ctx.Err() != nil {
			r.Fatalf("waited in vain until %s; the profiles topic holds %d states", what, len(states))
		}
	}
}

// holds reports whether every partition of the writes is saved with so many records, and
// all that were open or closed and not judged, with their rows.
func holds(states map[source]State, topic string, received map[int32]uint64, rows uint64) bool {
	n := uint64(0)
	for partition, want := range received {
		s, there := states[source{topic, partition}]
		if !there {
			return false
		}
		progress, partials, err := s.Read()
		if err != nil || progress.Counts.Received != want {
			return false
		}
		for _, p := range partials {
			n += p.Rows
		}
	}
	return n == rows
}

// loss is a way to lose what is on the profiles topic.
type loss struct {
	name string
	lose func(r *rig)
}

func losses() []loss {
	return []loss{
		{"deleted", (*rig).deleteProfiles},
		{"made anew", func(r *rig) { r.remake(r.log.cfg.Topics.Profiles) }},
		{"cut", (*rig).cutProfiles},
	}
}

// deleteProfiles deletes the profiles topic; whoever misses it makes it. A broker lists it
// for a moment after it was told to delete it.
func (r *rig) deleteProfiles() {
	r.Helper()
	topic := r.log.cfg.Topics.Profiles
	if _, err := r.log.countPartitions(r.ctx, []string{topic}); err != nil {
		r.Fatal(err)
	}
	home := r.log.identity(topic)
	if _, err := r.log.admin.DeleteTopics(r.ctx, topic); err != nil {
		r.Fatal(err)
	}
	eventually(r, func() error {
		_, err := r.log.countPartitions(r.ctx, []string{topic})
		if err == nil && r.log.identity(topic) == home {
			return errors.New("the broker lists the deleted topic still")
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil
		}
		return err
	})
}

// cutProfiles deletes all records of the profiles topic, as a retention does.
func (r *rig) cutProfiles() {
	r.Helper()
	topic, policy := r.log.cfg.Topics.Profiles, "compact,delete" // Kafka cuts no other
	_, err := r.log.admin.AlterTopicConfigs(r.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, topic)
	if err != nil {
		r.Fatal(err)
	}
	ends, err := r.log.admin.ListEndOffsets(r.ctx, topic)
	if err != nil {
		r.Fatal(err)
	}
	eventually(r, func() error { // the policy reaches the broker a moment after it was taken
		cut, err := r.log.admin.DeleteRecords(r.ctx, ends.Offsets())
		return errors.Join(err, cut.Error())
	})
}

// guarded is a rig with 20 writes in each of two partitions, of which the first half of
// partition 0 is in a window that has closed and nobody has judged.
func guarded(r *rig) (run *running, logged *loggedLines, send func(partition int32, n int)) {
	r.Helper()
	id := 0
	send = func(partition int32, n int) {
		for range n {
			at := day.Add(time.Duration(id) * time.Second)
			if partition == 0 && id >= 10 {
				at = at.Add(10 * time.Minute)
			}
			r.send(r.log.cfg.Topics.Writes, on(partition, withID(write(fmt.Sprintf("C%d", id), at, 1, id), fmt.Sprint(id))))
			id++
		}
	}
	logged = &loggedLines{}
	run = r.startLogged(logged)
	send(0, 20)
	send(1, 20)
	r.total(40)
	return run, logged, send
}

func (r *rig) startLogged(to *loggedLines) *running {
	r.Helper()
	deps := r.deps()
	deps.Logger = slog.New(slog.NewTextHandler(to, nil))
	return r.startWith(deps)
}

// What the profiles topic loses while taps run is saved again within a moment, of idle
// partitions as well, and whoever follows the topic goes on: a tap that starts then goes on
// where the former one was, with the same windows and event ids.
func TestProfilesLostWhileRunning(t *testing.T) {
	for _, way := range losses() {
		t.Run(way.name, func(t *testing.T) { testProfilesLost(newRig(t, 2, delays()), way) })
	}
}

// What the in-process broker compacts is not lost, though its partitions begin later then:
// nothing is told and nothing saved again. A checkpoint that is cut from it is.
func TestProfilesCompactedInProcess(t *testing.T) {
	r := newRig(t, 2, delays())
	r.log.cfg.InProcess = true
	run, logged, send := guarded(r)
	r.end(run)
	run = r.startLogged(logged)
	send(0, 10)
	send(1, 10)
	r.total(60)
	whole := run.starts(r)
	r.broker.cluster.Compact()
	eventually(r, func() error {
		starts, err := r.log.admin.ListStartOffsets(r.ctx, r.log.cfg.Topics.Profiles)
		starts.Each(func(at kadm.ListedOffset) {
			if at.Offset <= whole[at.Partition] {
				err = errors.Join(err, fmt.Errorf("partition %d begins at %d, not beyond %d", at.Partition, at.Offset, whole[at.Partition]))
			}
		})
		return err
	})
	if err := run.tap.look(r.ctx); err != nil {
		t.Fatal(err)
	}
	run.tap.mu.Lock()
	for at, o := range run.tap.owners {
		if gap := o.gap.Load(); gap != nil {
			t.Errorf("%s: %+v is held for lost", at, gap)
		}
	}
	run.tap.mu.Unlock()
	if n := testutil.ToFloat64(run.tap.metrics.errors.WithLabelValues(reasonProfiles)); n > 0 {
		t.Errorf("%g checkpoints are counted as lost", n)
	}
	r.cutProfiles()
	r.poll("what was cut is saved again", func(states map[source]State) bool {
		return holds(states, r.log.cfg.Topics.Writes, map[int32]uint64{0: 30, 1: 30}, 60)
	})
}

// starts returns from where what the owners saved lies, by partition.
func (run *running) starts(r *rig) map[int32]int64 {
	at := map[int32]int64{}
	eventually(r, func() error {
		run.tap.mu.Lock()
		defer run.tap.mu.Unlock()
		for s, o := range run.tap.owners {
			if saved := o.saved.Load(); saved != nil {
				at[s.partition] = saved.whole
			}
		}
		if len(at) < 2 {
			return errors.New("a partition has no owner that saved")
		}
		return nil
	})
	return at
}

func testProfilesLost(r *rig, way loss) {
	topic := r.log.cfg.Topics.Writes
	run, _, send := guarded(r)
	before := r.progress()
	way.lose(r)
	r.poll("both partitions are saved again, with their windows", func(states map[source]State) bool {
		return holds(states, topic, map[int32]uint64{0: 20, 1: 20}, 40)
	})
	send(0, 10)
	r.total(50)
	r.wait("who follows has later epochs, or would pass them over", func() bool {
		for at, p := range r.seen {
			if p.Epoch < before[at].Epoch || p.Epoch == before[at].Epoch && way.name != "cut" {
				return false
			}
		}
		return true
	})
	way.lose(r) // once more, of a topic that was made anew
	r.poll("both partitions are saved again", func(states map[source]State) bool {
		return holds(states, topic, map[int32]uint64{0: 30, 1: 20}, 50)
	})
	if n := testutil.ToFloat64(run.tap.metrics.errors.WithLabelValues(reasonProfiles)); n < 2 {
		r.Errorf("the losses were counted %g times, want each", n)
	}
	r.end(run)
	r.start()
	r.send(topic, on(1, withID(write("C25", day.Add(25*time.Second), 1, 25), "25"))) // again
	send(1, 5)
	if got, want := r.total(56), (feature.Counts{Received: 56, Accepted: 55, Duplicate: 1}); got != want {
		r.Errorf("counts = %+v, want %+v", got, want)
	}
	if _, rows := r.merged("delays", day); rows != 10+20+5 {
		r.Errorf("the first window has %d rows, want 35", rows)
	}
}

// A tap that leaves just when the profiles topic is lost saves what it has before it goes.
func TestProfilesLostOnLeaving(t *testing.T) {
	for _, way := range losses() {
		t.Run(way.name, func(t *testing.T) {
			testLostOnLeaving(leavingRig(newRig(t, 2, delays())), way)
		})
	}
}

// leavingRig has taps look at the profiles topic when they leave, and hardly before.
func leavingRig(r *rig) *rig {
	r.cfg.Checkpoint = time.Minute
	return r
}

func testLostOnLeaving(r *rig, way loss) {
	run := r.start()
	r.send(r.log.cfg.Topics.Writes, on(0, withID(write("C1", day, 1, 1), "1")))
	r.poll("both partitions are owned", func(states map[source]State) bool { return len(states) == 2 && run.tap.Ready() == nil })
	r.poll("all is read", func(map[source]State) bool {
		return testutil.ToFloat64(run.tap.metrics.writes.WithLabelValues(r.log.cfg.Topics.Writes, "0", "accepted")) == 1
	})
	way.lose(r)
	r.end(run)
	r.poll("both partitions are saved", func(states map[source]State) bool {
		return holds(states, r.log.cfg.Topics.Writes, map[int32]uint64{0: 1, 1: 0}, 1)
	})
}

// A window that closed since the last checkpoint, which has all of it, is saved again as
// well if the profiles topic loses that checkpoint: nobody has judged it.
func TestProfileOfJustClosedWindowLost(t *testing.T) {
	r := newRig(t, 1, delays())
	topic := r.log.cfg.Topics.Writes
	r.send(topic, on(0, write("C1", day, 1, 1)))
	r.watermark("delays", day.Add(time.Hour))
	deps := r.deps()
	deps.Logger = slog.New(slog.DiscardHandler)
	tap, err := New(r.cfg, r.log, deps)
	if err != nil {
		t.Fatal(err)
	}
	at := source{topic, 0}
	w, err := newWriter(r.log.cfg.Brokers, at)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	p, err := tap.take(r.ctx, at, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	save := func(again bool) {
		t.Helper()
		p.saves.again = again
		if err := p.checkpoint(r.ctx, w, again); err != nil {
			t.Fatal(err)
		}
	}
	for offset := range int64(2) {
		err := r.log.readRange(r.ctx, topic, 0, offset, offset+1, func(record *kgo.Record) error { return p.record(r.ctx, record) })
		if err != nil {
			t.Fatal(err)
		}
		if offset == 0 {
			save(false)
		}
	}
	r.cutProfiles()
	save(true)
	r.poll("the closed window is saved again", func(states map[source]State) bool {
		return holds(states, topic, map[int32]uint64{0: 1}, 1)
	})
}

// A tap that starts after the profiles topic was lost holds the partitions that were read
// before, says so once, and is ready for the rest. It goes on by itself once their progress
// is put back, or once somebody has said that they are to be read from their start. A
// partition that was added meanwhile is read as any new one.
func TestProfilesLostWhileStopped(t *testing.T) {
	for _, way := range losses()[1:] {
		t.Run(way.name, func(t *testing.T) { testProfilesHeld(newRig(t, 2, delays()), way) })
	}
}

func testProfilesHeld(r *rig, way loss) {
	topic := r.log.cfg.Topics.Writes
	run, _, send := guarded(r)
	r.end(run)
	kept := r.saved()
	way.lose(r)
	if _, err := r.log.admin.CreatePartitions(r.ctx, 1, topic); err != nil {
		r.Fatal(err)
	}
	send(0, 10)
	send(2, 3)
	logged := &loggedLines{}
	run = r.startLogged(logged)
	third := source{topic, 2}
	r.poll("the added partition is read, and the others are not", func(states map[source]State) bool {
		return holds(states, topic, map[int32]uint64{2: 3}, 3) && run.tap.Held() != nil && strings.Contains(run.tap.Held().Error(), topic+"/0, "+topic+"/1")
	})
	r.poll("the gauge says so", func(map[source]State) bool {
		return testutil.ToFloat64(run.tap.metrics.held.WithLabelValues(topic)) == 2
	})
	if states := r.saved(); len(states) != 1 || states[third].Topic == "" {
		r.Errorf("%d partitions have progress, want the added one alone", len(states))
	}
	if err := run.tap.Held(); !errors.Is(err, ErrProgressLost) {
		r.Errorf("Held() = %v, want %v", err, ErrProgressLost)
	}
	if err := run.tap.Ready(); err != nil {
		r.Errorf("Ready() = %v: reads would end for what only people can mend", err)
	}
	if n := logged.count("partition is held"); n != 2 {
		r.Errorf("%d lines say that a partition is held, want one of each", n)
	}
	if err := r.log.PutState(r.ctx, kept[source{topic, 0}]); err != nil {
		r.Fatal(err)
	}
	if err := r.log.PutState(r.ctx, FirstState(topic, 1, kept[source{topic, 1}].TopicID)); err != nil {
		r.Fatal(err)
	}
	r.poll("both are read on", func(states map[source]State) bool {
		return holds(states, topic, map[int32]uint64{0: 30, 1: 20, 2: 3}, 53) && run.tap.Held() == nil
	})
	want := map[int32]feature.Counts{0: {Received: 30, Accepted: 30}, 1: {Received: 20, Accepted: 20}, 2: {Received: 3, Accepted: 3}}
	r.wait("who follows knows so", func() bool {
		for at, p := range r.seen {
			if p.Counts != want[at.partition] {
				return false
			}
		}
		return len(r.seen) == len(want)
	})
}

// A partition whose progress is there but not the profile of a window that is open is held
// as well; it is not once that window is judged.
func TestProfileOfOpenWindowLost(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprintf("judged %t", sealed), func(t *testing.T) {
			r := newRig(t, 1, delays())
			topic, at := r.log.cfg.Topics.Writes, source{"sluice.writes", 0}
			r.clock.set(day)
			run := r.start()
			r.send(topic, on(0, write("C1", day, 1, 1)))
			r.drain()
			r.clock.set(day.Add(3 * time.Minute))
			r.wait("the partition is idle", func() bool { return r.seen[at].Views["delays"].Idle })
			if sealed {
				if err := r.seal("delays", day); err != nil {
					t.Fatal(err)
				}
			}
			r.crash(run)
			profiles := r.log.cfg.Topics.Profiles
			states := r.saved()
			if err := r.log.Forget(r.ctx, []WindowKey{{"delays", day.UnixNano(), topic, 0}}); err != nil { // a retention would take whole segments
				t.Fatal(err)
			}
			run = r.start()
			if sealed {
				r.poll("the partition is read", func(map[source]State) bool { return run.tap.Ready() == nil && run.tap.Held() == nil })
				return
			}
			r.poll("the partition is held", func(map[source]State) bool {
				err := run.tap.Held()
				return err != nil && errors.Is(err, ErrProgressLost)
			})
			if err := r.log.PutState(r.ctx, states[at]); err != nil {
				t.Fatal(profiles, err)
			}
			r.poll("the partition is read on", func(map[source]State) bool { return run.tap.Held() == nil && run.tap.Ready() == nil })
		})
	}
}

// What a broker without the mark in the registry says, or one whose topic is another one,
// is a new partition.
func TestBegunElsewhere(t *testing.T) {
	r := newRig(t, 1, delays())
	if err := r.registry.NoteBegun(r.ctx, r.log.cfg.Topics.Writes, 0, "another"); err != nil {
		t.Fatal(err)
	}
	run := r.start()
	r.send(r.log.cfg.Topics.Writes, on(0, write("C1", day, 1, 1)))
	r.total(1)
	if id, begun, err := r.registry.Begun(r.ctx, r.log.cfg.Topics.Writes, 0); id == "another" || !begun || err != nil {
		t.Errorf("Begun = %q, %t, %v, want the topic's own id", id, begun, err)
	}
	if err := run.tap.Held(); err != nil {
		t.Error(err)
	}
}

// A profiles topic that is not compacted alone is told of at the start.
func TestProfilesPolicy(t *testing.T) {
	r := newRig(t, 1, delays())
	policy := "compact,delete"
	_, err := r.log.admin.AlterTopicConfigs(r.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, r.log.cfg.Topics.Profiles)
	if err != nil {
		t.Fatal(err)
	}
	logged := &loggedLines{}
	run := r.startLogged(logged)
	r.poll("it is told", func(map[source]State) bool { return logged.count("set its cleanup.policy to compact alone") == 1 })
	r.end(run)
	found, err := r.log.Inspect(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range found.Topics {
		if want := map[string]string{r.log.cfg.Topics.Profiles: policy}[topic.Name]; topic.Policy != want {
			t.Errorf("policy of %s is %q, want %q", topic.Name, topic.Policy, want)
		}
	}
}
