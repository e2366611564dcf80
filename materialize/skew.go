package materialize

import (
	"cmp"
	"slices"
	"time"

	"sluice/feature"
)

// ProducerSkew is what is known of the clock of a view's producer, as the contract shows
// it. Both bounds are 0 where nothing speaks against the clock.
type ProducerSkew struct {
	Producer string  `json:"producer"` // header producer; empty: records that name none
	Other    bool    `json:"other"`    // all those together that were too many to be kept apart
	Records  uint64  `json:"records"`  // of the last two half minutes with records
	Delay    float64 `json:"delay_seconds"`
	Ahead    float64 `json:"ahead_seconds"`  // at least so far
	Behind   float64 `json:"behind_seconds"` // about, if the others are right
}

const (
	// freshClocks is how long ago the records may have been received: of an older half
	// minute nobody can say that it is still so, and a tap that is behind says nothing.
	freshClocks = 2 * time.Minute
	// fewDelays is how many records of a half minute show how fast a producer is.
	fewDelays = 5
	// steadyDelay is by how much the least delays of two half minutes of a stream may
	// differ. Rows of a batch or a replay grow older or younger at another pace.
	steadyDelay = 5 * time.Second
	// leastBehind is from where on a delay is more than that of a slow network.
	leastBehind = time.Second
)

type producerName struct {
	name  string
	other bool
}

// Producers returns what is known of the clocks of a view's producers: those who wrote
// within two minutes of now, by name.
func (b *Board) Producers(view *feature.View, now time.Time) []ProducerSkew {
	halves := b.delays(view, now)
	all := make([]ProducerSkew, 0, len(halves))
	for name, own := range halves {
		s := ProducerSkew{Producer: name.name, Other: name.other}
		least := own[0].Least
		for _, d := range own {
			s.Records += d.N
			least = min(least, d.Least)
		}
		s.Delay, s.Ahead = least.Seconds(), max(0, -least).Seconds()
		if behind := behindOthers(halves, name); !name.other && behind >= leastBehind {
			s.Behind = behind.Seconds()
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y ProducerSkew) int {
		if x.Other != y.Other {
			if y.Other {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.Producer, y.Producer)
	})
	return all
}

// delays returns the fresh half minutes of every producer over all partitions, newest
// first, two at most.
func (b *Board) delays(view *feature.View, now time.Time) map[producerName][]feature.Delays {
	b.mu.Lock()
	defer b.mu.Unlock()
	halves := map[producerName][]feature.Delays{}
	for i := range b.partitions(b.topic(view)) {
		for _, c := range b.progress[part{b.topic(view), int32(i)}].Views[view.Name].Clocks {
			name := producerName{c.Name, c.Other}
			for _, d := range c.Halves {
				if age := now.Sub(time.Unix(d.From, 0)); age >= 0 && age <= freshClocks {
					halves[name] = mergeDelays(halves[name], d)
				}
			}
		}
	}
	for name, all := range halves {
		slices.SortFunc(all, func(x, y feature.Delays) int { return cmp.Compare(y.From, x.From) })
		halves[name] = all[:min(len(all), 2)]
	}
	return halves
}

func mergeDelays(all []feature.Delays, d feature.Delays) []feature.Delays {
	for i := range all {
		if all[i].From == d.From {
			all[i].N += d.N
			all[i].Least = min(all[i].Least, d.Least)
			return all
		}
	}
	return append(all, d)
}

// behindOthers returns how much longer than that of the fastest other producer the least
// delay of a producer is; 0 if it or all others are no steady streams. Nobody is held
// against a producer that is ahead: that one counts as without delay.
func behindOthers(halves map[producerName][]feature.Delays, name producerName) time.Duration {
	own, ok := steady(halves[name])
	if !ok {
		return 0
	}
	behind := time.Duration(0)
	for other, of := range halves {
		if least, ok := steady(of); ok && other != name && !other.other {
			behind = max(behind, own-max(0, least))
		}
	}
	return behind
}

// steady returns the least delay of a stream; false if it is none: the two half minutes do
// not follow each other, have few records, or differ.
func steady(halves []feature.Delays) (least time.Duration, ok bool) {
	if len(halves) < 2 || halves[0].From-halves[1].From != int64(feature.HalfMinute/time.Second) {
		return 0, false
	}
	a, b := halves[0], halves[1]
	return min(a.Least, b.Least), a.N >= fewDelays && b.N >= fewDelays && (a.Least-b.Least).Abs() <= steadyDelay
}

// maxSkew is from where on a producer's clock is told of.
const maxSkew = time.Minute

// clocks shows how far the clocks of a view's producers are off, and logs each whose clock
// turns out to be, and each that is right again.
func (g *Gate) clocks(view *feature.View, now time.Time) {
	s := g.seat(view)
	ahead, behind := 0.0, 0.0
	off := map[string]bool{}
	for _, p := range g.deps.Board.Producers(view, now) {
		ahead, behind = max(ahead, p.Ahead), max(behind, p.Behind)
		if max(p.Ahead, p.Behind) <= maxSkew.Seconds() {
			continue
		}
		if off[p.Producer] = true; !s.skewed[p.Producer] {
			g.log.Warn("a producer's clock is off", "view", view.Name, "producer", p.Producer, "ahead_seconds", p.Ahead, "behind_seconds", p.Behind, "records", p.Records)
		}
	}
	for name := range s.skewed {
		if !off[name] {
			g.log.Info("a producer's clock is no longer seen to be off", "view", view.Name, "producer", name)
		}
	}
	s.skewed = off
	g.metrics.skew.WithLabelValues(view.Name, "ahead").Set(ahead)
	g.metrics.skew.WithLabelValues(view.Name, "behind").Set(behind)
}
