package app

import (
	"strings"
	"testing"
	"time"

	"sluice/store/redis"
	"sluice/tap"
)

func TestRedisFindings(t *testing.T) {
	for name, tc := range map[string]struct {
		finding redis.Finding
		do      string
	}{
		"a setting": {redis.Finding{Server: "a:1", Setting: "hash-max-listpack-value", Value: "64", Want: "512", Why: "memory"},
			"set it to 512: memory"},
		"one that must be": {redis.Finding{Server: "a:1", Setting: "maxmemory-policy", Value: "allkeys-lru", Want: "noeviction", Why: "eviction deletes", Refused: true},
			"set it to noeviction: eviction deletes; the platform does not start before"},
		"not readable": {redis.Finding{Server: "a:1", Setting: "maxmemory-policy", Value: "NOPERM", Want: "noeviction", Why: "eviction deletes", Unknown: true},
			"make sure that it is noeviction: eviction deletes"},
		"of another kind": {redis.Finding{Server: "a:1", Setting: "redis_mode", Value: "cluster", Do: "set cluster to true", Why: "it refuses rows", Refused: true},
			"set cluster to true: it refuses rows; the platform does not start before"},
		"nearly full": {redis.Finding{Server: "a:1", Setting: redis.MemorySetting, Value: "uses 91 %", Want: "raise maxmemory", Why: "rows stay in the log"},
			"raise maxmemory: rows stay in the log"},
		"too old": {redis.Finding{Server: "a:1", Setting: "version", Value: "6.2", Want: "7 or newer", Why: "older servers have no Functions", Refused: true},
			"upgrade it to 7 or newer: older servers have no Functions; the platform does not start before"},
	} {
		t.Run(name, func(t *testing.T) {
			got := redisFindings("redis", []redis.Finding{tc.finding})
			if len(got) != 1 || got[0].OK || got[0].Do != tc.do || !strings.HasPrefix(got[0].Text, "a:1: ") {
				t.Errorf("redisFindings(%+v) = %+v, want %q", tc.finding, got, tc.do)
			}
		})
	}
}

func TestLogFindings(t *testing.T) {
	for name, tc := range map[string]struct {
		found tap.BrokerInspection
		want  string // check and state of each
	}{
		"three brokers": {tap.BrokerInspection{Brokers: 3, Version: "v4.3", Topics: []tap.TopicInspection{{Name: "w", Partitions: 4, Replicas: 3}}}, "kafka true, topic w true"},
		"one broker":    {tap.BrokerInspection{Brokers: 1, Version: "at least v4.3", Topics: []tap.TopicInspection{{Name: "w", Partitions: 4, Replicas: 1}}}, "kafka true, topic w true"},
		"an old one":    {tap.BrokerInspection{Brokers: 1, Version: "v3.9"}, "kafka false"},
		"few replicas":  {tap.BrokerInspection{Brokers: 3, Version: "v4.3", Topics: []tap.TopicInspection{{Name: "w", Partitions: 4, Replicas: 1}}}, "kafka true, topic w false"},
		"no leader":     {tap.BrokerInspection{Brokers: 3, Version: "v4.3", Topics: []tap.TopicInspection{{Name: "w", Partitions: 4, Replicas: 3, Leaderless: []int32{2}}}}, "kafka true, topic w false"},
		"cut":           {tap.BrokerInspection{Brokers: 1, Version: "v4.3", Topics: []tap.TopicInspection{{Name: "p", Partitions: 4, Replicas: 1, Policy: "compact,delete"}}}, "kafka true, topic p false"},
		"compacted":     {tap.BrokerInspection{Brokers: 1, Version: "v4.3", Topics: []tap.TopicInspection{{Name: "p", Partitions: 4, Replicas: 1, Policy: "compact"}}}, "kafka true, topic p true"},
		"not made yet":  {tap.BrokerInspection{Brokers: 3, Version: "v4.3", Topics: []tap.TopicInspection{{Name: "w", Missing: true}}}, "kafka true, topic w true"},
	} {
		t.Run(name, func(t *testing.T) {
			var states []string
			for _, f := range append([]Finding{kafkaFinding(tc.found)}, topicFindings(tc.found)...) {
				states = append(states, f.Check+map[bool]string{true: " true", false: " false"}[f.OK])
				if f.OK != (f.Do == "") {
					t.Errorf("%+v says what to do if and only if it is bad", f)
				}
			}
			if got := strings.Join(states, ", "); got != tc.want {
				t.Errorf("findings of %+v are %s, want %s", tc.found, got, tc.want)
			}
		})
	}
}

func TestSkewFinding(t *testing.T) {
	for skew, want := range map[time.Duration]bool{0: true, 900 * time.Millisecond: true, -2 * time.Second: false, time.Hour: false} {
		if got := skewFinding(skew); got.OK != want {
			t.Errorf("skewFinding(%s) = %+v, want ok %t", skew, got, want)
		}
	}
}

func TestInspectDisk(t *testing.T) {
	if f := inspectDisk(t.TempDir()); f.Text == "" || f.OK != (f.Do == "") {
		t.Errorf("inspectDisk = %+v, want how much is free", f)
	}
	if f := inspectDisk("/nothing/here"); f.OK {
		t.Errorf("inspectDisk of no folder = %+v, want it bad", f)
	}
}
