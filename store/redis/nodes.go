package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// member is a node of a Cluster as a node of it says.
type member struct {
	id      string
	addr    string // host:port of its clients; empty: it has none
	named   string // the same by the host's name, if it announces one
	of      string // id of its primary; empty: it is a primary
	failing bool   // no answer comes from it (fail?), or the Cluster has agreed on that (fail)
	barred  bool   // it cannot be elected: it is not met yet, or is not to fail over
	slots   bool   // it has some
}

// at reports whether m is what clients reach at an address.
func (m member) at(addr string) bool { return addr != "" && (m.addr == addr || m.named == addr) }

// votes reports whether m counts where a Cluster decides: primaries with slots do.
func (m member) votes() bool { return m.of == "" && m.slots }

// opinion is what one node of a Cluster says of all of them.
type opinion struct {
	of      string // id of that node
	members map[string]member
}

// voters counts the nodes whose votes decide.
func (o opinion) voters() (n int) {
	for _, m := range o.members {
		if m.votes() {
			n++
		}
	}
	return n
}

// errNodes reports an answer to CLUSTER NODES that is none.
var errNodes = errors.New("not an answer to CLUSTER NODES")

// parseOpinion reads the answer to CLUSTER NODES, a line a node:
//
//	id ip:port@bus[,name[,…]] flag,… primary|- ping pong epoch link [slot …]
//
// The error is errNodes.
func parseOpinion(text string) (opinion, error) {
	o := opinion{members: map[string]member{}}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 8 {
			return opinion{}, fmt.Errorf("%w: %.100q", errNodes, line)
		}
		m := parseMember(fields)
		if slices.Contains(strings.Split(fields[2], ","), "myself") {
			o.of = m.id
		}
		o.members[m.id] = m
	}
	if o.of == "" {
		return opinion{}, fmt.Errorf("%w: no node is myself", errNodes)
	}
	return o, nil
}

// parseMember reads one line. Slots that are on their way between nodes, in brackets,
// are not counted.
func parseMember(fields []string) member {
	m := member{id: fields[0]}
	m.addr, m.named = parseAddr(fields[1])
	primary := false
	for flag := range strings.SplitSeq(fields[2], ",") {
		switch flag {
		case "master":
			primary = true
		case "fail?", "fail":
			m.failing = true
		case "handshake", "noaddr", "nofailover":
			m.barred = true
		}
	}
	if !primary {
		m.of = fields[3]
	}
	m.slots = slices.ContainsFunc(fields[8:], func(slot string) bool { return !strings.HasPrefix(slot, "[") })
	return m
}

// parseAddr reads ip:port@bus[,name[,…]]; both are empty where they are not known.
func parseAddr(text string) (addr, named string) {
	addr, rest, _ := strings.Cut(text, "@")
	colon := strings.LastIndexByte(addr, ':')
	if colon <= 0 {
		return "", ""
	}
	host, port := addr[:colon], addr[colon:]
	if _, rest, ok := strings.Cut(rest, ","); ok {
		if name, _, _ := strings.Cut(rest, ","); name != "" && !strings.Contains(name, "=") {
			named = name + port
		}
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	return host + port, named
}
