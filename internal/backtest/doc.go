// Package backtest applies rules to what rules read in the past: how often each would
// have fired, what would have been blocked, and which faults, as people settled them,
// would have been caught or missed.
//
// It reads records (rules.Record) in the order in which their verdicts were made, and
// judges them by package rules itself: for the rules that were in force it gives the
// states, outcomes and severities that the live run gave. Two things it cannot know: what
// another level would have done to the scores of the calibrated detector, and how history
// would have gone on without a window that other rules would have blocked. Both stay as
// they were.
//
// The package does no I/O. A Backtest belongs to one goroutine.
package backtest
