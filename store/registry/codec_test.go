package registry

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"
)

func TestNanos(t *testing.T) {
	for name, want := range map[string]time.Time{
		"zero":       {},
		"epoch":      time.Unix(0, 0).UTC(),
		"nanosecond": time.Date(2013, 1, 1, 5, 0, 0, 1, time.UTC),
		"before":     time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			if got := fromNanos(nanos(want)); got != want {
				t.Errorf("fromNanos(nanos(%s)) = %s", want, got)
			}
		})
	}
	if nanos(time.Time{}) != math.MinInt64 {
		t.Error("the zero time does not sort first")
	}
}

func TestPack(t *testing.T) {
	for name, tc := range map[string]struct {
		given []byte
		form  byte
	}{
		"empty":  {[]byte{}, packedRaw},
		"short":  {bytes.Repeat([]byte("a"), packMin-1), packedRaw},
		"zeros":  {make([]byte, 4096), packedZstd},
		"counts": {bytes.Repeat([]byte{1, 0, 0, 7}, 100), packedZstd},
	} {
		t.Run(name, func(t *testing.T) {
			packed := pack(tc.given)
			if packed[0] != tc.form || len(packed) > len(tc.given)+1 {
				t.Errorf("pack of %d bytes = %d bytes of form %d, want form %d", len(tc.given), len(packed), packed[0], tc.form)
			}
			if got, err := unpack(packed); err != nil || !bytes.Equal(got, tc.given) {
				t.Errorf("unpack = %d bytes, %v, want %d", len(got), err, len(tc.given))
			}
		})
	}
	if pack(nil) != nil {
		t.Error("pack(nil) is not nil")
	}
}

func TestNewID(t *testing.T) {
	for last, i := "", 0; i < 1000; i++ {
		id := NewID()
		if id <= last || len(id) != 24 {
			t.Fatalf("NewID() = %q after %q", id, last)
		}
		last = id
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add(pack([]byte("short")))
	f.Add(pack(bytes.Repeat([]byte("long "), 200)))
	f.Add([]byte{9, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := unpack(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("unpack(%x) = %v, which is not %v", data, err, ErrCorrupt)
			}
			return
		}
		again, err := unpack(pack(raw))
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("round trip of %x gave %x, %v", raw, again, err)
		}
	})
}
