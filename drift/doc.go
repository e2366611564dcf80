// Package drift compares windows of feature values with a baseline and says how
// far apart the two are.
//
// It has three layers. The pure statistics, which are in package binned, read
// counts over the same bins (Statistics, Comparisons). The default detector
// (BuildReference, Reference.Score) reduces each window to a few summaries per
// feature and asks how unusual they are among the windows of history: the unit of
// replication is the window, not the row. The Isolation Forest of package forest
// looks at sampled rows (Joint) for what no single feature shows.
//
// A method returns feature.Score: the statistic, its p-value where one exists,
// the observations on either side, and whether the shift is large enough to
// block. What follows from a score is for package rules to say.
//
// All functions are pure and safe for concurrent use; a Reference and a Joint are
// immutable once built.
package drift
