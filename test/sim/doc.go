// Package sim tests what Sluice promises when anything may stop at any point.
//
// TestHistories runs seeded histories of a whole platform in simulated time: gates
// that race and die, servers that are cut off, a tap that loses its memory, people
// who approve, roll back and freeze. The gate, the actions, the servers and the row
// store are the product's; the log, the tap and the registry are models in memory,
// and the registry's model passes the suite of package storetest. After every
// operation readers get what one who kept every row would give them.
//
// TestCrashCells runs the product's own log, tap, registry, row store, gate and
// servers, and lets one of them fail, or the process die, at exactly one step of a
// version's life. Afterwards nothing is lost, doubled or stuck.
//
// The package has tests only; their files may import everything.
package sim
