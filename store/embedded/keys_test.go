package embedded

import (
	"bytes"
	"errors"
	"testing"

	"sluice/feature"
)

func TestEndOf(t *testing.T) {
	for name, tc := range map[string]struct{ first, want []byte }{
		"plain":          {[]byte{2, 0, 7}, []byte{2, 0, 8}},
		"last byte full": {[]byte{2, 0, 255}, []byte{2, 1}},
		"all but kind":   {[]byte{2, 255, 255}, []byte{3}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := endOf(tc.first); !bytes.Equal(got, tc.want) {
				t.Errorf("endOf(%x) = %x, want %x", tc.first, got, tc.want)
			}
		})
	}
}

// FuzzKeys checks that keys part where they were joined, that their order keeps
// chains together, and that any bytes are parted or refused.
func FuzzKeys(f *testing.F) {
	f.Add(uint32(1), "key", uint64(3), []byte{kindRow, 0, 0, 0, 1, 3, 'k', 'e'}, []byte{kindRow, 0, 0, 0, 1, 3, 'k', 'f', 'z'})
	f.Add(uint32(1<<32-1), "", uint64(1<<64-1), []byte{kindIndex}, []byte{})
	f.Fuzz(func(t *testing.T, view uint32, text string, version uint64, a, b []byte) {
		key, v := feature.Key(text), feature.Version(version)
		chain := appendChain(nil, feature.ViewID(view), key)
		stored := appendRow(nil, feature.ViewID(view), key, v)
		if n := splitKey(stored); n != len(chain) || !bytes.Equal(stored[:n], chain) {
			t.Fatalf("splitKey(%x) = %d, want %d", stored, n, len(chain))
		}
		if got, err := rowVersion(stored, len(chain)); got != v || err != nil {
			t.Fatalf("rowVersion(%x) = %d, %v, want %d", stored, got, err, v)
		}
		if got, err := indexKey(appendIndex(nil, feature.ViewID(view), v, key)); got != key || err != nil {
			t.Fatalf("indexKey = %q, %v, want %q", got, err, key)
		}
		if _, err := indexKey(a); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("indexKey(%x) = %v, want %v", a, err, ErrCorrupt)
		}
		if _, err := rowVersion(a, len(chain)); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("rowVersion(%x) = %v, want %v", a, err, ErrCorrupt)
		}
		if bytes.Compare(a, b) > 0 {
			a, b = b, a
		}
		if bytes.Compare(a[:splitKey(a)], b[:splitKey(b)]) > 0 {
			t.Fatalf("%x is before %x, and its chain behind", a, b)
		}
	})
}
