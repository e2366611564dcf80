package tap

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/feature"
)

// lawEnd is how a tap ends, or an owner loses its state, between two chunks of
// records.
type lawEnd int

const (
	stopped        lawEnd = iota // saves
	died                         // saves nothing, wherever it is
	diedStaging                  // saves nothing; an owner stands in the middle of a batch or of a checkpoint
	diedCommitting               // saves nothing; an owner's transaction is written and not committed
	reread                       // the store fails in the middle of a batch: the owner goes back to its checkpoint
	lawEnds
)

func (e lawEnd) String() string {
	return [...]string{"stopped", "died", "died staging", "died committing", "reread"}[e]
}

// lawHits counts the ends that struck where they were meant to.
type lawHits [lawEnds]atomic.Int64

var errFuse = errors.New("fuse")

// fuse is an online store whose n-th call to Stage, once armed, fails or hangs
// until its caller is dropped.
type fuse struct {
	Rows
	left  atomic.Int64 // calls until it blows; not armed below 1
	hang  atomic.Bool
	blown atomic.Bool
	tell  func()
}

func (f *fuse) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	if f.left.Add(-1) != 0 {
		return f.Rows.Stage(ctx, view, version, rows)
	}
	f.blown.Store(true)
	f.tell()
	if f.hang.Load() {
		<-ctx.Done()
	}
	return 0, errFuse
}

func (f *fuse) arm(n int, hang bool) {
	f.hang.Store(hang)
	f.blown.Store(false)
	f.left.Store(int64(n))
}

// noCommits is a broker that, from the n-th commit on, commits no transaction.
type noCommits struct {
	left  atomic.Int64
	armed atomic.Bool
	blown atomic.Bool
}

func (c *noCommits) arm(n int) {
	c.blown.Store(false)
	c.left.Store(int64(n))
	c.armed.Store(true)
}

func (r *rig) noCommits() *noCommits {
	c := &noCommits{}
	r.broker.cluster.ControlKey(kmsg.EndTxn.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		r.broker.cluster.KeepControl()
		end, ok := request.(*kmsg.EndTxnRequest)
		if !ok || !end.Commit || !c.armed.Load() || c.left.Add(-1) > 0 {
			return nil, nil, false
		}
		if !c.blown.Swap(true) {
			go r.tell()
		}
		return nil, errFuse, true // the connection ends
	})
	return c
}

// tell makes waits look again.
func (r *rig) tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.news)
	r.news = make(chan struct{})
}

// lawRun runs taps over one plan, until everything is saved.
type lawRun struct {
	*rig
	rng     *rand.Rand
	fuse    *fuse
	commits *noCommits
	run     *running
	sent    []int64 // by partition
	hits    *lawHits
}

func newLawRun(r *rig, rng *rand.Rand) *lawRun {
	return &lawRun{rig: r, rng: rng, fuse: &fuse{Rows: r.rows, tell: r.tell}, commits: r.noCommits(), hits: &lawHits{}}
}

// feed appends the plan in chunks, in an order between the partitions that is
// drawn, and ends and starts the tap between them.
func (l *lawRun) feed(plan lawPlan, ends []lawEnd) {
	l.sent = make([]int64, len(plan))
	l.begin()
	total := 0
	for _, records := range plan {
		total += len(records)
	}
	for i, end := range ends {
		l.append(plan, l.rng.IntN(2*total/(len(ends)+1)))
		l.next(end, plan, 1+l.rng.IntN(1+total/(len(ends)+1)))
		if i == len(ends)-1 {
			break
		}
	}
	l.append(plan, total)
}

// append sends the next n records, or those that are left.
func (l *lawRun) append(plan lawPlan, n int) {
	var chunk []Out
	for range n {
		var open []int32
		for p, records := range plan {
			if l.sent[p] < int64(len(records)) {
				open = append(open, int32(p))
			}
		}
		if len(open) == 0 {
			break
		}
		p := open[l.rng.IntN(len(open))]
		chunk = append(chunk, on(p, plan[p][l.sent[p]].out))
		l.sent[p]++
	}
	if len(chunk) > 0 {
		l.send("sluice.writes", chunk...)
	}
}

// next ends the tap that way, with another chunk of n records on the topic, and
// starts the next one.
func (l *lawRun) next(end lawEnd, plan lawPlan, n int) {
	switch end {
	case died:
		enough := l.rng.Int64N(1 + l.total())
		l.wait("part is saved", func() bool { return l.saved() >= enough })
	case diedStaging, reread:
		l.fuse.arm(1+l.rng.IntN(12), end == diedStaging)
	case diedCommitting:
		l.commits.arm(1 + l.rng.IntN(4))
	}
	l.append(plan, n)
	hit := true
	switch end {
	case stopped:
		l.end(l.run)
	case died:
		l.crash(l.run)
	case diedStaging, reread:
		l.wait("the store fails or all is saved", func() bool { return l.fuse.blown.Load() || l.saved() >= l.total() })
		hit = l.fuse.blown.Load()
		l.fuse.left.Store(0)
		if end == diedStaging {
			l.crash(l.run)
		}
	case diedCommitting:
		l.wait("a commit fails or all is saved", func() bool { return l.commits.blown.Load() || l.saved() >= l.total() })
		hit = l.commits.blown.Load()
		l.crash(l.run)
		l.commits.armed.Store(false)
	}
	if hit {
		l.hits[end].Add(1)
	}
	if end != reread {
		l.begin()
	}
}

func (l *lawRun) begin() {
	l.cfg.Checkpoint = []time.Duration{3, 15, 60}[l.rng.IntN(3)] * time.Millisecond
	l.cfg.StageRows = []int{3, 10, 40}[l.rng.IntN(3)]
	l.cfg.FetchBytes = []int32{1 << 10, 8 << 10, 4 << 20}[l.rng.IntN(3)]
	deps := l.deps()
	deps.Rows = l.fuse
	l.run = l.startWith(deps)
}

func (l *lawRun) total() (n int64) {
	for _, sent := range l.sent {
		n += sent
	}
	return n
}

// saved returns up to how many records there are checkpoints; called by wait.
func (l *lawRun) saved() (n int64) {
	for p := range l.sent {
		n += l.seen[source{"sluice.writes", int32(p)}].Offset
	}
	return n
}
