package redis

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a Cluster elects a new primary by, in the source of Redis (cluster.c): each node
// holds one that has not answered for the node timeout for failing (fail?). Once a
// majority of the primaries with slots says so, and gossip has brought that together at
// one node, it is agreed (fail), and a replica waits .5 to 1 s more, and 1 s for every
// other that has more data, before it asks the primaries for their votes. CLUSTER
// FAILOVER FORCE has a replica ask for the same votes at once, and they are given without
// the agreement. What it leaves out is looked at here: the majority, the age of the
// replica's data, whether it is allowed to, and which one has the most.

// identify returns the id of the primary that clients reach at an address; empty unless
// all who vote name the same one, and that it has slots.
func identify(opinions []opinion, addr string) (id string) {
	for _, o := range opinions {
		found := ""
		for _, m := range o.members {
			if m.at(addr) && m.votes() {
				found = m.id
			}
		}
		if found == "" || id != "" && id != found {
			return ""
		}
		id = found
	}
	return id
}

// majority reports whether most of the primaries with slots, not only of those that gave
// an opinion, hold a node for failing. Their number is the greatest that one of them knows.
func majority(opinions []opinion, id string) bool {
	size, say := 0, map[string]bool{}
	for _, o := range opinions {
		size = max(size, o.voters())
		if o.members[o.of].votes() && o.of != id && o.members[id].failing {
			say[o.of] = true
		}
	}
	return len(say) > size/2
}

// replicasOf returns the replicas of a primary that may be elected: whoever anybody
// holds for one, but those that most hold for failing.
func replicasOf(opinions []opinion, id string) (list []member) {
	seen := map[string]bool{}
	for _, o := range opinions {
		for _, m := range o.members {
			if m.of == id && !seen[m.id] && !m.barred && !majority(opinions, m.id) {
				seen[m.id] = true
				list = append(list, m)
			}
		}
	}
	slices.SortFunc(list, func(a, b member) int { return strings.Compare(a.id, b.id) })
	return list
}

// elected reports whether anybody holds a node for a primary with slots.
func elected(opinions []opinion, id string) bool {
	return slices.ContainsFunc(opinions, func(o opinion) bool { return o.members[id].votes() })
}

// standing is what a replica says of itself.
type standing struct {
	member
	err     error         // it did not say
	history string        // replication id that it follows
	offset  int64         // how far it has come in that
	age     time.Duration // since it heard of its primary
	oldest  time.Duration // beyond that Redis would not have it elected
	syncing bool          // it is only getting its primary's data
}

// validity is the factor by which Redis limits the age of a replica's data unless it is
// told otherwise; told that there is no limit, a replica is still not asked beyond it.
const validity = 10

// oldestOf is how long ago a replica may have heard of its primary to be elected: a
// node timeout, for that is how long the primary has been silent at least, and the
// factor of node timeouts and a ping of the primary's more.
func oldestOf(timeout, ping time.Duration, factor int64) time.Duration {
	if factor <= 0 {
		factor = validity
	}
	return ping + timeout*time.Duration(factor+1)
}

// Reasons to ask for no election although most say that the primary fails.
var (
	errNoReplicas = errors.New("it has no replica that the Cluster could elect")
	errMoved      = errors.New("it does not follow the primary any more")
	errHistories  = errors.New("its replicas follow different histories, so that nobody can tell which has more")
	errUnfit      = errors.New("no replica is fit: each is without data, has heard of its primary too long ago, or is not to fail over")
)

// choose returns which of the replicas of a primary is to be elected: the one that has
// come furthest, and of several such the one with the least id. All of them must have
// said how far they are: one that is out of our sight alone may be the one that the
// Cluster would elect.
func choose(all []standing, primary string) (best standing, err error) {
	if len(all) == 0 {
		return standing{}, errNoReplicas
	}
	found := false
	for _, s := range all {
		switch {
		case s.err != nil:
			return standing{}, fmt.Errorf("replica %s: %w", s.addr, s.err)
		case s.of != primary:
			return standing{}, fmt.Errorf("replica %s: %w", s.addr, errMoved)
		case !s.fit():
		case found && s.history != best.history:
			return standing{}, errHistories
		case !found || s.offset > best.offset || s.offset == best.offset && s.id < best.id:
			best, found = s, true
		}
	}
	if !found {
		return standing{}, errUnfit
	}
	return best, nil
}

// fit reports whether Redis would elect s by itself.
func (s standing) fit() bool {
	return !s.barred && !s.syncing && s.offset > 1 && s.age >= 0 && s.age <= s.oldest
}
