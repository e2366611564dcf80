package tap

import (
	"math/rand/v2"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// lawPlan is what each partition holds, in its order.
type lawPlan [][]*lawRecord

// lawSplit draws how many partitions there are, how much each gets (one may get
// nothing), and where every record goes. Records that are sent twice stay in one
// partition, as duplicates are found by partition.
func lawSplit(rng *rand.Rand, set []*lawRecord) lawPlan {
	plan := make(lawPlan, 1+rng.IntN(6))
	weights := make([]float64, len(plan))
	for i := range weights {
		weights[i] = rng.ExpFloat64() * float64(min(1, rng.IntN(6)))
	}
	weights[rng.IntN(len(weights))] += 0.1
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	place := map[*lawRecord]int{}
	for _, r := range set {
		at, known := place[r]
		if !known {
			for x := rng.Float64() * sum; at < len(weights)-1 && x >= weights[at]; at++ {
				x -= weights[at]
			}
			place[r] = at
		}
		plan[at] = append(plan[at], r)
	}
	return plan
}

// inTime orders a partition's records at random, among all orders in which every
// record comes before its window closes. Watermark records stand between them, and
// repeated records anywhere behind their first.
func inTime(rng *rand.Rand, spec feature.WindowSpec, records []*lawRecord) (order []*lawRecord) {
	first := map[*lawRecord]bool{}
	var left, again []*lawRecord
	for _, r := range records {
		if first[r] && (r.write.EventID != "" || r.fate != accepted) {
			again = append(again, r)
			continue
		}
		first[r] = true
		left = append(left, r)
	}
	for len(left) > 0 {
		limit := latest
		for _, r := range left {
			if closes := spec.Of(r.write.EventTime).End.Add(spec.Lateness); r.windows && closes.Before(limit) {
				limit = closes
			}
		}
		if rng.IntN(60) == 0 && limit.Before(latest) {
			order = append(order, lawMark(limit.Add(-time.Duration(1+rng.IntN(40e9)))))
		}
		var may []int
		for i, r := range left {
			if r.fate != accepted || r.write.EventTime.Before(limit) {
				may = append(may, i)
			}
		}
		i := may[rng.IntN(len(may))]
		order = append(order, left[i])
		left = slices.Delete(left, i, i+1)
	}
	for _, r := range again {
		from := slices.Index(order, r) + 1
		if r.fate == refused {
			order = slices.Insert(order, from, r) // counts again, so it must be in time too
			continue
		}
		order = slices.Insert(order, from+rng.IntN(len(order)-from+1), r)
	}
	return order
}

// anyOrder orders a partition's records by event time and a delay of up to most.
func anyOrder(rng *rand.Rand, most time.Duration, records []*lawRecord) (order []*lawRecord) {
	type arrival struct {
		*lawRecord
		at time.Time
	}
	var all []arrival
	for _, r := range records {
		all = append(all, arrival{r, r.write.EventTime.Add(time.Duration(rng.Int64N(int64(most))))})
		if rng.IntN(100) == 0 {
			all = append(all, arrival{lawMark(r.write.EventTime), r.write.EventTime})
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return a.at.Compare(b.at) })
	for _, a := range all {
		order = append(order, a.lawRecord)
	}
	return order
}

// prediction is what a plan must give: the merged profile of every window, over
// all partitions at once, and the accounting.
type prediction struct {
	profiles map[int64]*sketch.Profile // by start
	counts   feature.Counts
}

// forecast is a plain account of what the tap does, with no partials, restarts or
// merges: each partition in its order, into one profile per window.
type forecast struct {
	view   *feature.View
	layout *sketch.Layout
	said   prediction
	mark   time.Time
	open   map[int64]bool
	known  map[string]bool
}

func (plan lawPlan) predict(view *feature.View, layout *sketch.Layout) prediction {
	f := &forecast{view: view, layout: layout, said: prediction{profiles: map[int64]*sketch.Profile{}}}
	for partition, records := range plan {
		f.mark, f.open, f.known = time.Time{}, map[int64]bool{}, map[string]bool{}
		for offset, r := range records {
			w := r.write
			w.Topic, w.Partition, w.Offset = "sluice.writes", int32(partition), int64(offset)
			f.take(r, &w)
		}
	}
	return f.said
}

func (f *forecast) take(r *lawRecord, w *feature.Write) {
	if r.fate == mark {
		f.advance(w.EventTime)
		return
	}
	counts := &f.said.counts
	counts.Received++
	own := f.view.Window.Of(w.EventTime)
	closed := f.view.Window.Closed(own, f.mark)
	switch {
	case r.fate == unreadable:
		counts.DeadLettered++
	case w.EventID != "" && f.known[w.EventID]:
		counts.Duplicate++
	case r.fate == future:
		counts.Quarantined++
	case r.fate == refused:
		counts.Quarantined++
		if !closed {
			f.in(own.Start).RefuseBy(&r.write, r.blamed)
		}
	default:
		counts.Accepted++
		f.known[w.EventID] = true
		if closed {
			counts.Late++
			f.in(f.oldest()).AddLate(w)
		} else {
			f.in(own.Start).Add(w)
		}
		f.advance(w.EventTime)
	}
}

// in opens a window in the partition and returns its profile.
func (f *forecast) in(start time.Time) *sketch.Profile {
	f.open[start.UnixNano()] = true
	p := f.said.profiles[start.UnixNano()]
	if p == nil {
		p = sketch.NewProfile(f.view, f.layout, testKey)
		f.said.profiles[start.UnixNano()] = p
	}
	return p
}

// oldest returns the window that late rows ride in.
func (f *forecast) oldest() time.Time {
	start := f.view.Window.Of(f.mark).Start
	for n := range f.open {
		if at := unixNano(n); at.Before(start) {
			start = at
		}
	}
	if len(f.open) > 0 {
		return slices.MinFunc(f.starts(), time.Time.Compare)
	}
	return start
}

func (f *forecast) starts() (all []time.Time) {
	for n := range f.open {
		all = append(all, unixNano(n))
	}
	return all
}

func (f *forecast) advance(at time.Time) {
	if at.After(f.mark) {
		f.mark = at
	}
	for _, start := range f.starts() {
		if f.view.Window.Closed(f.view.Window.Starting(start), f.mark) {
			delete(f.open, start.UnixNano())
		}
	}
}
