// Package sample holds exact statistics of raw values, where both sides of a
// comparison fit in memory: what `sluice compare` and `sluice profile` print.
//
// The windows of a view are compared by their counts over pinned bins instead, with
// package drift, whose Kolmogorov-Smirnov distance is a lower bound of the one here.
//
// A Sample is sorted and has no NaN. All functions are pure and safe for concurrent
// use. The definitions are those of SciPy and NumPy where they have one, and agree with
// them to 1e-9 (testdata/reference.py).
package sample
