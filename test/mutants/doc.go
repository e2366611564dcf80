// Package mutants plants bugs in the product and wants its tests to catch each.
//
// A bug is a change of a line or two of a source file, given to go test as an
// overlay, so that the tree stays as it is; the table names the test that must fail
// with it and passes without it. A bug whose line is no longer there fails as out of
// date.
//
// The package has tests only, and imports nothing of this module.
package mutants
