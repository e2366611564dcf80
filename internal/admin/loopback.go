package admin

import (
	"net"
	"net/netip"
)

// Loopback reports whether a listener on addr, as host:port, is reached from
// this machine only: the host is localhost or a loopback address. No host means
// every interface, and other names may resolve to anything: both are false.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
