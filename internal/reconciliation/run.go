package reconciliation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/feature"
)

// looks is how often entities that differ are looked at before a view counts as one that
// always moves.
const looks = 12

// mostRepairs is how often what differs is written again before it is left as it is. Behind
// a row that is removed another one may be missing.
const mostRepairs = 3

// Run holds what readers of a view get against the log. An error ends it; what it had
// repaired until then stays repaired, and it may be repeated. The result is valid with
// ErrMoving as well, which counts the entities of which nothing could be said as different.
func Run(ctx context.Context, deps Deps, view *feature.View, opts Options) (Result, error) {
	r := &run{Deps: deps, view: view, opts: opts, buckets: map[uint8]bool{}, result: Result{View: view.Name, Differences: []Difference{}, Unreadable: []Unreadable{}}}
	began := time.Now()
	err := r.all(ctx)
	r.result.Took, r.result.Buckets = time.Since(began), len(r.buckets)
	slices.SortFunc(r.result.Differences, func(a, b Difference) int { return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key)) })
	if err != nil {
		return r.result, fmt.Errorf("reconcile %s: %w", view.Name, err)
	}
	return r.result, nil
}

// run is one Run under way.
type run struct {
	Deps
	view    *feature.View
	opts    Options
	buckets map[uint8]bool
	asked   bool            // Before was
	floor   feature.Version // at the last look

	mu       sync.Mutex
	result   Result
	progress Progress
	told     time.Time
}

// all goes through the buckets, in as many shares as keep memory bounded.
func (r *run) all(ctx context.Context) error {
	s, err := r.snapshot(ctx)
	if err != nil {
		return err
	}
	rows := uint64(0)
	for _, v := range s.versions {
		rows += v.Rows
	}
	shares := 1
	if r.opts.Held > 0 {
		shares = min(r.Buckets, 1+int(rows/uint64(r.opts.Held)))
	}
	for share := range shares {
		if err := r.share(ctx, func(key feature.Key) bool { return int(r.Bucket(key))%shares == share }); err != nil {
			return err
		}
	}
	return nil
}

// share reconciles the entities of some buckets.
func (r *run) share(ctx context.Context, asked func(feature.Key) bool) error {
	first, _, err := r.look(ctx, asked, false)
	if err != nil {
		return err
	}
	r.result.Entities += first.same + first.expired + first.unread + len(first.findings)
	r.result.Expired, r.result.Unread = r.result.Expired+first.expired, r.result.Unread+first.unread
	before := r.result.Different
	err = r.settle(ctx, first.findings)
	r.result.Same += first.same + len(first.findings) - (r.result.Different - before)
	return err
}

// settle looks at entities that differed once until it is sure of each, and repairs those
// that do.
func (r *run) settle(ctx context.Context, open []finding) error {
	found := map[feature.Key]finding{} // that were called different, whether they were repaired or not
	repairs := 0
	for n := 0; len(open) > 0; n++ {
		if n == looks {
			r.report(found, open)
			return ErrMoving
		}
		suspects := make(map[feature.Key]bool, len(open))
		for _, f := range open {
			suspects[f.key] = true
		}
		c, still, err := r.look(ctx, func(key feature.Key) bool { return suspects[key] }, true)
		if err != nil {
			return err
		}
		open = c.findings
		if !still {
			continue
		}
		for _, f := range open {
			if _, known := found[f.key]; !known {
				found[f.key] = f
			}
		}
		if !r.opts.Repair || repairs == mostRepairs {
			break
		}
		repairs++
		written, err := r.repair(ctx, open)
		if err != nil {
			return err
		}
		if written == 0 {
			break
		}
	}
	r.report(found, open)
	return nil
}

// look compares entities once. still is that the vector was the same before and after.
func (r *run) look(ctx context.Context, asked func(feature.Key) bool, whole bool) (c *compared, still bool, err error) {
	r.result.Looks++
	s, err := r.snapshot(ctx)
	if err != nil {
		return nil, false, err
	}
	r.floor = s.vector.Floor
	want, err := r.read(ctx, s, asked, whole)
	if err != nil {
		return nil, false, err
	}
	if c, err = r.compare(ctx, s, want); err != nil {
		return nil, false, err
	}
	after, err := r.Registry.Vector(ctx, r.view.ID)
	r.result.Generation = after.Generation
	return c, after.Generation == s.vector.Generation, err
}

// report counts entities that were called different; open are those that still are.
func (r *run) report(found map[feature.Key]finding, open []finding) {
	left := map[feature.Key]bool{}
	for _, f := range open {
		left[f.key] = true
		if _, known := found[f.key]; !known {
			found[f.key] = f
		}
	}
	r.result.Different += len(found)
	r.result.Repaired += len(found) - len(left)
	for _, f := range slices.SortedFunc(maps.Values(found), func(a, b finding) int { return cmp.Compare(a.key, b.key) }) {
		bucket := r.Bucket(f.key)
		r.buckets[bucket] = true
		if len(r.result.Differences) >= r.opts.Listed {
			continue
		}
		d := Difference{Bucket: bucket, Key: f.key, Name: f.key.Text(r.view), Kind: f.kind, Repaired: !left[f.key]}
		if !f.want.record.Deleted {
			d.Want = &Shown{f.want.record.Version, time.Unix(0, f.want.record.EventTime).UTC()}
		}
		if f.got.Version != 0 && !f.got.Deleted {
			d.Got = &Shown{f.got.Version, time.Unix(0, f.got.EventTime).UTC()}
		}
		r.result.Differences = append(r.result.Differences, d)
	}
}

// parts begins a look in what Tell is told.
func (r *run) parts(s *snapshot) {
	n := 0
	for i := range s.versions {
		n += len(s.versions[i].Spans)
	}
	r.tell(func(p *Progress) { *p = Progress{Look: p.Look + 1, OfParts: n} })
}

func (r *run) partRead()          { r.tell(func(p *Progress) { p.Parts++ }) }
func (r *run) entitiesRead(n int) { r.tell(func(p *Progress) { p.Entities += n }) }

func (r *run) tell(change func(*Progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.progress)
	if now := time.Now(); r.opts.Tell != nil && now.Sub(r.told) >= time.Second {
		r.told = now
		r.opts.Tell(r.progress)
	}
}
