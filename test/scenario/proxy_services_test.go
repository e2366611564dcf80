//go:build services

package scenario

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/test/services"
)

// network is a proxy before every service: one for each process, but for Kafka, whose
// clients follow the one address that the broker gives them.
type network struct {
	t     *testing.T
	api   string
	names []string
}

// proxyConfig is what toxiproxy answers of a proxy.
type proxyConfig struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Enabled  bool   `json:"enabled"`
}

// toxic is what a proxy does to the bytes that pass.
type toxic struct {
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Stream     string         `json:"stream"`
	Toxicity   float64        `json:"toxicity"`
	Attributes map[string]int `json:"attributes"`
}

func (n *network) do(method, path string, body, answer any) {
	n.t.Helper()
	if err := send(method, n.api+path, body, answer); err != nil {
		n.t.Fatalf("toxiproxy: %s %s: %v", method, path, err)
	}
}

// add makes a proxy and returns where it listens.
func (n *network) add(name, upstream string) string {
	n.t.Helper()
	var made proxyConfig
	n.do(http.MethodPost, "/proxies", proxyConfig{name, "127.0.0.1:0", upstream, true}, &made)
	n.names = append(n.names, name)
	return made.Listen
}

// lead sends what passes a proxy elsewhere.
func (n *network) lead(name, listen, upstream string) {
	n.t.Helper()
	n.do(http.MethodPost, "/proxies/"+name, proxyConfig{name, listen, upstream, true}, nil)
}

// poison makes a link do harm until the returned function is called.
func (n *network) poison(link string, ills ...toxic) (cure func()) {
	n.t.Helper()
	for _, ill := range ills {
		n.do(http.MethodPost, "/proxies/"+link+"/toxics", ill, nil)
	}
	return func() {
		for _, ill := range ills {
			n.do(http.MethodDelete, "/proxies/"+link+"/toxics/"+ill.Name, nil, nil)
		}
	}
}

// The ills of a link, both ways where that matters.

// slow delays every answer.
func slow(delay time.Duration) []toxic {
	ms := int(delay.Milliseconds())
	return []toxic{{"slow", "latency", "downstream", 1, map[string]int{"latency": ms, "jitter": ms / 2}}}
}

// sliced sends answers in pieces of a few bytes, with a pause after each.
func sliced(pause time.Duration) []toxic {
	us := int(pause.Microseconds())
	return []toxic{{"sliced", "slicer", "downstream", 1, map[string]int{"average_size": 64, "size_variation": 32, "delay": us}}}
}

// resets ends connections with a reset as soon as anything passes.
func resets() []toxic {
	return []toxic{{"reset", "reset_peer", "downstream", 1, map[string]int{"timeout": 0}}}
}

// silence swallows everything and keeps connections open.
func silence() []toxic {
	return []toxic{{"deaf", "timeout", "upstream", 1, map[string]int{"timeout": 0}}, {"mute", "timeout", "downstream", 1, map[string]int{"timeout": 0}}}
}

