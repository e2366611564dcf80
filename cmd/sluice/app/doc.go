// Package app wires the platform: it opens what a target needs, builds the modules
// from it, and runs them until they are told to stop.
//
// It holds no judgement of its own. Everything imports towards the nouns; app
// alone imports everything, and only main imports app.
package app
