package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// nodesText is an answer to CLUSTER NODES of a node of three primaries, a, b and c, and
// two replicas of a, with flags beside the usual ones.
func nodesText(of string, flags map[string]string) string {
	var b strings.Builder
	for i, n := range []struct{ id, primary, slots string }{
		{"a", "-", " 0-5460"}, {"b", "-", " 5461-10922"}, {"c", "-", " 10923-16383 [93-<-a]"}, {"ra", "a", ""}, {"rb", "a", ""},
	} {
		role := "master"
		if n.primary != "-" {
			role = "slave"
		}
		if n.id == of {
			role = "myself," + role
		}
		if more := flags[n.id]; more != "" {
			role += "," + more
		}
		fmt.Fprintf(&b, "%s 10.0.0.%d:6379@16379,%s.example %s %s 0 0 1 connected%s\n", n.id, i+1, n.id, role, n.primary, n.slots)
	}
	return b.String()
}

func opinionOf(t *testing.T, of string, flags map[string]string) opinion {
	t.Helper()
	o, err := parseOpinion(nodesText(of, flags))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestParseOpinion(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		want member
	}{
		"primary": {"a 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-5 7",
			member{id: "a", addr: "10.0.0.1:6379", slots: true}},
		"replica that is suspected": {"a 10.0.0.1:6379@16379 myself,slave,fail? b 0 0 1 connected",
			member{id: "a", addr: "10.0.0.1:6379", of: "b", failing: true}},
		"replica that fails, with a name": {"a 10.0.0.1:6379@16379,one.example myself,slave,fail b 0 0 1 disconnected",
			member{id: "a", addr: "10.0.0.1:6379", named: "one.example:6379", of: "b", failing: true}},
		"without a name, with a shard": {"a 10.0.0.1:6379@16379,,shard-id=69bc myself,slave,nofailover b 0 0 1 connected",
			member{id: "a", addr: "10.0.0.1:6379", of: "b", barred: true}},
		"of version 6": {"a ::1:6379@16379 myself,master - 0 0 1 connected [3->-b]",
			member{id: "a", addr: "[::1]:6379"}},
		"without an address": {"a :0@0 myself,master,noaddr - 0 0 1 disconnected 5",
			member{id: "a", barred: true, slots: true}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parseOpinion(tc.line + "\n")
			if err != nil || o.of != "a" || o.members["a"] != tc.want {
				t.Errorf("parseOpinion(%q) = %+v, %v, want %+v", tc.line, o, err, tc.want)
			}
		})
	}
	for _, text := range []string{"", "a b c\n", "a 10.0.0.1:6379@16379 master - 0 0 1 connected 0-5\n"} {
		if o, err := parseOpinion(text); !errors.Is(err, errNodes) {
			t.Errorf("parseOpinion(%q) = %+v, %v, want %v", text, o, err, errNodes)
		}
	}
}

func FuzzParseOpinion(f *testing.F) {
	f.Add(nodesText("a", map[string]string{"b": "fail?"}))
	f.Add("a :0@0 myself,slave,noaddr b 0 0 1 disconnected")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOpinion(text)
		switch {
		case err != nil && !errors.Is(err, errNodes):
			t.Fatalf("parseOpinion(%q) = %v, want %v", text, err, errNodes)
		case err == nil && o.members[o.of].id != o.of:
			t.Fatalf("parseOpinion(%q): it is of %q, which is no member", text, o.of)
		}
		list := []opinion{o}
		if majority(list, o.of) {
			t.Fatalf("a node has a majority of itself against it: %q", text)
		}
		replicasOf(list, identify(list, "10.0.0.1:6379"))
	})
}

