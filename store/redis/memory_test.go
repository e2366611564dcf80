package redis

import "testing"

func TestMemoryShare(t *testing.T) {
	for name, tc := range map[string]struct {
		info string
		want float64
	}{
		"half":     {"# Memory\r\nused_memory:512\r\nmaxmemory:1024\r\nmaxmemory_policy:noeviction\r\n", 0.5},
		"no limit": {"used_memory:512\r\nmaxmemory:0\r\n", 0},
		"over":     {"used_memory:1536\r\nmaxmemory:1024\r\n", 1.5},
		"nothing":  {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := memoryShare(tc.info); got != tc.want {
				t.Errorf("memoryShare = %v, want %v", got, tc.want)
			}
		})
	}
}
