package tap

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestMendIndex takes entries away from an index that the broker wrote, and wants
// the same entries back.
func TestMendIndex(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"whole":           func(b []byte) []byte { return b },
		"last one gone":   func(b []byte) []byte { return b[:len(b)-indexEntry] },
		"last one torn":   func(b []byte) []byte { return b[:len(b)-4] },
		"last one zeros":  func(b []byte) []byte { return append(b[:len(b)-indexEntry], make([]byte, indexEntry)...) },
		"all gone":        func([]byte) []byte { return nil },
		"one in between":  func(b []byte) []byte { b[indexEntry+2]++; return b },
		"one at the end":  func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"torn in the mid": func(b []byte) []byte { return b[:indexEntry+3] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "partitions", "sluice.profiles-0", "0"+indexSuffix)
			transactions(t, dir, 3)
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(bytes.Clone(want)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := mendIndexes(dir); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil || !sameEntries(got, want) {
				t.Errorf("mended to %x, %v, want %x", got, err, want)
			}
		})
	}
}

// sameEntries compares all but the times, which a mended entry lacks, and the sums.
func sameEntries(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i += indexEntry {
		if !bytes.Equal(a[i+2:i+6], b[i+2:i+6]) || a[i+14] != b[i+14] || !validEntry(a[i:i+indexEntry]) {
			return false
		}
	}
	return true
}

// transactions puts n states into the profiles topic of a new broker.
func transactions(t *testing.T, dir string, n int) {
	t.Helper()
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0", Data: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	topics := DefaultTopics()
	topics.Partitions = 1
	log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := log.EnsureTopics(ctx, "writes"); err != nil {
		t.Fatal(err)
	}
	for range n {
		w, err := newWriter(broker.Addrs(), source{"writes", 0})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.claim(ctx, topics.Profiles, source{"writes", 0}); err != nil {
			t.Fatal(err)
		}
		w.close()
	}
}
