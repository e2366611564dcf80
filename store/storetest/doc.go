// Package storetest holds the suites that every registry and every online store
// must pass. They test what callers rely on, through the exported methods alone,
// and against a model that keeps everything.
//
// An opener is given a folder: opened again with the same folder, one after the
// other or at once where an implementation allows it, it gives the same contents.
// Each case has folders of its own.
package storetest
