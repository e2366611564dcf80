package tap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// twoTaps are two taps of one group on one topic of two partitions, and what is sent to it:
// every write has an id of its own, and all lie in windows that nobody has judged.
type twoTaps struct {
	*rig
	topic string
	sent  map[int32]uint64
	ids   int
}

func newTwoTaps(r *rig) *twoTaps {
	return &twoTaps{rig: r, topic: r.log.cfg.Topics.Writes, sent: map[int32]uint64{}}
}

// send sends n writes to each partition: of the first 20 in each the later ones of partition
// 0 behind the end of the first window, and all others in one two hours later.
func (r *twoTaps) send(n int) {
	r.Helper()
	for partition := range int32(2) {
		for range n {
			r.rig.send(r.topic, r.numbered(partition, r.ids))
			r.ids++
		}
		r.sent[partition] += uint64(n)
	}
}

func (r *twoTaps) numbered(partition int32, id int) Out {
	at := day.Add(time.Duration(id) * time.Second)
	switch {
	case id >= 40:
		at = at.Add(2 * time.Hour)
	case partition == 0 && id >= 10:
		at = at.Add(10 * time.Minute)
	}
	return on(partition, withID(write(fmt.Sprintf("C%d", id), at, 1, id), fmt.Sprint(id)))
}

// all returns how many writes were sent.
func (r *twoTaps) all() uint64 { return r.sent[0] + r.sent[1] }

// shared waits until each tap reads as many partitions as it says.
func (r *twoTaps) shared(want map[*running]int) {
	r.Helper()
	eventually(r.rig, func() error {
		for run, n := range want {
			if owned := run.owned(); len(owned) != n {
				return fmt.Errorf("a tap owns %v, want %d partitions", owned, n)
			}
			if err := run.tap.Ready(); err != nil {
				return err
			}
		}
		return nil
	})
}

// owned returns the partitions that a tap owns.
func (run *running) owned() (all []int32) {
	run.tap.mu.Lock()
	defer run.tap.mu.Unlock()
	for at := range run.tap.owners {
		all = append(all, at.partition)
	}
	slices.Sort(all)
	return all
}

// saved waits until the profiles topic has all that was sent.
func (r *twoTaps) saved(what string) {
	r.Helper()
	r.poll(what, func(states map[source]State) bool { return holds(states, r.topic, r.sent, r.all()) })
}

// exact fails the test unless all that was sent was counted once, and what is sent again is
// known, by whoever reads the partitions now.
func (r *twoTaps) exact() {
	r.Helper()
	for partition := range int32(2) {
		r.rig.send(r.topic, r.numbered(partition, int(partition)*20+3)) // of the first 40
	}
	want := feature.Counts{Received: r.all() + 2, Accepted: r.all(), Duplicate: 2}
	if got := r.total(want.Received); got != want {
		r.Errorf("counts = %+v, want %+v", got, want)
	}
	for partition := range int32(2) {
		r.sent[partition]++
	}
	r.poll("the duplicates are counted, and no rows are lost or doubled", func(states map[source]State) bool {
		return holds(states, r.topic, r.sent, want.Accepted)
	})
}

// Of the profiles topic that two taps save in each saves its own partitions again, whether
// the other one stays, leaves or comes at that moment: nothing is lost, doubled or held.
func TestProfilesLostByTwo(t *testing.T) {
	for _, way := range losses() {
		t.Run(way.name, func(t *testing.T) { testLostByTwo(newTwoTaps(newRig(t, 2, delays())), way) })
	}
}

func testLostByTwo(r *twoTaps, way loss) {
	first, second := r.start(), r.start()
	r.shared(map[*running]int{first: 1, second: 1})
	r.send(20)
	r.total(40)
	way.lose(r.rig)
	r.saved("both save again")
	r.send(10)
	r.saved("both read on")

	way.lose(r.rig) // and one leaves
	r.end(first)
	r.saved("all is saved, by the one that leaves or the one that stays")
	r.shared(map[*running]int{second: 2})
	r.send(5)
	r.saved("the one that stays reads on")

	way.lose(r.rig) // and one comes
	first = r.start()
	r.shared(map[*running]int{first: 1, second: 1})
	r.saved("all is saved, by the one that was there or the one that came")
	r.send(5)
	r.saved("both read on")
	for _, run := range []*running{first, second} {
		if err := run.tap.Held(); err != nil {
			r.Error(err)
		}
	}
	r.exact()
	if err := r.seal("delays", day); err != nil {
		r.Errorf("the first window is not sealed: %v", err)
	}
}

// A tap that dies just after the profiles topic was lost takes with it what it alone knew.
// Its partitions are held by the one that takes them, which saves and reads its own; once
// their progress is put back they are read on from there. Nothing is lost or doubled.
func TestProfilesLostAndTapDead(t *testing.T) {
	for _, way := range losses()[2:] { // the others on Kafka
		t.Run(way.name, func(t *testing.T) { testLostAndDead(newTwoTaps(newRig(t, 2, delays())), way) })
	}
}

func testLostAndDead(r *twoTaps, way loss) {
	often := r.cfg.Checkpoint
	r.cfg.Checkpoint = time.Minute // the one that dies does not look at the topic before
	dies := r.start()
	r.shared(map[*running]int{dies: 2})
	r.cfg.Checkpoint = often
	stays := r.start()
	r.shared(map[*running]int{dies: 1, stays: 1})
	of := dies.owned()[0]
	r.send(20)
	r.watermark("delays", day.Add(time.Hour)) // a window that closes is saved at once
	r.total(40)
	r.saved("all is saved")
	kept := r.rig.saved()[source{r.topic, of}]
	way.lose(r.rig)
	r.crash(dies)
	name := fmt.Sprintf("%s/%d", r.topic, of)
	eventually(r.rig, func() error {
		if err := stays.tap.Held(); !errors.Is(err, ErrProgressLost) || !strings.HasPrefix(err.Error(), name+":") {
			return fmt.Errorf("Held() = %v, want %s alone", err, name)
		}
		return stays.tap.Ready()
	})
	r.send(10)
	other := map[int32]uint64{1 - of: r.sent[1-of]}
	r.poll("the other partition is read on", func(states map[source]State) bool { return holds(states, r.topic, other, other[1-of]) })
	if states := r.rig.saved(); len(states) != 1 {
		r.Errorf("%d partitions have progress, want that of the tap that is there", len(states))
	}
	if err := r.log.PutState(r.ctx, kept); err != nil {
		r.Fatal(err)
	}
	r.saved("all is read on")
	r.exact()
	if err := stays.tap.Held(); err != nil {
		r.Error(err)
	}
}
