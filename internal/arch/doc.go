// Package arch holds the tests that keep the packages apart: which folder may
// import which, who may import which outside module, and how packages are named
// and described.
//
// The tests read the files themselves, so that a package that does not compile
// is checked all the same. A new arrow is a line in the table of table_test.go.
// Package arch imports nothing, and nothing imports it.
package arch
