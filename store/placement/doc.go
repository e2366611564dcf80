// Package placement makes one online store of several: the rows of each view are in
// the store that its definition names, and what one store fails to do leaves the views
// of the others alone.
//
// It knows which view is where, and nothing of how a store keeps rows: every call goes
// to one store whole, so what a store promises holds for its views. A store that cannot
// be opened at first is opened later, and one that gave no answer to a write is left in
// peace for a while, so that whoever works for all views is not held up by it time and
// again. Reads are not: a store has limits of time of its own for them.
//
// A Stores is safe for concurrent use. Package placement imports feature alone, and
// passes the suite in store/storetest over stores that do.
package placement
