package sketch

import (
	"testing"

	"sluice/feature"
)

// The wanted hashes are CPython 3.11's, whose hash of bytes is SipHash-1-3 under
// the zero key if PYTHONHASHSEED is 0.
func TestSipHash(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want uint64
	}{
		"two bytes":           {"ab", 0x555508cbc6add439},
		"three bytes":         {"abc", 0xc03bc3a0042630f2},
		"four bytes":          {"abcd", 0xe3d1d5fdd52aae89},
		"five bytes":          {"abcde", 0x251f3c725bd784a2},
		"six bytes":           {"abcdef", 0x62207e654289df28},
		"shorter than a word": {"a", 0x407448d2b89b1813},
		"seven bytes":         {"carrier", 0x69611058765fa1b6},
		"one word":            {"exactly8", 0x9e90d598a0fe358f},
		"words and a rest":    {"0123456789abcdef0123", 0x560ed5360a9a319a},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHasher(HashKey{})
			if got := h.text(tc.text); got != tc.want {
				t.Errorf("text(%q) = %#x, want %#x", tc.text, got, tc.want)
			}
		})
	}
}

func TestHashesDependOnKey(t *testing.T) {
	a, b := newHasher(testKey), newHasher(HashKey{1})
	w := &feature.Write{View: &feature.View{}, EventID: "e"}
	if a.text("x") == b.text("x") || a.number(7) == b.number(7) || a.row(w) == b.row(w) || a.print == b.print {
		t.Error("two keys give one hash")
	}
}
