package tap

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// A window that is saved and restored at any points knows the same ids as one
// that never was.
func TestIDWindow(t *testing.T) {
	for name, capacity := range map[string]int{"less than a segment": 100, "a segment": segmentIDs, "many segments": 3*segmentIDs + 17} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			live, kept := newIDWindow(capacity), newIDWindow(capacity)
			stored := map[int]piece{}
			for n := range 20 * segmentIDs {
				id := hashEvent("v", fmt.Sprint(n))
				live.add(id)
				kept.add(id)
				if rng.IntN(1000) > 0 {
					continue
				}
				kept.changed(func(slot int, body []byte) { stored[slot] = piece{body: body} })
				kept.saved = kept.total
				again := newIDWindow(capacity)
				if missing, err := again.restore(stored, kept.total); missing != 0 || err != nil {
					t.Fatalf("restore after %d ids: %d missing, %v", n+1, missing, err)
				}
				if kept = again; !maps.Equal(kept.known, live.known) {
					t.Fatalf("restored window after %d ids knows others", n+1)
				}
			}
			if len(stored) > int(live.slots()) {
				t.Errorf("%d slots are in use, want at most %d", len(stored), live.slots())
			}
		})
	}
	if _, err := newIDWindow(5).restore(map[int]piece{0: {body: []byte{0, 1}}}, 1); !errors.Is(err, ErrCorrupt) {
		t.Errorf("restore of broken bytes = %v, want ErrCorrupt", err)
	}
}

func TestEventsOfOtherViewsAreNoDuplicates(t *testing.T) {
	if hashEvent("a", "x") == hashEvent("b", "x") || hashEvent("a", "bc") == hashEvent("ab", "c") {
		t.Error("two events share a hash")
	}
}
