package feature

import (
	"testing"
	"time"
)

func TestTTL(t *testing.T) {
	for name, tc := range map[string]struct {
		view, first, second time.Duration
		wantFirst, longest  time.Duration
	}{
		"the view's":               {time.Hour, 0, 0, time.Hour, time.Hour},
		"shorter":                  {time.Hour, time.Minute, 0, time.Minute, time.Hour},
		"longer":                   {time.Hour, 2 * time.Hour, 0, 2 * time.Hour, 2 * time.Hour},
		"all of their own":         {time.Hour, time.Minute, 2 * time.Minute, time.Minute, time.Hour},
		"a view without, one with": {0, time.Minute, 0, time.Minute, 0},
		"a view without, all with": {0, time.Minute, 2 * time.Minute, time.Minute, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			v := View{TTL: tc.view, Features: []Feature{{TTL: tc.first}, {TTL: tc.second}}}
			if got := v.TTLOf(0); got != tc.wantFirst {
				t.Errorf("TTLOf(0) = %s, want %s", got, tc.wantFirst)
			}
			if got := v.LongestTTL(); got != tc.longest {
				t.Errorf("LongestTTL = %s, want %s", got, tc.longest)
			}
		})
	}
}