// TestMajority checks that a primary is held for failing by as many as Redis wants, of
// all who vote and not of those who were heard.
func TestMajority(t *testing.T) {
	suspected, failed := map[string]string{"a": "fail?"}, map[string]string{"a": "fail"}
	for name, tc := range map[string]struct {
		of   []string
		says []map[string]string
		want bool
	}{
		"all are well":                      {[]string{"a", "b", "c"}, []map[string]string{nil, nil, nil}, false},
		"one suspects it":                   {[]string{"b", "c"}, []map[string]string{suspected, nil}, false},
		"one says that it fails":            {[]string{"b", "c"}, []map[string]string{failed, nil}, false},
		"one was heard and suspects it":     {[]string{"b"}, []map[string]string{suspected}, false},
		"the same is heard twice":           {[]string{"b", "b"}, []map[string]string{suspected, suspected}, false},
		"both others suspect it":            {[]string{"b", "c"}, []map[string]string{suspected, suspected}, true},
		"one suspects it, one knows":        {[]string{"b", "c"}, []map[string]string{suspected, failed}, true},
		"it and another suspect it":         {[]string{"a", "b"}, []map[string]string{suspected, suspected}, false},
		"a primary and a replica suspect":   {[]string{"b", "ra"}, []map[string]string{suspected, suspected}, false},
		"both suspect another":              {[]string{"b", "c"}, []map[string]string{{"ra": "fail?"}, {"ra": "fail?"}}, false},
		"both say, and a replica does, too": {[]string{"b", "c", "ra"}, []map[string]string{suspected, suspected, suspected}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var list []opinion
			for i, of := range tc.of {
				list = append(list, opinionOf(t, of, tc.says[i]))
			}
			if got := majority(list, "a"); got != tc.want {
				t.Errorf("majority(%v) = %t, want %t", tc.of, got, tc.want)
			}
		})
	}
}

func TestIdentify(t *testing.T) {
	b, c := opinionOf(t, "b", nil), opinionOf(t, "c", nil)
	moved := opinionOf(t, "c", nil)
	moved.members["x"] = member{id: "x", addr: "10.0.0.1:6379", slots: true}
	delete(moved.members, "a")
	for addr, want := range map[string]string{"10.0.0.1:6379": "a", "a.example:6379": "a", "10.0.0.2:6379": "b", "10.0.0.4:6379": "", "10.0.0.1:1": "", "": ""} {
		if got := identify([]opinion{b, c}, addr); got != want {
			t.Errorf("identify(%q) = %q, want %q", addr, got, want)
		}
	}
	if got := identify([]opinion{b, moved}, "10.0.0.1:6379"); got != "" {
		t.Errorf("identify where two nodes are named = %q, want none", got)
	}
	if got := identify(nil, "10.0.0.1:6379"); got != "" {
		t.Errorf("identify without opinions = %q, want none", got)
	}
}

func TestReplicasOf(t *testing.T) {
	for name, tc := range map[string]struct {
		b, c map[string]string
		want string
	}{
		"both":                            {nil, nil, "[ra rb]"},
		"one fails":                       {map[string]string{"ra": "fail?"}, map[string]string{"ra": "fail?"}, "[rb]"},
		"one is suspected by one alone":   {map[string]string{"ra": "fail?"}, nil, "[ra rb]"},
		"one is not to fail over":         {map[string]string{"rb": "nofailover"}, map[string]string{"rb": "nofailover"}, "[ra]"},
		"one is not met yet, says nobody": {map[string]string{"rb": "handshake"}, map[string]string{"rb": "handshake"}, "[ra]"},
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for _, m := range replicasOf([]opinion{opinionOf(t, "b", tc.b), opinionOf(t, "c", tc.c)}, "a") {
				ids = append(ids, m.id)
			}
			if fmt.Sprint(ids) != tc.want {
				t.Errorf("replicasOf = %v, want %s", ids, tc.want)
			}
		})
	}
}

// TestChoose checks that the replica with the most data is chosen, and none where Redis
// would elect none, or where another might have more.
func TestChoose(t *testing.T) {
	silent := errors.New("no answer")
	r := func(id string, offset int64, change ...func(*standing)) standing {
		s := standing{member: member{id: id, addr: id + ":1", of: "a"}, history: "h", offset: offset, age: 2 * time.Second, oldest: 32 * time.Second}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	mute := func(s *standing) { s.err = silent }
	old := func(s *standing) { s.age = 33 * time.Second }
	for name, tc := range map[string]struct {
		all  []standing
		want string
		err  error
	}{
		"none":                          {nil, "", errNoReplicas},
		"one":                           {[]standing{r("x", 10)}, "x", nil},
		"the one that is further":       {[]standing{r("x", 10), r("y", 12), r("z", 11)}, "y", nil},
		"both alike":                    {[]standing{r("y", 10), r("x", 10)}, "x", nil},
		"one does not say":              {[]standing{r("x", 10), r("y", 0, mute)}, "", silent},
		"one was elected meanwhile":     {[]standing{r("x", 10), r("y", 9, func(s *standing) { s.of = "" })}, "", errMoved},
		"the further one heard too old": {[]standing{r("x", 10), r("y", 12, old)}, "x", nil},
		"too old":                       {[]standing{r("x", 10, old)}, "", errUnfit},
		"it does not know how old":      {[]standing{r("x", 10, func(s *standing) { s.age = -time.Second })}, "", errUnfit},
		"not to fail over":              {[]standing{r("x", 10, func(s *standing) { s.barred = true })}, "", errUnfit},
		"getting its data":              {[]standing{r("x", 10, func(s *standing) { s.syncing = true })}, "", errUnfit},
		"without data":                  {[]standing{r("x", 1)}, "", errUnfit},
		"other histories":               {[]standing{r("x", 10), r("y", 12, func(s *standing) { s.history = "g" })}, "", errHistories},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := choose(tc.all, "a")
			if got.id != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("choose = %q, %v, want %q, %v", got.id, err, tc.want, tc.err)
			}
		})
	}
}

