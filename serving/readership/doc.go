// Package readership counts and samples the rows that reads return: how often each version
// was shown, who reads which feature, and some of the rows themselves.
//
// Reads count without a lock and allocate nothing, but for the first of a version; what was
// counted is handed on by Run, once a second by version and every ten seconds by feature,
// and what cannot be handed on is kept and added to what follows. Samples are dropped where
// nobody takes them in time. What is counted in memory is bounded: beyond the bounds rows
// are counted together, never lost. No read waits for any of this.
//
// A Reporter and what it gives out are safe for concurrent use. Package readership imports
// feature.
package readership
