package tap

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// takenAt is a tap's view of the registry that has something happen, once, just as it takes a
// partition: the former owner has let go of it by then.
type takenAt struct {
	Owners
	next atomic.Pointer[func()]
}

func (a *takenAt) then(do func()) *takenAt {
	a.next.Store(&do)
	return a
}

func (a *takenAt) SourceOwner(ctx context.Context, topic string, partition int32) (string, error) {
	if do := a.next.Swap(nil); do != nil {
		(*do)()
	}
	return a.Owners.SourceOwner(ctx, topic, partition)
}

// A partition that is on its way from one tap to another when the profiles topic is lost is
// saved again by the one that let go of it, and read on by the one that takes it: nothing
// is held, lost or counted twice.
func TestProfilesLostOnTheWay(t *testing.T) {
	for _, way := range losses() {
		t.Run(way.name, func(t *testing.T) { testLostOnTheWay(newTwoTaps(newRig(t, 2, delays())), way) })
	}
}

func testLostOnTheWay(r *twoTaps, way loss) {
	first := r.start()
	r.shared(map[*running]int{first: 2})
	r.send(20)
	r.total(40)
	r.saved("all is saved")
	deps := r.deps()
	deps.Owners = (&takenAt{Owners: r.registry}).then(func() { way.lose(r.rig) })
	second := r.startWith(deps)
	r.shared(map[*running]int{first: 1, second: 1})
	r.saved("all is saved again, by the one that has it or had it")
	r.readOn(first, second)
}

// readOn fails the test unless the taps read on, nothing is held and all is counted once.
func (r *twoTaps) readOn(runs ...*running) {
	r.Helper()
	r.send(10)
	r.saved("both read on")
	for _, run := range runs {
		if err := run.tap.Held(); err != nil {
			r.Error(err)
		}
	}
	r.exact()
	if err := r.seal("delays", day); err != nil {
		r.Errorf("the first window is not sealed: %v", err)
	}
}

// A tap that the group has given up, as it does with one that stands still, has read what
// nobody has saved. If the profiles topic is lost then, it saves that: whoever has the
// partition now has read nothing.
func TestProfilesLostAndTapGivenUp(t *testing.T) {
	for _, way := range losses() {
		t.Run(way.name, func(t *testing.T) { testLostAndGivenUp(newTwoTaps(newRig(t, 2, delays())), way) })
	}
}

func testLostAndGivenUp(r *twoTaps, way loss) {
	often := r.cfg.Checkpoint
	r.cfg.Checkpoint = 3 * time.Second
	first := r.start()
	r.shared(map[*running]int{first: 2})
	r.cfg.Checkpoint = often
	deps := r.deps()
	lost := &takenAt{Owners: r.registry}
	deps.Owners = lost
	second := r.startWith(deps)
	r.shared(map[*running]int{first: 1, second: 1})
	of := first.owned()[0]
	r.send(20)
	r.poll("all is read, and hardly all saved", func(map[source]State) bool {
		return testutil.ToFloat64(first.tap.metrics.writes.WithLabelValues(r.topic, fmt.Sprint(of), "accepted")) == 20
	})
	done := make(chan struct{})
	lost.then(func() { way.lose(r.rig); close(done) })
	r.giveUp(of)
	select {
	case <-done:
	case <-r.ctx.Done():
		r.Fatal("nobody took the partition of the one that was given up")
	}
	r.poll("nothing is held or lost", func(states map[source]State) bool {
		return holds(states, r.topic, r.sent, r.all()) && first.tap.Held() == nil && second.tap.Held() == nil && len(first.owned())+len(second.owned()) == 2
	})
	r.readOn(first, second)
}

// giveUp takes the member out of the group that has a partition.
func (r *twoTaps) giveUp(of int32) {
	r.Helper()
	described, err := r.log.admin.DescribeGroups(r.ctx, r.cfg.Group)
	if err != nil {
		r.Fatal(err)
	}
	for _, m := range described[r.cfg.Group].Members {
		if a, ok := m.Assigned.AsConsumer(); !ok || len(a.Topics) == 0 || a.Topics[0].Partitions[0] != of {
			continue
		}
		leave := kmsg.NewLeaveGroupRequest()
		leave.Group, leave.MemberID = r.cfg.Group, m.MemberID // which of them is used, the version says
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: m.MemberID}}
		answer, err := leave.RequestWith(r.ctx, r.log.client)
		if err == nil {
			err = kerr.ErrorForCode(answer.ErrorCode)
		}
		if err != nil {
			r.Fatal(err)
		}
		return
	}
	r.Fatalf("no member of %+v has partition %d", described, of)
}

// What a tap let go of is not given back once another one has read the partition, though the
// profiles topic loses what that one saved and that one is gone: the partition is held.
func TestLetGoIsOvertaken(t *testing.T) {
	r := newTwoTaps(newRig(t, 2, delays()))
	first := r.start()
	r.shared(map[*running]int{first: 2})
	r.send(20)
	r.saved("all is saved")
	first.tap.mu.Lock()
	var o *owner
	for _, one := range first.tap.owners {
		o = one
	}
	first.tap.mu.Unlock()
	r.end(first)
	first.tap.letGo[o.at] = o // what it had, as if it had not ended
	second := r.start()
	r.shared(map[*running]int{second: 2})
	r.send(10)
	r.saved("the other one reads on")
	r.crash(second)
	r.remake(r.log.cfg.Topics.Profiles)
	if err := first.tap.look(r.ctx); err != nil {
		t.Fatal(err)
	}
	first.tap.giveBack(r.ctx)
	if states := r.rig.saved(); len(states) > 0 {
		t.Errorf("%d partitions have progress, of which nobody knows", len(states))
	}
	third := r.start()
	eventually(r.rig, func() error {
		if err := third.tap.Held(); !errors.Is(err, ErrProgressLost) {
			return fmt.Errorf("Held() = %v, want %v", err, ErrProgressLost)
		}
		return nil
	})
}

// Of two owners that found the same one noted, one comes in, as often as it asks; the other
// has been overtaken, though it was the last to claim, and what it has stands for nothing.
func TestEntersOnce(t *testing.T) {
	r := newRig(t, 1, delays())
	tap, err := New(r.cfg, r.log, r.deps())
	if err != nil {
		t.Fatal(err)
	}
	at := source{r.log.cfg.Topics.Writes, 0}
	var taken []*partition
	for range 2 {
		w, err := newWriter(r.log.cfg.Brokers, at)
		if err != nil {
			t.Fatal(err)
		}
		defer w.close()
		p, err := tap.take(r.ctx, at, w, nil)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, p)
	}
	first, second := taken[0], taken[1]
	for range 2 {
		if err := first.enter(r.ctx); err != nil {
			t.Errorf("enter = %v, want it noted", err)
		}
	}
	if err := second.enter(r.ctx); !errors.Is(err, errFenced) {
		t.Errorf("enter of the other = %v, want %v", err, errFenced)
	}
	last, err := tap.lastOwner(r.ctx, at)
	if err != nil || !first.stands(last) || second.stands(last) {
		t.Errorf("%q, %v is noted: the first stands %t, the second %t", last, err, first.stands(last), second.stands(last))
	}
}
