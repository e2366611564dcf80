package rules

import (
	"math/bits"

	"sluice/feature"
)

// Memory is which rules alarmed in the last windows: per rule, method and
// feature a bit for each window, the newest lowest. It holds only rules that
// look back, and is what Judge needs of the past.
type Memory map[string]uint64

func memoryKey(rule, method, feature string) string { return rule + "/" + method + "/" + feature }

// alarms returns in how many of the last n windows a rule alarmed, the one being
// judged, in which it does, among them.
func (m Memory) alarms(r *Rule, s *feature.Score) int {
	past := m[memoryKey(r.Name, s.Method, s.Feature)]
	past &= 1<<(max(1, min(maxFor, r.For.N))-1) - 1
	return 1 + bits.OnesCount64(past)
}

// Next returns the memory after a verdict on a window, which it takes to be the
// next in time. m stays as it is.
func (m Memory) Next(rules []Rule, v *Verdict) Memory {
	depth := map[string]int{}
	for i := range rules {
		depth[rules[i].Name] = max(depth[rules[i].Name], rules[i].For.N)
	}
	next := Memory{}
	for key, past := range m {
		if past <<= 1; past != 0 {
			next[key] = past
		}
	}
	for i := range v.Reasons {
		r := &v.Reasons[i]
		if depth[r.Rule] > 1 && r.Outcome != Undecided && r.Outcome != Broken {
			next[memoryKey(r.Rule, r.Method, r.Feature)] |= 1
		}
	}
	return next
}
