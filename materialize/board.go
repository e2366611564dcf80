package materialize

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// part names a partition of a source topic.
type part struct {
	topic     string
	partition int32
}

func (p part) String() string { return fmt.Sprintf("%s/%d", p.topic, p.partition) }

// Board knows how far every partition has been read and what each has of every
// window that is not judged yet. It is fed by the profiles topic, in its order,
// and is safe for concurrent use.
type Board struct {
	writes     string                 // the default topic
	partitions func(topic string) int // of a source topic; 0 if not known yet

	mu       sync.Mutex
	progress map[part]feature.Progress
	views    map[string]map[int64]*pending // by view, by window start in Unix nanoseconds
	caught   bool
	changed  chan struct{}
}

// pending is a window that is not judged yet.
type pending struct {
	window feature.Window
	parts  map[part]sketch.Partial
	ends   map[int32]int64 // up to where partitions must have been read to count as idle; nil: not asked for yet
}

// NewBoard returns an empty board. writes is the topic of views that name none.
// partitions tells how many partitions a source topic has: a window is complete
// only when all of them are past it.
func NewBoard(writes string, partitions func(topic string) int) *Board {
	return &Board{
		writes: writes, partitions: partitions, progress: map[part]feature.Progress{},
		views: map[string]map[int64]*pending{}, changed: make(chan struct{}),
	}
}

// Update applies one checkpoint: a progress record and the partials it covers.
// A partial replaces the former one of its partition and window.
func (b *Board) Update(p feature.Progress, partials []sketch.Partial) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := part{p.Topic, p.Partition}
	if old, ok := b.progress[at]; ok && p.Epoch < old.Epoch {
		return
	}
	b.progress[at] = p
	for _, partial := range partials {
		windows := b.views[partial.View]
		if windows == nil {
			windows = map[int64]*pending{}
			b.views[partial.View] = windows
		}
		start := partial.Window.Start.UnixNano()
		if windows[start] == nil {
			windows[start] = &pending{window: partial.Window, parts: map[part]sketch.Partial{}}
		}
		windows[start].parts[part{partial.Topic, partial.Partition}] = partial
	}
	b.signal()
}

// CaughtUp notes that everything that was on the log at the start has been read.
func (b *Board) CaughtUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.caught = true
	b.signal()
}

// Ready reports an error until the log as it was at the start has been read.
func (b *Board) Ready() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.caught {
		return fmt.Errorf("profiles topic: still reading what was there at the start")
	}
	return nil
}

// topic returns where the view's writes come from.
func (b *Board) topic(view *feature.View) string {
	if view.Source.Topic == "" {
		return b.writes
	}
	return view.Source.Topic
}

func (b *Board) signal() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Changed returns a channel that closes at the next change.
func (b *Board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// Judged forgets a window and returns the partials it had.
func (b *Board) Judged(view string, start time.Time) []sketch.Partial {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.views[view][start.UnixNano()]
	if p == nil {
		return nil
	}
	delete(b.views[view], start.UnixNano())
	b.signal()
	return p.list()
}

// Forgotten notes that the log no longer keeps the partial of a judged window:
// another gate has judged it. The rest of the window goes with its last partial.
func (b *Board) Forgotten(view string, start time.Time, topic string, partition int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.views[view][start.UnixNano()]
	if p == nil {
		return
	}
	delete(p.parts, part{topic, partition})
	if len(p.parts) == 0 {
		delete(b.views[view], start.UnixNano())
	}
	b.signal()
}

func (p *pending) list() []sketch.Partial {
	var all []sketch.Partial
	for _, partial := range p.parts {
		all = append(all, partial)
	}
	slices.SortFunc(all, func(a, c sketch.Partial) int {
		if a.Topic != c.Topic {
			if a.Topic < c.Topic {
				return -1
			}
			return 1
		}
		return int(a.Partition) - int(c.Partition)
	})
	return all
}

// complete is a window that every partition is past, with what each holds of it
// and which of them were counted idle.
type complete struct {
	window   feature.Window
	partials []sketch.Partial
	idle     map[string]uint64 // partition to how often it had left idleness
}

// next returns the view's earliest window that is not judged, if it is complete.
func (b *Board) next(view *feature.View) (complete, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.caught {
		return complete{}, false
	}
	starts := b.starts(view.Name)
	if len(starts) == 0 {
		return complete{}, false
	}
	first := b.views[view.Name][starts[0]]
	behind, idle := b.behind(view, first)
	if len(behind) > 0 {
		return complete{}, false
	}
	return complete{window: first.window, partials: first.list(), idle: idle}, true
}

func (b *Board) starts(view string) []int64 {
	var starts []int64
	for start := range b.views[view] {
		starts = append(starts, start)
	}
	slices.Sort(starts)
	return starts
}

// awaits reports whether it is known up to where partitions must have been read before
// they count as idle for a window.
func (b *Board) awaits(view *feature.View, w feature.Window) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	pending := b.views[view.Name][w.Start.UnixNano()]
	return pending != nil && pending.ends != nil
}

// await has partitions count as idle for a window only once they were read up to ends.
func (b *Board) await(view *feature.View, w feature.Window, ends map[int32]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if pending := b.views[view.Name][w.Start.UnixNano()]; pending != nil {
		pending.ends = ends
	}
}

// behind returns the partitions that hold a window open, and those counted idle.
func (b *Board) behind(view *feature.View, of *pending) (behind []string, idle map[string]uint64) {
	topic := b.topic(view)
	n := b.partitions(topic)
	if n == 0 {
		return []string{topic}, nil
	}
	idle = map[string]uint64{}
	for i := range n {
		p := part{topic, int32(i)}
		state, ok := b.progress[p].Views[view.Name]
		switch {
		case ok && !state.Watermark.IsZero() && view.Window.Closed(of.window, state.Watermark):
		case ok && state.Idle && b.progress[p].Offset >= of.ends[p.partition]:
			idle[p.String()] = state.Left
		default:
			behind = append(behind, p.String())
		}
	}
	return behind, idle
}

// beyond returns the start of the first window that no partition has opened: the
// first one that a new layout can apply to as a whole.
func (b *Board) beyond(view *feature.View, judged feature.Window) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := judged.End
	for i := range b.partitions(b.topic(view)) {
		mark := b.progress[part{b.topic(view), int32(i)}].Views[view.Name].Watermark
		if w := view.Window.Of(mark); !mark.IsZero() && w.End.After(end) {
			end = w.End
		}
	}
	for start := range b.views[view.Name] {
		if w := view.Window.Starting(time.Unix(0, start)); w.End.After(end) {
			end = w.End
		}
	}
	return end
}

// Newest returns the newest event time that any partition has accepted for the
// view; zero before the first.
func (b *Board) Newest(view *feature.View) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	var newest time.Time
	for i := range b.partitions(b.topic(view)) {
		if mark := b.progress[part{b.topic(view), int32(i)}].Views[view.Name].Watermark; mark.After(newest) {
			newest = mark
		}
	}
	return newest
}

// Overdue returns the view's windows that should have closed a window length ago
// by the clock and have not, with the partitions that hold them open.
func (b *Board) Overdue(view *feature.View, now time.Time) map[time.Time][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	late := map[time.Time][]string{}
	for _, p := range b.views[view.Name] {
		if now.Before(p.window.End.Add(view.Window.Lateness + view.Window.Idle + view.Window.Size)) {
			continue
		}
		if behind, _ := b.behind(view, p); len(behind) > 0 {
			late[p.window.Start] = behind
		}
	}
	return late
}
