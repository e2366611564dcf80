// Package judge is the pure function from evidence to verdict.
//
// A Case is everything that a verdict rests on: Judge computes the verdict, the
// same bytes for the same case. Encode writes a case as a head and blobs that are named
// by their content, so that verdicts that share a baseline share its bytes;
// DecodeCase reads it back and Verify compares a stored verdict with a recomputed one.
// A Builder makes cases out of windows of history.
//
// The package wires feature, quality, drift, freshness and rules together and
// does no I/O. Judge and Verify are safe for concurrent use; a Builder belongs to
// one goroutine.
package judge
