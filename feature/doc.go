// Package feature holds the nouns that every other package speaks in: views,
// features, values, keys, rows, windows, versions, the vector of visible
// versions, and scores.
//
// It holds data and validity only. It does no I/O, starts no goroutine, and
// imports the standard library alone. Values and slices are owned by whoever
// made them; a View and a Vector are immutable once shared, and everything is
// then safe for concurrent use.
package feature
