package load

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Protocol is how features are asked for.
type Protocol string

// The protocols: Feast's ServingService over gRPC without TLS, and POST
// /get-online-features over HTTP/1.1.
const (
	GRPC Protocol = "grpc"
	HTTP Protocol = "http"
)

const (
	maxClients = 60_000          // beyond it a client has no ports left
	maxRequest = 60_000          // bytes of a request over gRPC: what may be sent before the server allows more
	patience   = 5 * time.Second // for answers that are still out when the time is over, and for dialing
	mostErrors = 5               // different texts that are kept
	longest    = 24 * time.Hour  // of a run
	leastWait  = 100 * time.Microsecond
)

// Config says what to send where, how often and how long.
type Config struct {
	Address  string   // host:port
	Protocol Protocol // GRPC or HTTP
	Path     string   // empty: Feast's GetOnlineFeatures
	Token    string   // bearer token; empty: none

	Clients  int           // connections
	Rate     float64       // requests a second of all; 0: a closed loop
	Warmup   time.Duration // before what is measured
	Duration time.Duration // of what is measured
	Requests [][]byte      // bodies: messages or JSON, sent in turn

	// Begin and End are called when the measured time begins and ends; nil: not.
	Begin, End func()
}

// Validate returns every problem of c, joined, each with its key and value.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		bad("address: %q is not host:port", c.Address)
	}
	if c.Protocol != GRPC && c.Protocol != HTTP {
		bad("protocol: %q is not grpc or http", c.Protocol)
	}
	if c.Clients < 1 || c.Clients > maxClients {
		bad("clients: %d is not in 1 to %d", c.Clients, maxClients)
	}
	if c.Rate < 0 || c.Rate > 1e6 || c.Rate != c.Rate {
		bad("rate: %v is not in 0 to 1000000 a second", c.Rate)
	}
	if c.Warmup < 0 || c.Warmup > longest {
		bad("warmup: %s is not in 0 to %s", c.Warmup, longest)
	}
	if c.Duration <= 0 || c.Duration > longest {
		bad("duration: %s is not above 0 and up to %s", c.Duration, longest)
	}
	if len(c.Requests) == 0 {
		bad("requests: none")
	}
	for i, r := range c.Requests {
		if c.Protocol == GRPC && len(r) > maxRequest {
			bad("requests: number %d has %d bytes, more than %d: ask for fewer entities", i, len(r), maxRequest)
			break
		}
	}
	return errors.Join(errs...)
}
