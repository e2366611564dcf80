// Package admin is what operators and machines ask of a process: whether it
// lives and can work (/healthz, /ready), what it measures (/metrics), which build
// it is, and, on a listener of its own, profiles of the running program.
//
// Profiles show memory contents, so they are never on the listener that serves
// requests, and nothing here uses http.DefaultServeMux. Who may reach a listener
// is for its owner to decide; Loopback helps. Everything is safe for concurrent
// use. Package admin imports feature only.
package admin