// TestOldest compares with the rule of clusterHandleSlaveFailover in Redis: an age that
// exceeds the node timeout is shortened by it, and may then be as long as a ping of the
// primary's and the factor of node timeouts.
func TestOldest(t *testing.T) {
	for _, tc := range []struct {
		timeout, ping time.Duration
		factor        int64
		want          time.Duration
	}{
		{2 * time.Second, 10 * time.Second, 10, 32 * time.Second},
		{15 * time.Second, 10 * time.Second, 10, 175 * time.Second},
		{2 * time.Second, time.Second, 1, 5 * time.Second},
		{2 * time.Second, 10 * time.Second, 0, 32 * time.Second}, // no limit for Redis
	} {
		if got := oldestOf(tc.timeout, tc.ping, tc.factor); got != tc.want {
			t.Errorf("oldestOf(%v, %v, %d) = %v, want %v", tc.timeout, tc.ping, tc.factor, got, tc.want)
		}
	}
}

func TestStandingOf(t *testing.T) {
	own := member{id: "x", addr: "x:1", of: "a"}
	config := map[string]string{"cluster-node-timeout": "2000", "repl-ping-replica-period": "10", "cluster-replica-validity-factor": "10", "cluster-replica-no-failover": "no"}
	info := func(lines ...string) string {
		return "# Replication\r\n" + strings.Join(append([]string{"role:slave", "master_replid:h"}, lines...), "\r\n") + "\r\n"
	}
	for name, tc := range map[string]struct {
		info    string
		setting string // cluster-replica-no-failover
		age     time.Duration
		fit     bool
	}{
		"link is up":      {info("master_link_status:up", "master_last_io_seconds_ago:3", "master_sync_in_progress:0", "slave_repl_offset:99"), "no", 3 * time.Second, true},
		"link is down":    {info("master_link_status:down", "master_last_io_seconds_ago:-1", "master_sync_in_progress:0", "slave_repl_offset:99", "master_link_down_since_seconds:2"), "no", 2 * time.Second, true},
		"never linked":    {info("master_link_status:down", "master_last_io_seconds_ago:-1", "master_sync_in_progress:0", "slave_repl_offset:1", "master_link_down_since_seconds:-1"), "no", -time.Second, false},
		"syncs":           {info("master_link_status:down", "master_sync_in_progress:1", "slave_repl_offset:99", "master_link_down_since_seconds:2"), "no", 2 * time.Second, false},
		"is not to":       {info("master_link_status:up", "master_last_io_seconds_ago:3", "master_sync_in_progress:0", "slave_repl_offset:99"), "yes", 3 * time.Second, false},
		"does not say so": {info("master_link_status:up", "master_last_io_seconds_ago:3", "master_sync_in_progress:0", "slave_repl_offset:99"), "", 3 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			config["cluster-replica-no-failover"] = tc.setting
			s := standingOf(own, tc.info, config)
			if s.err != nil || s.age != tc.age || s.oldest != 32*time.Second || s.history != "h" || s.fit() != tc.fit {
				t.Errorf("standingOf = %+v, fit %t, want age %v, fit %t", s, s.fit(), tc.age, tc.fit)
			}
		})
	}
	if s := standingOf(own, info("master_link_status:up"), map[string]string{}); s.err == nil {
		t.Errorf("standingOf of nothing = %+v, want an error", s)
	}
}
