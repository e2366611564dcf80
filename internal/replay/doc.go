// Package replay judges a folder of files as if each were one window of a view: by the
// code that the gate judges with, without a server. The first files are history; every
// other file is compared with them.
//
// The view is made up from the files of history: a feature for each column, float64,
// string, bool, timestamp, a list of one of these, or json. A value of another type in a
// later file is refused, as the tap refuses it, and counts against the window; null elements
// of lists are left out. Timestamps need windows that are placed in time: see calendar.
package replay
