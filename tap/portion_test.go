package tap

import (
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What is asked for follows what batches become in memory: a swollen one counts at once,
// calm ones bring it back slowly, and small ones change little.
func TestPortion(t *testing.T) {
	const most = 1 << 20
	batch := func(wire, memory int) kgo.FetchBatchMetrics {
		return kgo.FetchBatchMetrics{NumRecords: 1, CompressedBytes: wire, UncompressedBytes: memory - recordMemory}
	}
	p := newPortion(func() int32 { return most })
	if got := p.size(); got != most/firstSwell {
		t.Errorf("size() = %d before anything was read, want %d", got, most/firstSwell)
	}
	p.note(batch(most/10, most/10))
	if got := p.size(); got < most*9/10 || got > most {
		t.Errorf("size() = %d after what is not compressed, want about %d", got, most)
	}
	p.note(batch(most/100, most))
	if got := p.size(); got > most/99 || got < most/101 {
		t.Errorf("size() = %d after a batch that swells a hundredfold, want %d", got, most/100)
	}
	p.note(batch(most, most))
	if got := p.size(); got > most/50 {
		t.Errorf("size() = %d after one calm batch, want little more than %d", got, most/100)
	}
	for range 100 {
		p.note(batch(most, most))
	}
	p.note(batch(10, 1000))
	if got := p.size(); got < most/2 {
		t.Errorf("size() = %d after a small batch that swells, want about %d", got, most)
	}
	p.note(batch(1, most))
	if got := p.size(); got != most/leastShare {
		t.Errorf("size() = %d after a batch that swells without measure, want the least, %d", got, most/leastShare)
	}
}

// Of batches that are small on the wire and large in memory a fetch brings few.
func TestSwellingBatches(t *testing.T) {
	const (
		batches = 60
		records = 20
		size    = 50 << 10 // of a record: 1 MiB of a batch, a twentieth of it on the wire
		most    = 4 << 20
	)
	r := newRig(t, 1, delays())
	rng, noise := rand.NewChaCha8([32]byte{1}), make([]byte, size)
	for range batches {
		_, _ = rng.Read(noise) // it always fills all
		r.compressed(records, noise)
	}
	client, err := kgo.NewClient(append(append(baseOptions(r.log.cfg.Brokers), readOptions(fetchAgain)...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"sluice.writes": {0: kgo.NewOffset().AtStart()}}))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for seen := 0; seen < batches*records; {
		fetches := client.PollFetches(r.ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		seen += fetches.NumRecords()
		if n := fetches.NumRecords() * size; n > most {
			t.Errorf("a fetch brought %d MiB, want at most %d", n>>20, most>>20)
		}
	}
}

// What the fetches of a process take does not grow with its partitions, of which each reads
// one and has the next ready.
func TestPortionOf(t *testing.T) {
	for _, tc := range []struct {
		name  string
		whole int32
		owned int
		want  int32
	}{
		{"none yet", 4 << 20, 0, 1 << 20},
		{"one", 4 << 20, 1, 1 << 20},
		{"two", 4 << 20, 2, 1 << 20},
		{"four", 4 << 20, 4, 512 << 10},
		{"many", 4 << 20, 100, 256 << 10},
		{"many, of little", 4096, 100, 4096},
	} {
		tap := &Tap{cfg: Config{FetchBytes: tc.whole}}
		tap.owned.Store(int32(tc.owned))
		if got := tap.portion(); got != tc.want {
			t.Errorf("%s: portion() = %d, want %d", tc.name, got, tc.want)
		}
	}
}

// A portion follows the partitions that come and go.
func TestPortionFollows(t *testing.T) {
	most := int32(1 << 20)
	p := newPortion(func() int32 { return most })
	p.note(kgo.FetchBatchMetrics{NumRecords: 1, CompressedBytes: 1 << 20, UncompressedBytes: 1<<20 - recordMemory})
	whole := p.size()
	most /= 4
	if got := p.size(); got != whole/4 {
		t.Errorf("size() = %d with a quarter of the room, want %d", got, whole/4)
	}
}

// What a process holds back of rows does not grow with its partitions.
func TestShare(t *testing.T) {
	for _, tc := range []struct {
		name         string
		whole, owned int
		want         int
	}{
		{"none yet", 8 << 20, 0, 8 << 20},
		{"one", 8 << 20, 1, 8 << 20},
		{"four", 8 << 20, 4, 2 << 20},
		{"many", 8 << 20, 100, leastHeld},
		{"many, of little", 4096, 100, 4096},
	} {
		tap := &Tap{cfg: Config{StageBytes: tc.whole}}
		tap.owned.Store(int32(tc.owned))
		if got := tap.share(); got != tc.want {
			t.Errorf("%s: share() = %d, want %d", tc.name, got, tc.want)
		}
	}
}
