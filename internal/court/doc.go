// Package court seats the judges: it takes the gate's evidence to package judge, with
// the rules in force and the level that the project's alert budget leaves, and brings
// the verdict back with all that recomputes it.
//
// It does no I/O, and knows neither registry nor log: whoever runs a gate (the platform,
// or a test of rules on scripted windows) hands it the definitions in force. A Judges is
// safe for concurrent use.
package court
