package tap

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// maxProducers is how many producers of a view a partition keeps apart. A place is free
// for another once its producer has been silent for a minute.
const maxProducers = 8

// clocks holds the least delays of a view's producers in one partition. What it holds is
// lost with the process: a minute later it is there again.
type clocks struct {
	all   []producerClock
	other producerClock // those without a place
	last  int           // place of the one noted last
}

type producerClock struct {
	name   string
	halves [2]halfClock // newest first
}

// halfClock is the delays of one half minute of receive time.
type halfClock struct {
	half  int64 // number of the half minute
	n     uint64
	least int64 // nanoseconds
}

// note takes a record of a producer: when it was received, and its event time, both in
// Unix nanoseconds.
func (c *clocks) note(name string, received, event int64) {
	half := received / int64(feature.HalfMinute)
	if c.last >= len(c.all) || c.all[c.last].name != name {
		if c.last = c.place(name, half); c.last < 0 {
			c.last = 0
			c.other.add(half, received-event)
			return
		}
	}
	c.all[c.last].add(half, received-event)
}

// place returns the place of a producer; -1 if none is free.
func (c *clocks) place(name string, half int64) int {
	free := -1
	for i := range c.all {
		switch {
		case c.all[i].name == name:
			return i
		case c.all[i].halves[0].half < half-2:
			free = i
		}
	}
	switch {
	case len(c.all) < maxProducers:
		c.all = append(c.all, producerClock{})
		free = len(c.all) - 1
	case free < 0:
		return -1
	}
	c.all[free] = producerClock{name: name}
	return free
}

func (p *producerClock) add(half, delay int64) {
	d := &p.halves[0]
	switch {
	case half == d.half && d.n > 0:
	case half > d.half:
		p.halves[1], p.halves[0] = p.halves[0], halfClock{half: half, least: delay}
	case half == p.halves[1].half && p.halves[1].n > 0:
		d = &p.halves[1]
	default:
		return // of a half minute that is over
	}
	d.n++
	d.least = min(d.least, delay)
}

// shown returns what progress says of the producers.
func (c *clocks) shown() (all []feature.ProducerClock) {
	show := func(p *producerClock, other bool) {
		one := feature.ProducerClock{Name: p.name, Other: other}
		for _, d := range p.halves {
			if d.n > 0 {
				one.Halves = append(one.Halves, feature.Delays{From: d.half * int64(feature.HalfMinute/time.Second), N: d.n, Least: time.Duration(d.least)})
			}
		}
		if len(one.Halves) > 0 {
			all = append(all, one)
		}
	}
	for i := range c.all {
		show(&c.all[i], false)
	}
	show(&c.other, true)
	return all
}

// logAppendTime is the timestamp type of records that the broker stamps.
const logAppendTime = 1

// clock notes how long after its event time a write was received. The receipt is the
// broker's append time, where the topic has that; else the time that the record was sent
// at, but no later than now, when it is there. On a clock that is set by hand it is that
// clock's time, which says no more than whether a write is ahead of it.
func (p *partition) clock(v *viewState, r *kgo.Record, m *feature.Write) {
	if !p.clockSet || m.Backfill {
		return
	}
	now, event := p.now.UnixNano(), m.EventTime.UnixNano()
	if p.tap.deps.ClockByHand {
		v.clocks.note(m.Producer, now, max(now, event))
		return
	}
	received := r.Timestamp.UnixNano()
	if r.Attrs.TimestampType() != logAppendTime {
		received = min(received, now)
	}
	if received > 0 {
		v.clocks.note(m.Producer, received, event)
	}
}
