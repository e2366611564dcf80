package drift

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"sluice/quality/sketch"
)

// TestNewcomersCount holds the table against a map, over rounds that each forget the last
// and over more values than it has room for at first.
func TestNewcomersCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	var n newcomers
	for round, size := range []int{10, 3000, 500, 1, 20_000, 60} {
		n.reset()
		n.mark(&sketch.FeatureLayout{Categories: []string{"v1", "v2"}})
		want := map[string]int32{}
		for range 3 * size {
			text := fmt.Sprint("v", rng.IntN(size))
			want[text]++
			n.find(text).count++
		}
		for text, k := range want {
			if s := n.find(text); s.count != k || s.category != (text == "v1" || text == "v2") {
				t.Fatalf("round %d: %q counted %d times, category %v, want %d", round, text, s.count, s.category, k)
			}
		}
	}
}
