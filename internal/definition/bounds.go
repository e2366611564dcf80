package definition

import (
	"time"

	"sluice/feature"
)

// validateBounds checks that a view cannot need more than K = feature.MaxVisible
// versions above the floor, which is all that a vector lists.
//
// Let P be probation.windows, H hold, S the window's size and L its lateness.
// Versions are judged in order and t is the one judged last.
//
// Probation. A version is certified once P later ones were judged, and the floor
// then passes it. When t is listed, the versions t-P to t may all be listed:
// P + 1 of them. So P + 1 <= K.
//
// Hold. A version h that is held keeps the floor below it until H later windows
// were judged. If h and those after it have too few rows they are held together,
// and one joint verdict lists h to h+H at once: H + 1 of them; what was listed
// before h is certified by then, or is among the P + 1. So H + 1 <= K.
//
// Lateness. While the watermark m of a partition passes over them, the windows
// with start <= m < end + L are open, each with a staged version: at most
// 1 + ceil(L/S) of them. An entity keeps a record in each, beside the K that may
// be listed, so they are bounded by K as well: 1 + ceil(L/S) <= K.
//
// Optimistic. Open versions are listed too. Once t is judged, P of those judged
// are uncertified, and the windows with start in [end of t, end of t + L] are
// open: 1 + floor(L/S). So P + 1 + floor(L/S) <= K: every window that is open
// when one has been judged has a place. A window that opens within the lateness
// of the one before may wait for its place until that one is judged.
func validateBounds(v *feature.View, key string, found *Problems) {
	const k = feature.MaxVisible
	p, size, late := v.Publish.ProbationWindows, v.Window.Size, v.Window.Lateness
	if p+1 > k {
		found.add("", 0, key+".publish.probation.windows", "%d: with it %d versions could be visible above the last certified one, and at most %d may: want at most %d", p, p+1, k, k-1)
	}
	if h := v.Publish.Hold; h+1 > k {
		found.add("", 0, key+".publish.hold", "%d: with it %d held versions could become visible at once, and at most %d may: want at most %d", h, h+1, k, k-1)
	}
	if size <= 0 || late < 0 {
		return // reported by validateWindow
	}
	open := 1 + int64(late/size)
	if late%size > 0 {
		open++
	}
	if open > k {
		found.add("", 0, key+".window.lateness", "%s: with windows of %s %d would be open at once, and at most %d may: want at most %s",
			FormatDuration(late), FormatDuration(size), open, k, FormatDuration((k-1)*size))
		return
	}
	if need := p + 1 + int(late/size); v.Publish.Mode == feature.Optimistic && p+1 <= k && need > k {
		found.add("", 0, key+".window.lateness", "%s: optimistic windows of %s with probation.windows %d could make %d versions visible, and at most %d may: lower probation.windows or the lateness",
			FormatDuration(late), FormatDuration(size), p, need, k)
	}
}

// latenessFor returns the default lateness of a view whose size, mode and
// probation are set: 30s, or the most that validateBounds takes.
func latenessFor(v *feature.View) time.Duration {
	const k = feature.MaxVisible
	size := v.Window.Size
	if size <= 0 {
		return defaultLateness
	}
	if v.Publish.Mode == feature.Optimistic {
		return min(defaultLateness, size/2)
	}
	if size > defaultLateness {
		return defaultLateness
	}
	return min(defaultLateness, (k-1)*size)
}
