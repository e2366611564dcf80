// Package rules turns scores into a verdict.
//
// A Rule says which scores it reads (view, feature, method), when one alarms (its
// own threshold, or the method's), in how many of the last windows (k of n), and
// what an alarm does (observe, warn, enforce). Judge applies rules to the scores
// of one window; it is pure, so that a verdict can be recomputed from what is
// kept of it.
//
// What a score means is for the packages that measure; what a verdict does is for
// package materialize. Package rules imports feature only, and is safe for
// concurrent use.
package rules
