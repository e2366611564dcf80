// Package yardstick measures Sluice's reads beside plain servers that a team might
// write instead: grpc-go or net/http with go-redis, a pipeline for each request and
// decoded messages; and beside an echo of the same replies, which is what grpc-go
// itself costs. Feast's own server, of Python, is asked beside it as well.
//
// Each server is a process of its own, so that its processor time is its own. They
// read the same Redis and are asked in turns by the generator of package load, in
// the process of the benchmark. Run it with
//
//	make bench-serve
//
// The figures to trust are processor time a request and its ratios within one run:
// generator, servers and Redis share the machine, so latency and throughput tell
// of the machine as well.
package yardstick
