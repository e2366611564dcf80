package redis

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

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

// TestOfflineLimit: rows stay out from the limit on, and are taken again only once the
// server has come some way back; each turn is said once.
func TestOfflineLimit(t *testing.T) {
	var said strings.Builder
	s := &Store{cfg: DefaultConfig(), log: slog.New(slog.NewTextHandler(&said, nil)), metrics: Options{}.counters()}
	if err := s.Offline(); err != nil {
		t.Errorf("Offline before a look = %v", err)
	}
	for _, step := range []struct {
		share float64
		want  bool
	}{{.5, false}, {.9, false}, {.91, true}, {.95, true}, {.89, true}, {.881, false}, {.89, false}, {.91, true}, {0, false}} {
		s.note(fullness{server: "a:1", share: step.share})
		err := s.Offline()
		if errors.Is(err, ErrOffline) != step.want || testutil.ToFloat64(s.metrics.offline) == 1 != step.want {
			t.Errorf("at %g: Offline = %v, metric %g, want %t", step.share, err, testutil.ToFloat64(s.metrics.offline), step.want)
		}
		if step.want && !strings.Contains(err.Error(), "a:1") {
			t.Errorf("at %g: %v does not name the server", step.share, err)
		}
	}
	if begun, ended := strings.Count(said.String(), "is nearly full"), strings.Count(said.String(), "there is room again"); begun != 2 || ended != 2 {
		t.Errorf("said %d times that it is full and %d times that there is room, want 2 and 2: %s", begun, ended, said.String())
	}
	s.cfg.OfflineLimit = 0
	s.note(fullness{server: "a:1", share: .99})
	if err := s.Offline(); err != nil {
		t.Errorf("Offline without a limit = %v", err)
	}
}
