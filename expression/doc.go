// Package expression evaluates CEL over a view's row: the conditions that writes are
// held to, and the features that are computed when they are read.
//
// It is the one place that says what an expression may name and call, what it may
// cost, and what nulls, missing values and failures become. Reading, serving and files
// use the same compiled Set, so what a model was trained on is what it is served.
//
// A Set and a Condition are immutable and safe for concurrent use; a Row belongs to one
// goroutine. Nothing here reads a clock, draws at random or keeps state: the same values
// give the same result. Package expression imports feature only.
package expression
