package serving

// Header is a header of HTTP that serving reads or answers, for the reference.
type Header struct {
	Name   string
	Answer bool // of an answer; else of a request
	Push   bool // of a push; else of a read
	Help   string
}

// Headers returns the headers that serving reads and answers beside those that every
// HTTP server has.
func Headers() []Header {
	return []Header{
		{headerPriority, false, false, "Of a read: `critical`, `default` or `sheddable`; it can only lower the priority of the feature service. Over gRPC the metadata `" + metaPriority + "`."},
		{headerTimeout, false, false, "Of a read or push: whole milliseconds for which the client waits, 1 to 3600000. Over gRPC the call's own deadline."},
		{headerEnvoy, false, false, "The same from an Envoy in between, where the other is not given."},
		{headerBackfill, false, true, "Of a push in one of Feast's forms: `true` says that its rows are of long ago. They are kept and served by event time, but no window is judged by them and none of them enters history. Over gRPC the metadata `" + metaBackfill + "`. `POST /api/v1/views/{view}/writes` has `?backfill=true`."},
		{headerRefused, true, false, "`true` with 503 where the policy of the request, or the vector of the view, refuses what is left to show: asking again soon does not help, and neither do rows of an earlier read. Over gRPC FAILED_PRECONDITION."},
		{headerRetry, true, false, "Seconds after which a request that was shed, with 429, is worth another try. Over gRPC `RetryInfo` and the trailer `grpc-retry-pushback-ms`."},
	}
}

const (
	headerRefused = "Sluice-Refused"
	headerRetry   = "Retry-After"
)
