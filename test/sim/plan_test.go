package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// op is one operation of a history. What it does beyond its kind follows from its
// number, so that a history is replayed from a list of them, or from a part of it.
type op struct {
	kind string
	n    uint64
}

// kinds are the operations, each as often as it is drawn.
var kinds = func() (all []string) {
	for kind, weight := range map[string]int{
		"write": 22, "read": 14, "checkpoint": 8, "close": 12, "wait": 6, "rest": 3, "act": 9, "act between": 4, "read across": 3, "replay": 3,
		"tap dies": 3, "tap line breaks": 3, "tap sleeps": 3, "zombie stages": 3,
		"gate dies": 3, "gate line breaks": 5, "gate line is cut": 2, "take over": 4, "gate starts": 6,
		"server is cut": 4, "server is back": 6, "server starts": 2, "actor line breaks": 3, "power fails": 1,
		"store is nearly full": 2, "store has room": 2,
	} {
		for range weight {
			all = append(all, kind)
		}
	}
	slices.Sort(all)
	return all
}()

// plan draws a history.
func plan(seed uint64) (ops []op) {
	rng := rand.New(rand.NewPCG(seed, 0x51))
	for range 15 + rng.IntN(50) {
		ops = append(ops, op{kinds[rng.IntN(len(kinds))], rng.Uint64()})
	}
	return ops
}

// shrunk leaves operations out as long as the history fails, within a number of tries.
func shrunk(ops []op, fails func([]op) bool) []op {
	tries := 400
	for size := max(1, len(ops)/2); size > 0; size /= 2 {
		for from := 0; from < len(ops) && tries > 0; tries-- {
			shorter := append(append([]op{}, ops[:from]...), ops[min(len(ops), from+size):]...)
			if fails(shorter) {
				ops = shorter
			} else {
				from += size
			}
		}
	}
	return ops
}

func show(ops []op) string {
	var parts []string
	for _, o := range ops {
		parts = append(parts, fmt.Sprintf("%s/%x", o.kind, o.n))
	}
	return strings.Join(parts, ", ")
}
