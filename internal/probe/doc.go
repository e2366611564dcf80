// Package probe watches an installation from outside: it writes a view of its own all
// the time, with values that it knows, and now and then a window of wrong ones that the
// gate must keep out.
//
// What it tells is whether each planted fault was caught, how long a verdict took from
// the end of its window, and whether any reader ever got a value that is not a known good
// one. Good values are a function of key and event time, so that a probe that was
// restarted knows the values of the one before, and several may run at once.
//
// The package does not speak to a server itself: that is a Server, which the command
// makes. A Probe runs once. Package probe imports nothing of ours.
package probe
