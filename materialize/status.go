package materialize

import (
	"slices"
	"time"

	"sluice/feature"
)

// PartitionStatus is a partition's part in a window, as the contract shows it.
type PartitionStatus struct {
	Watermark time.Time `json:"watermark"`
	Idle      bool      `json:"idle"`
	Offset    int64     `json:"offset"`
}

// WindowStatus is one window of a view, as the contract shows it.
type WindowStatus struct {
	Start      time.Time                  `json:"start"`
	End        time.Time                  `json:"end"`
	State      string                     `json:"state"` // open | closing | judged
	Version    feature.Version            `json:"version"`
	Rows       uint64                     `json:"rows"`
	Verdict    string                     `json:"verdict"`
	Reason     string                     `json:"reason"` // why its version is where it is: of a judged window the version's, as in versions; of another one that rows were left out of the online store
	Partitions map[string]PartitionStatus `json:"partitions"`
	Behind     []string                   `json:"behind"` // partitions that hold it open
}

// Partitions returns how far every partition of the view's topic is.
func (b *Board) Partitions(view *feature.View) map[string]PartitionStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]PartitionStatus{}
	for i := range b.partitions(b.topic(view)) {
		p := part{b.topic(view), int32(i)}
		progress := b.progress[p]
		state := progress.Views[view.Name]
		all[p.String()] = PartitionStatus{Watermark: state.Watermark, Idle: state.Idle, Offset: progress.Offset}
	}
	return all
}

// Read reports whether every partition of the view's topic was read up to ends, which are
// offsets behind a last record.
func (b *Board) Read(view *feature.View, ends map[int32]int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for partition, end := range ends {
		if b.progress[part{b.topic(view), partition}].Offset < end {
			return false
		}
	}
	return true
}

// Open returns the windows of the view that are not judged, oldest first.
func (b *Board) Open(view *feature.View) []WindowStatus {
	partitions := b.Partitions(view)
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []WindowStatus
	for _, start := range b.starts(view.Name) {
		p := b.views[view.Name][start]
		status := WindowStatus{Start: p.window.Start, End: p.window.End, State: "open", Partitions: partitions}
		for _, partial := range p.parts {
			status.Version = partial.Version
			status.Rows += partial.Rows
			if partial.Offline {
				status.Reason = "some of its rows are in the log alone: its online store was nearly full"
			}
		}
		if status.Behind, _ = b.behind(view, p); len(status.Behind) == 0 {
			status.State = "closing"
		}
		all = append(all, status)
	}
	return all
}

// Accounting returns the counts of every partition read so far, by topic and
// partition.
func (b *Board) Accounting() []feature.Progress {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []feature.Progress
	for _, p := range b.progress {
		all = append(all, p)
	}
	slices.SortFunc(all, func(x, y feature.Progress) int {
		if x.Topic != y.Topic {
			if x.Topic < y.Topic {
				return -1
			}
			return 1
		}
		return int(x.Partition) - int(y.Partition)
	})
	return all
}
