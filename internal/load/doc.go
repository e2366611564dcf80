// Package load asks a server for features, over gRPC or HTTP, and measures how
// long the answers take.
//
// In a closed loop every connection asks again as soon as it is answered; the
// latency is then what the load itself makes of it. In an open loop requests are
// sent at a fixed rate whatever becomes of those before, and a latency counts
// from the instant at which its request was due, so that a server that stands
// still is charged for all who would have asked meanwhile.
//
// The wire is written and read by hand, so that the generator is cheap beside the
// server it measures. It imports api alone.
package load
