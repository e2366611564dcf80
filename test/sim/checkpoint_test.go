package sim

import (
	"maps"
	"slices"

	"sluice/feature"
	"sluice/quality/sketch"
)

// checkpoint stages what is held, and only then says so on the profiles topic.
func (s *stream) checkpoint() {
	if !s.restore() {
		return
	}
	panes := append(slices.Clone(s.state.closed), slices.Collect(maps.Values(s.state.open))...)
	for _, p := range panes {
		if err := s.stage(p); err != nil {
			s.restart(false)
			return
		}
	}
	progress := feature.Progress{Topic: s.w.topic, Partition: s.partition, Epoch: s.epoch, Offset: int64(s.state.next), Views: map[string]feature.ViewProgress{
		s.w.view.Name: {Watermark: s.state.watermark, Idle: s.state.idle, Left: s.state.left},
	}}
	var partials []sketch.Partial
	for _, p := range panes {
		if p.dirty {
			partials = append(partials, s.partial(p))
			p.dirty = false
		}
	}
	s.state.closed = nil
	s.saved = s.state.clone()
	s.w.profiles.publish(progress, partials)
}

func (s *stream) partial(p *pane) sketch.Partial {
	profile, err := s.profile(p.offsets).MarshalBinary()
	if err != nil {
		panic(err) // a profile that was just made
	}
	n := len(p.offsets)
	return sketch.Partial{
		View: s.w.view.Name, Window: p.window, Version: p.version, Topic: s.w.topic, Partition: s.partition, Epoch: s.epoch, Offset: int64(s.state.next),
		Profile: profile, Rows: uint64(n), Span: feature.Span{Topic: s.w.topic, Partition: s.partition, First: int64(p.offsets[0]), Last: int64(p.offsets[n-1])},
		Offline: p.offline,
	}
}

func (s *stream) profile(offsets []int) *sketch.Profile {
	s.mu.Lock()
	defer s.mu.Unlock()
	profile := sketch.NewProfile(s.w.view, sketch.Unbinned(s.w.view), hashKey)
	for _, i := range offsets {
		if e := s.log[i]; e.late {
			profile.AddLate(&e.write)
		} else {
			profile.Add(&e.write)
		}
	}
	return profile
}

// rest makes the partition idle, if it has read everything.
func (s *stream) rest() {
	if !s.restore() || s.state.idle || s.state.next < len(s.log) {
		return
	}
	left, err := s.w.tap.LeaveIdle(s.w.ctx, s.w.topic, s.partition, s.w.view.ID)
	if err != nil {
		s.restart(false)
		return
	}
	s.state.idle, s.state.left = true, left
	s.checkpoint()
}
