package drift

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"

	"sluice/quality/sketch"
)

// surging is the method since which values without a bin of their own are compared bucket
// by bucket, instead of by the largest share of one among the sampled rows.
const surging = 4

// SurgeLaw says what the buckets of values without a bin of their own (sketch.Column.Buckets)
// hold in windows like those of history. Of n values of a window the count X of a bucket in
// which R values of history had H is taken to have the predictive law of counts, a negative
// binomial of
//
//	mean m = n Gain (H + D/2) / R        variance m (D + n / R)
//
// with D the index of dispersion: one for values that come independently of each other, more
// where the shares of values differ between windows. P(X >= x) is I(x, k) at m / (m + k), k =
// m / (D + n / R - 1). Of the bucket that is least likely by Chernoff's bound the
// probability is taken, times the buckets (Šidák), and turned into a normal score: that is the
// summary. History then says how it is spread, as of every other, though its mean is never
// taken to be less than 0, nor its standard deviation less than 1, which they are where the
// law holds: the law alone, if history is unlike it, makes no alarm.
//
// Source: as of Rare; Z. Šidák, Rectangular confidence regions for the means of multivariate
// normal distributions, Journal of the American Statistical Association 62, 1967.
type SurgeLaw struct {
	Rows   float64    `json:"rows"`   // values of a window of history on average
	Known  BucketsLaw `json:"known"`  // of values that the layout knows
	Unseen BucketsLaw `json:"unseen"` // and of those that it does not
}

// BucketsLaw is the law of one half of the buckets.
type BucketsLaw struct {
	Gain       float64 `json:"gain"`       // how many times more is in them in windows that the layout was not built from
	Dispersion float64 `json:"dispersion"` // at least 1
}

// halves are where the buckets of known and of unseen values begin and end.
var halves = [...]struct{ from, to int }{{0, sketch.KnownBuckets}, {sketch.KnownBuckets, sketch.Buckets}}

const largestHalf = max(sketch.KnownBuckets, sketch.UnseenBuckets)

func (l *SurgeLaw) halves() [2]*BucketsLaw { return [...]*BucketsLaw{&l.Known, &l.Unseen} }

// priorBuckets is how many buckets of an index of dispersion of leastBursts count among
// those of history.
const priorBuckets = 8

// surge is what a window's buckets look like: the least likely one.
type surge struct {
	z               float64 // normal score of how unlikely it is
	bucket          int     // -1 for none
	share, expected float64 // of all values
}

const (
	leastSurge = -1 // scores are no less: only how high they come is looked at
	mostSurge  = 35 // scores of probabilities are no larger
)

// surges reads the buckets of columns against those of history.
type surges struct {
	law    *SurgeLaw
	pooled []uint64 // nil for none in any
	among  float64
}

// bucketsOf fills in what is in a column's buckets, if all its values are.
func (c *counts) bucketsOf(column *sketch.Column) {
	buckets, among := column.Buckets()
	c.buckets, c.spread = buckets, among > 0 && among == column.N
}

// of returns the surge of a window's column. With leaveOut history is the pooled one
// without this very window.
func (s *surges) of(c *counts, leaveOut bool) surge {
	out, n, among := surge{z: leastSurge, bucket: -1}, float64(c.n), s.among
	if leaveOut {
		among -= n
	}
	if c.buckets == nil || !(among > 0) {
		return out
	}
	least, size, mean := 0.0, 0.0, 0.0
	for half, law := range s.law.halves() {
		from := halves[half].from
		d := 1 + (law.Dispersion-1)*max(1, n/s.law.Rows)
		wide := d + n/among - 1
		per, more := n*law.Gain/among, law.Dispersion/2
		for i, count := range c.buckets[from:halves[half].to] {
			ago := uint64(0)
			if s.pooled != nil {
				if ago = s.pooled[from+i]; leaveOut {
					ago -= count
				}
			}
			x, m := float64(count), per*(float64(ago)+more)
			if x <= m+1 {
				continue
			}
			k := m / wide
			if bound := x*math.Log(x/m) - (x+k)*math.Log((x+k)/(m+k)); bound > least {
				least, size, mean = bound, k, m
				out.bucket, out.share, out.expected = from+i, x/n, m/n
			}
		}
	}
	if out.bucket >= 0 {
		p := mathext.RegIncBeta(out.share*n, size, mean/(mean+size))
		out.z = surgeScore(p)
	}
	return out
}

// surgeScore returns the normal score of the probability that one of all buckets is as
// unlikely as p.
func surgeScore(p float64) float64 {
	all := -math.Expm1(sketch.Buckets * math.Log1p(-min(p, 1-1e-16)))
	if !(all > leastP) {
		return mostSurge
	}
	return max(leastSurge, min(mostSurge, -distuv.UnitNormal.Quantile(all)))
}