// startProxied starts services of the test's own and a fleet that reaches them through
// proxies. Redis keeps its data when it is killed.
func startProxied(t *testing.T) (*fleet, *network, *services.Set) {
	t.Helper()
	t.Setenv("SERVICES_REDIS_AOF", "yes")
	set := services.Own(t, "toxiproxy")
	n := &network{t: t, api: set.Env("TOXIPROXY_URL")}
	nowhere := "127.0.0.1:1"
	brokers := n.add("kafka", nowhere)
	t.Setenv("SERVICES_KAFKA_CONF", "advertised.listeners=PLAINTEXT://"+brokers)
	if err := set.Up(t.Context(), "kafka", "redis", "postgres"); err != nil {
		t.Fatal(err)
	}
	n.lead("kafka", brokers, set.Brokers()[0])
	dsn, err := url.Parse(set.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	f := startFleet(t, reach{
		brokers: brokers,
		redis:   func(process string) string { return n.add("redis-"+process, set.Redis()[0]) },
		postgres: func(process string) string {
			own := *dsn
			own.Host = n.add("postgres-"+process, dsn.Host)
			return own.String()
		},
	})
	return f, n, set
}

// netKinds are the faults of the network, and of what it leads to.
var netKinds = []string{"slow", "reset", "silence", "kill redis", "sliced", "slow", "reset", "partition and rollback", "silence", "freeze redis", "sliced"}

// netWrecker hurts the links of a fleet, one after another.
type netWrecker struct {
	*wrecker
	net *network
}

func (w *netWrecker) drawLink(round int, push func()) {
	w.t.Helper()
	kind := netKinds[round%len(netKinds)]
	link := w.net.names[w.rng.IntN(len(w.net.names))]
	w.done[kind]++
	push()
	began := time.Now()
	w.moment()
	switch kind {
	case "slow":
		cure := w.net.poison(link, slow(w.between(20*time.Millisecond, 400*time.Millisecond))...)
		time.Sleep(w.between(time.Second, 4*time.Second))
		cure()
	case "sliced":
		cure := w.net.poison(link, sliced(w.between(100*time.Microsecond, 2*time.Millisecond))...)
		time.Sleep(w.between(time.Second, 4*time.Second))
		cure()
	case "reset":
		cure := w.net.poison(link, resets()...)
		time.Sleep(w.between(100*time.Millisecond, 2*time.Second))
		cure()
	case "silence":
		cure := w.net.poison(link, silence()...)
		w.still()
		cure()
	case "kill redis":
		link = ""
		w.must(w.set.Kill(w.t.Context(), "redis", ""))
		w.up("redis")
	case "freeze redis":
		link = ""
		w.freezeService("redis", "")
	case "partition and rollback":
		link = "postgres-" + w.serves[0].name
		w.rollBackBehind(link)
	}
	w.t.Logf("%-24s %-16s %4.1f s", kind, link, time.Since(began).Seconds())
	for _, p := range w.all() {
		p.alive()
	}
}

// rollBackBehind cuts the first server off from the registry, and has a version rolled
// back at the second one. The first one may go on from what it knows only if it says
// so.
func (w *netWrecker) rollBackBehind(link string) {
	w.t.Helper()
	b, second := w.battery, w.serves[1]
	i := b.last
	if slices.Contains(b.bad, i) || slices.Contains(b.undone, i) {
		i--
	}
	cure := w.net.poison(link, silence()...)
	defer cure()
	var list struct{ Items []version }
	w.must(send(http.MethodGet, *second.base.Load()+"/api/v1/views/payments/versions?limit=500", nil, &list))
	at := slices.IndexFunc(list.Items, func(v version) bool { return v.Window.Start.Equal(windowStart(i)) })
	if at < 0 || list.Items[at].State != "visible" {
		w.t.Fatalf("window %d has no visible version: %+v", i, list.Items)
	}
	w.must(send(http.MethodPost, *second.base.Load()+"/api/v1/views/payments/actions/rollback",
		map[string]any{"version": list.Items[at].Version, "by": "tester", "reason": "behind its back"}, nil))
	b.pollers.ban(i, time.Now().Add(lease+time.Second))
	b.undone = append(b.undone, i)
	time.Sleep(lease + 3*time.Second)
}

// TestNetworkServices delays, slices, resets and swallows what passes between the processes
// and the services.
func TestNetworkServices(t *testing.T) {
	f, n, set := startProxied(t)
	f.define()
	rounds := max(*faults/2, 2*len(netKinds))
	w := &netWrecker{&wrecker{fleet: f, set: set, rng: random(t), done: map[string]int{}}, n}
	w.battery = &battery{site: f.site, pollers: watch(t, f.site), rounds: rounds, strike: w.drawLink, reads: int64(rounds) * 20}
	w.battery.run()
	t.Log(strings.TrimPrefix(fmt.Sprint(w.done), "map"))
	w.stood()
	if w.battery.pollers.flagged == 0 {
		t.Error("no read of a rolled-back version was flagged: the server that was cut off was not read, and the run is void")
	}
}
