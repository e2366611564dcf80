// Package embedded is the online store of one machine: the records of every
// entity in every version that readers may still need, in a Pebble store in one
// folder.
//
// It knows versions, not verdicts: what a reader may see is for its vector to say,
// which versions are dead or below the floor of every lease is for the caller. The
// suite that every online store passes is in store/storetest.
//
// A Store is safe for concurrent use by one process, which locks the folder.
// Package embedded imports feature and folder alone.
package embedded
