// Package freshness says how old a view's newest values are, by wall clock, and
// when that crosses one of the view's limits.
//
// Age is the time since the newest event time that readers can see; whether
// records still arrive does not matter. Package freshness tells; it never gates.
// Judge is pure; a Tracker belongs to one goroutine. Package freshness imports
// feature only.
package freshness
