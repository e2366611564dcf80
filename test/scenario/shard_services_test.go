//go:build services

package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sluice/test/services"
)

// shard is a third of the Redis Cluster: the names of its nodes, and where they are.
type shard struct {
	primary, replica         string
	primaryAddr, replicaAddr string
}

// at returns a client of one node. What is asked of it does not depend on others.
func at(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, DialTimeout: time.Second, ReadTimeout: time.Second, MaxRetries: -1, Protocol: 2})
}

// shards asks a node of the Cluster what it knows: shards that have both nodes.
func (w *wrecker) shards(asked services.Node, nodes []services.Node) (all []shard, err error) {
	c := at(asked.Addr)
	defer c.Close()
	text, err := c.ClusterNodes(w.t.Context()).Result()
	if err != nil {
		return nil, err
	}
	names, addrs := map[string]string{}, map[string]string{}
	replicas := map[string]string{} // by primary
	var primaries []string
	for line := range strings.Lines(text) {
		// id ip:port@bus flags primary ...
		fields := strings.Fields(line)
		id, addr, flags := fields[0], fields[1][:strings.IndexByte(fields[1], '@')], fields[2]
		i := slices.IndexFunc(nodes, func(n services.Node) bool { return n.Addr == addr })
		if i < 0 || strings.Contains(flags, "fail") {
			continue
		}
		names[id], addrs[id] = nodes[i].Name, addr
		if strings.Contains(flags, "master") && len(fields) > 8 {
			primaries = append(primaries, id)
		} else if strings.Contains(flags, "slave") {
			replicas[fields[3]] = id
		}
	}
	for _, p := range primaries {
		if r := replicas[p]; r != "" {
			all = append(all, shard{names[p], names[r], addrs[p], addrs[r]})
		}
	}
	return all, nil
}

// clusterNodes are the nodes of the Cluster that run.
func (w *wrecker) clusterNodes() (live []services.Node) {
	w.t.Helper()
	all, err := w.set.Nodes(w.t.Context())
	w.must(err)
	for _, n := range all {
		if n.Service == "redis-cluster" && n.Up {
			live = append(live, n)
		}
	}
	return live
}

// shard returns one of the three, once all of them have both nodes.
func (w *wrecker) shard() (chosen shard) {
	w.t.Helper()
	w.until("the Redis Cluster is whole", settled, func() error {
		nodes := w.clusterNodes()
		all, err := w.shards(nodes[0], nodes)
		if err != nil {
			return err
		}
		if len(all) != 3 {
			return fmt.Errorf("%d whole shards", len(all))
		}
		slices.SortFunc(all, func(a, b shard) int { return strings.Compare(a.primary, b.primary) })
		chosen = all[w.rng.IntN(3)]
		return nil
	})
	return chosen
}

// killPrimary kills one, waits until its replica has taken over, and starts it again,
// on empty memory: if it came back before, it would be an empty primary.
func (w *wrecker) killPrimary() {
	s := w.shard()
	w.moment()
	w.must(w.set.Kill(w.t.Context(), "redis-cluster", s.primary))
	w.takenOver(s)
	w.up("redis-cluster")
}

// takenOver waits until the replica of s is a primary.
func (w *wrecker) takenOver(s shard) {
	w.t.Helper()
	c := at(s.replicaAddr)
	defer c.Close()
	w.until(s.replica+" takes over from "+s.primary, settled, func() error {
		role, err := info(w, c, "role")
		if err == nil && role != "master" {
			err = errors.New("it is a " + role)
		}
		return err
	})
}

// enough are bytes that some rows of a window take on the way to a replica.
const enough = 1000

// failOverWithLag freezes a replica and cuts it off, so that what is written from then
// on is acknowledged and will be lost, kills the primary, and lets the replica take
// over: in the middle of a window, or after it was judged and shown.
func (w *wrecker) failOverWithLag(push func()) {
	s := w.shard()
	primary, replica := at(s.primaryAddr), at(s.replicaAddr)
	defer primary.Close()
	defer replica.Close()
	w.must(w.set.Pause(w.t.Context(), "redis-cluster", s.replica))
	w.must(primary.ClientKillByFilter(w.t.Context(), "TYPE", "replica").Err()) // the sockets would hold what follows
	began := offset(w, primary)
	push()
	if w.rng.IntN(2) == 0 {
		// Until it is judged, or as long as the taps wait for the replica.
		_ = patiently(w.t.Context(), 3*time.Second, func() error { return w.seen(w.battery.window) })
	} else {
		// Part of it is staged, or nothing: some faults come while the taps rest.
		_ = patiently(w.t.Context(), 5*time.Second, func() error {
			if n := offset(w, primary) - began; n < enough {
				return fmt.Errorf("%d bytes were written", n)
			}
			return nil
		})
	}
	w.lost += offset(w, primary) - began
	w.must(w.set.Kill(w.t.Context(), "redis-cluster", s.primary))
	w.must(w.set.Resume(w.t.Context(), "redis-cluster", s.replica))
	w.takenOver(s)
	w.up("redis-cluster")
}

// info returns a field of INFO replication.
func info(w *wrecker, c *redis.Client, name string) (string, error) {
	text, err := c.Info(w.t.Context(), "replication").Result()
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return value, nil
		}
	}
	return "", fmt.Errorf("no %s in INFO", name)
}

// offset returns how far a primary has come, or a replica has followed.
func offset(w *wrecker, c *redis.Client) int64 {
	w.t.Helper()
	text, err := info(w, c, "master_repl_offset")
	w.must(err)
	n, err := strconv.ParseInt(text, 10, 64)
	w.must(err)
	return n
}

// seen returns nil if window i is judged at this time.
func (s *site) seen(i int) error {
	var list struct{ Items []window }
	if err := s.get("/api/v1/views/payments/windows?start="+windowStart(i).Format(time.RFC3339), &list); err != nil {
		return err
	}
	if len(list.Items) != 1 || list.Items[0].State != "judged" {
		return fmt.Errorf("window %d is not judged yet: %+v", i, list.Items)
	}
	return nil
}
