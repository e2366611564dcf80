// Package registry keeps what Sluice knows and has decided: definitions with
// their ids, versions, the vector of visible versions of every view, verdicts
// with what they can be recomputed from, baselines, layouts, history, alerts and
// the audit log.
//
// SQLite is the implementation for one machine: one file, one writing connection,
// a pool of readers. Apply is the only way anything is decided, and it is one
// transaction. What the nouns mean, and the errors that every registry answers
// with, are in package feature; the suite that every implementation passes is in
// store/storetest.
//
// The methods are safe for concurrent use, by several processes as well. Rows and
// their slices belong to the caller. Package registry imports feature alone.
package registry
