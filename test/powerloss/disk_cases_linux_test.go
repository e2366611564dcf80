//go:build amd64 || arm64

package powerloss

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// on is a write of n letters to the first file.
func on(offset int64, letter string, n int) op {
	return op{kind: opWrite, path: "a", file: 1, offset: offset, data: []byte(strings.Repeat(letter, n))}
}

func TestDisk(t *testing.T) {
	made := []op{{kind: opMake, path: "a", file: 1}, {kind: opSyncNames, path: ".", start: 1}}
	synced := func(start int) op { return op{kind: opSync, path: "a", file: 1, start: start} }
	for name, tc := range map[string]struct {
		ops     []op
		journal bool
		fate    fate
		want    map[string]string
	}{
		"an unsynced write is lost":     {append(made, on(0, "x", 3)), false, fate{}, map[string]string{"a": ""}},
		"or kept":                       {append(made, on(0, "x", 3)), false, fate{data: kept}, map[string]string{"a": "xxx"}},
		"a synced one stays":            {append(made, on(0, "x", 3), synced(3), on(1, "y", 9)), false, fate{}, map[string]string{"a": "xxx"}},
		"one during the sync does not":  {append(made, on(0, "x", 3), synced(2)), false, fate{}, map[string]string{"a": ""}},
		"a name needs its folder":       {[]op{made[0], on(0, "x", 3), synced(2)}, false, fate{}, map[string]string{}},
		"or a journal":                  {[]op{made[0], on(0, "x", 3), synced(2)}, true, fate{}, map[string]string{"a": "xxx"}},
		"a rename comes back":           {append(made, op{kind: opRename, path: "a", to: "b"}), false, fate{data: kept}, map[string]string{"a": ""}},
		"so does a removal":             {append(made, op{kind: opRemove, path: "a"}), false, fate{}, map[string]string{"a": ""}},
		"and neither once it is synced": {append(made, op{kind: opRemove, path: "a"}, op{kind: opSyncNames, path: ".", start: 3}), false, fate{}, map[string]string{}},
		"nothing lasts in a lost folder": {
			[]op{{kind: opFolder, path: "f"}, {kind: opMake, path: "f/a", file: 1}, {kind: opSyncNames, path: "f", start: 2}}, false, fate{}, map[string]string{},
		},
		"a truncation comes back": {append(made, on(0, "x", 3), synced(3), op{kind: opTruncate, path: "a", file: 1}), false, fate{}, map[string]string{"a": "xxx"}},
		"no block is taken":       {append(made, on(0, "x", 600)), false, fate{data: scattered, block: 512}, map[string]string{"a": ""}},
		"but the size is":         {append(made, on(0, "x", 3)), false, fate{data: scattered, block: 512, zeros: true}, map[string]string{"a": "\x00\x00\x00"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[string]string{}
			for name, b := range newDisk(tc.ops, tc.journal).image(rand.New(rand.NewPCG(1, 1)), tc.fate) {
				got[name] = string(b)
			}
			if !maps.Equal(got, tc.want) {
				t.Errorf("the disk has %q, want %q", got, tc.want)
			}
		})
	}
}

// TestTear takes every second block of a write that starts and ends within blocks.
func TestTear(t *testing.T) {
	c := change{op: on(500, "x", 1100)}
	got := c.tear(nil, 512, func(i, of int) bool {
		if of != 4 {
			t.Errorf("tear sees %d blocks, want 4", of)
		}
		return i%2 == 1
	})
	want := slices.Concat(make([]byte, 512), []byte(strings.Repeat("x", 512)), make([]byte, 512), []byte(strings.Repeat("x", 64)))
	if !slices.Equal(got, want) {
		t.Errorf("tear gave %d bytes, want %d with the second and fourth block", len(got), len(want))
	}
}
