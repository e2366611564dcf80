// Package serving answers online reads: the rows of views by entity key, from
// the versions that are visible, over gRPC and HTTP, in the platform's own form
// and in Feast's.
//
// A request compiles to a plan (or finds it compiled), takes one snapshot of
// what every view shows, reads each view in one batch, and splices the stored
// bytes of the values into its reply. It never sees two generations of a view,
// and a version that is not listed is invisible to it whatever the store holds.
// The snapshot is held under a lease on the real clock: when it cannot be
// confirmed, reads are answered from the last one with fallback "lease" for the
// configured grace and then refused. Ages and TTLs follow the platform's clock.
//
// Rows that the store does not give are UNAVAILABLE, or, if so configured, those of
// an earlier read; the others of the request are answered as ever. What is returned
// is counted by version and sampled, and handed to whoever asked for it; no read
// waits for that.
//
// Serving knows versions, not verdicts: a verdict's id is an opaque string.
// What becomes visible, and when, is decided elsewhere; so is who may ask.
// Pushed rows are checked against the view and handed on as records; they are
// visible once the gate has passed them.
//
// What knows nothing of plans, snapshots and answers is in packages below this one: how
// JSON and serialized requests are taken apart (jsonform, wireform), what becomes of rows
// that are pushed (push), what is counted of reads (readership), and how a request is
// refused (refusal). They do not import this package.
//
// A Server is safe for concurrent use. Package internal/arch lists what it may import.
package serving
