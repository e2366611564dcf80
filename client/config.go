package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config says which server to ask, and how patiently. The zero value asks a server on
// this machine at its default ports.
type Config struct {
	HTTP  string // URL of the HTTP port; empty: $SLUICE_SERVER, or http://127.0.0.1:6566
	GRPC  string // host:port of the gRPC port; empty: $SLUICE_GRPC, or 127.0.0.1:6565
	Token string // empty: $SLUICE_TOKEN

	// TLS is used for gRPC, and for HTTP if its URL begins with https. Nil is gRPC in
	// the clear.
	TLS *tls.Config
	// AllowPlainToken sends the token in the clear to other machines too, as a mesh that
	// encrypts by itself wants it.
	AllowPlainToken bool

	Timeout     time.Duration // of a call, over all its tries; a context may end it sooner. 0: 5 s
	Retry       Retry
	MaxEntities int // keys of one request, at most max_entities of the server; more are split. 0: 1,000

	Keep  Keep  // what is kept of rows that were read; zero: nothing
	Batch Batch // reads of single keys that go out together; zero: none
}

// Addresses of the contract.
const (
	defaultHTTP = "http://127.0.0.1:6566"
	defaultGRPC = "127.0.0.1:6565"
)

const (
	defaultTimeout     = 5 * time.Second
	defaultMaxEntities = 1000
)

func (c Config) withDefaults() Config {
	c.HTTP = strings.TrimRight(first(c.HTTP, os.Getenv("SLUICE_SERVER"), defaultHTTP), "/")
	c.GRPC = first(c.GRPC, os.Getenv("SLUICE_GRPC"), defaultGRPC)
	c.Token = first(c.Token, os.Getenv("SLUICE_TOKEN"))
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.MaxEntities == 0 {
		c.MaxEntities = defaultMaxEntities
	}
	c.Retry, c.Batch = c.Retry.withDefaults(), c.Batch.withDefaults()
	return c
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// validate returns every problem of c, joined, each with its field.
func (c Config) validate() error {
	var errs []error
	door, err := url.Parse(c.HTTP)
	if err != nil || door.Host == "" || door.Scheme != "http" && door.Scheme != "https" {
		errs = append(errs, fmt.Errorf("HTTP: %q is no URL, want one such as %s", c.HTTP, defaultHTTP))
	}
	host, _, err := net.SplitHostPort(c.GRPC)
	if err != nil {
		errs = append(errs, fmt.Errorf("GRPC: %q is not host:port, want one such as %s", c.GRPC, defaultGRPC))
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("negative Timeout: %s", c.Timeout))
	}
	if c.MaxEntities < 0 {
		errs = append(errs, fmt.Errorf("MaxEntities: %d is negative", c.MaxEntities))
	}
	errs = append(errs, c.Retry.validate(), c.Keep.validate(), c.Batch.validate())
	if strings.ContainsAny(c.Token, "\r\n\x00") {
		errs = append(errs, errors.New("line break in Token"))
	}
	if err := errors.Join(errs...); err != nil || c.Token == "" || c.AllowPlainToken {
		return err
	}
	if door.Scheme != "https" && !loopback(door.Hostname()) {
		errs = append(errs, fmt.Errorf("HTTP: the token would go to %s in the clear; use https, or set AllowPlainToken", door.Host))
	}
	if c.TLS == nil && !loopback(host) {
		errs = append(errs, fmt.Errorf("GRPC: the token would go to %s in the clear; set TLS, or AllowPlainToken", c.GRPC))
	}
	return errors.Join(errs...)
}

// loopback says whether host is this machine.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
