// Package control answers the control API under /api/v1: definitions and their
// state, writes, versions, windows, verdicts, actions, baselines, accounting, the
// audit log, alerts, dead letters, the clock, and plan and apply. Reads of rows
// are package serving's, which registers them on the same mux.
//
// Every answer is JSON. Lists are {"items":[],"next":""} and take ?after= and
// ?limit=; errors are {"error":{"code","message","hint"}} with the status of their
// code, 404 for what is not there, and 408 for a wait without news. A route
// states the role that it needs; who asks comes from the token where there is one.
//
// The package decides nothing: it reads the registry and the board, and hands
// actions to package materialize. An API is safe for concurrent use.
package control