// newSurgeLaw returns the law of the windows' buckets, and those of all together; false if
// fewer than least of those that are not left out have all their values in buckets.
func newSurgeLaw(columns []counts, leftOut func(w int) bool, least int) (surges, bool) {
	out := surges{law: &SurgeLaw{}}
	usual, windows := 0.0, 0.0 // of those not left out
	for w := range columns {
		c := &columns[w]
		if !c.spread {
			continue
		}
		out.among += float64(c.n)
		if c.buckets != nil && out.pooled == nil {
			out.pooled = make([]uint64, sketch.Buckets)
		}
		for i, n := range c.buckets {
			out.pooled[i] += n
		}
		if !leftOut(w) {
			usual, windows = usual+float64(c.n), windows+1
		}
	}
	if windows < float64(max(2, least)) {
		return surges{}, false
	}
	out.law.Rows = usual / windows
	for half, law := range out.law.halves() {
		law.fit(columns, leftOut, half, out, usual, windows)
	}
	return out, true
}

// fit fills in the law of one half from the windows that are not left out, which have so
// many values. Of W windows with counts x and expected counts e the dispersion is the larger
// one of the means of Pearson's sum (x-e)²/e / (W-1) over buckets, in which all count alike,
// and of the sums of (x-e)² and of x over all of them, which buckets that few windows have
// anything in do not draw down.
func (l *BucketsLaw) fit(columns []counts, leftOut func(w int) bool, half int, all surges, values, windows float64) {
	from, to := halves[half].from, halves[half].to
	var held [largestHalf]float64
	sum := 0.0
	for w := range columns {
		if c := &columns[w]; c.spread && c.buckets != nil && !leftOut(w) {
			for i, n := range c.buckets[from:to] {
				held[i] += float64(n)
				sum += float64(n)
			}
		}
	}
	total := 0.0
	if all.pooled != nil {
		for _, n := range all.pooled[from:to] {
			total += float64(n)
		}
	}
	l.Gain = (sum + 1) / values / ((total + 1) / all.among)
	excess, used := priorBuckets*leastBursts, float64(priorBuckets)
	var inverse [largestHalf]float64 // of the share of each
	for i, h := range held {
		if h > 0 {
			inverse[i], used = values/h, used+1
		}
	}
	squares, whole := 0.0, 0.0
	for w := range columns {
		c := &columns[w]
		if !c.spread || leftOut(w) {
			continue
		}
		n := float64(c.n)
		for i, h := range held {
			if h == 0 {
				continue
			}
			d := -n / inverse[i]
			if c.buckets != nil {
				d += float64(c.buckets[from+i])
			}
			squares += d * d * inverse[i] / n
			whole += d * d
		}
	}
	of := windows / (windows - 1)
	l.Dispersion = max(1, (squares/(windows-1)+excess)/used, (of*whole+excess)/(sum+priorBuckets))
}

// valid reports whether a law that came from outside can be judged with.
func (l *SurgeLaw) valid() bool {
	ok := l.Rows > 0 && !math.IsInf(l.Rows, 0)
	for _, h := range [...]BucketsLaw{l.Known, l.Unseen} {
		ok = ok && h.Gain > 0 && h.Dispersion >= 1 && !math.IsInf(h.Gain+h.Dispersion, 0)
	}
	return ok
}

// borrow takes over the dispersion of older windows where it is larger.
func (l *SurgeLaw) borrow(old *SurgeLaw) {
	l.Known.Dispersion = max(l.Known.Dispersion, old.Known.Dispersion)
	l.Unseen.Dispersion = max(l.Unseen.Dispersion, old.Unseen.Dispersion)
}

// meanSurge returns the shares of the buckets that rose in windows on the average, and the
// bucket of the last one.
func meanSurge(windows []reduced) surge {
	out := surge{bucket: -1}
	for w := range windows {
		s := &windows[w].surge
		out.bucket = s.bucket
		out.share += s.share / float64(len(windows))
		out.expected += s.expected / float64(len(windows))
	}
	return out
}

// newcomer returns the text of a value without a bin of its own that most sampled rows of
// the last window have: of a surge, one of its bucket; of unseen values, one of them.
func (j *judge) newcomer(f *finding) string {
	ref := j.find(f.index)
	if f.newcomer != "" || j.facet != nil || ref.Surge == nil {
		return f.newcomer
	}
	p := j.windows[len(j.windows)-1].Profile
	column := columnOf(p, j.view, f.index)
	if column == nil {
		return ""
	}
	which := place(p, column, f.index)
	counts, best, name := map[string]int{}, 0, ""
	rows := p.SampledRows()
	for i := range rows {
		bucket := p.BucketOf(&rows[i], which)
		if bucket < 0 || f.summary == Surge && bucket != f.surge.bucket || f.summary == Unseen && bucket < sketch.KnownBuckets {
			continue
		}
		text := rows[i].Values[which].Text()
		counts[text]++
		if k := counts[text]; k > best || k == best && text < name {
			best, name = k, text
		}
	}
	return name
}
