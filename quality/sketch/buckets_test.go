package sketch

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
)

// Buckets hold the values without a bin of their own, one for each hash, of strings and of
// the elements of lists; what they hold survives the binary form.
func TestBucketsArePlain(t *testing.T) {
	view := testView(feature.String, feature.ListOf(feature.String), feature.Bool)
	rng := rand.New(rand.NewPCG(61, 62))
	long := func(n int) []*feature.Write {
		writes := randomWrites(rng, view, n)
		for _, w := range writes { // more values than have bins
			w.Values[0] = feature.StringValue(fmt.Sprint(int(rng.ExpFloat64() * 150)))
		}
		return writes
	}
	writes, layout := long(3000), layoutOf(t, view, long(600))
	want := [2][Buckets]uint64{}
	for _, w := range writes {
		if w.Delete {
			continue
		}
		count := func(v feature.Value, of int, f *FeatureLayout) {
			if v.IsNull() {
				return
			}
			mark := plainSip(testKey, v.Text())
			switch (&plain{}).category(f, mark) {
			case f.Other():
				want[of][mark>>32%KnownBuckets]++
			case f.Unseen():
				want[of][KnownBuckets+mark>>32%UnseenBuckets]++
			}
		}
		count(w.Values[0], 0, &layout.Features[0])
		for _, v := range w.Values[1].List() {
			count(v, 1, layout.Features[1].Part)
		}
	}
	p := profileOf(view, layout, writes)
	again, err := UnmarshalProfile(encode(t, p), layout)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Profile{"added": p, "decoded": again} {
		for of, c := range []*Column{&p.Columns[0], p.Columns[1].Part} {
			counts, among := c.Buckets()
			if counts == nil {
				counts = make([]uint64, Buckets)
			}
			if among != c.N || !slices.Equal(counts, want[of][:]) {
				t.Errorf("%s: buckets %d hold %d among %d values, want %d among %d", name, of, counts, among, want[of], c.N)
			}
		}
		if counts, among := p.Columns[2].Buckets(); counts != nil || among != 0 {
			t.Errorf("%s: a bool has buckets", name)
		}
	}
	known, unseen := 0, 0
	for i := range p.Sample {
		bin, bucket := p.BinOf(&p.Sample[i], 0), p.BucketOf(&p.Sample[i], 0)
		if bin >= 0 && (bin >= layout.Features[0].Other()) != (bucket >= 0) || bucket >= 0 && p.Columns[0].buckets[bucket] == 0 {
			t.Fatalf("a sampled row of bin %d is in bucket %d", bin, bucket)
		}
		switch {
		case bucket >= KnownBuckets:
			unseen++
		case bucket >= 0:
			known++
		}
	}
	if known == 0 || unseen == 0 {
		t.Errorf("%d known and %d unseen values are sampled, want some of both", known, unseen)
	}
}

// What was written before there were buckets is read, keeps its bytes, and merges with its
// like to what it gave then; with what is newer in any order to the same bytes, in which
// buckets are known to count the newer values alone.
func TestBeforeBuckets(t *testing.T) {
	text, err := os.ReadFile("testdata/before-buckets.txt")
	if err != nil {
		t.Fatal(err)
	}
	var blobs [][]byte
	for line := range strings.Lines(string(text)) {
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		blobs = append(blobs, b)
	}
	layout, err := UnmarshalLayout(blobs[0])
	if err != nil {
		t.Fatal(err)
	}
	view := testView(feature.String, feature.Float64, feature.ListOf(feature.String))
	read := func(b []byte) *Profile {
		p, err := UnmarshalProfile(b, layout)
		if err != nil || !bytes.Equal(encode(t, p), b) {
			t.Fatalf("a profile does not survive: %v", err)
		}
		return p
	}
	merged := func(parts ...[]byte) []byte {
		all := NewProfile(view, layout, HashKey{})
		for _, b := range parts {
			if err := all.Merge(read(b)); err != nil {
				t.Fatal(err)
			}
		}
		return encode(t, all)
	}
	if one, two := blobs[1], blobs[2]; !bytes.Equal(merged(one, two), blobs[3]) || !bytes.Equal(merged(two, one), blobs[3]) {
		t.Error("older profiles merge to other bytes than they did")
	}
	writes := randomWrites(rand.New(rand.NewPCG(75, 76)), view, 150)
	for _, w := range writes {
		w.Offset += 10_000
	}
	newer := encode(t, profileOf(view, layout, writes))
	want := merged(blobs[1], newer, blobs[2])
	for _, order := range [][][]byte{{newer, blobs[3]}, {merged(blobs[2], newer), blobs[1]}, {blobs[3], newer}} {
		if !bytes.Equal(merged(order...), want) {
			t.Error("older and newer profiles merge to what depends on their order")
		}
	}
	resumed := read(blobs[3])
	if err := resumed.Resume(testKey); err != nil {
		t.Fatal(err)
	}
	for _, w := range writes {
		resumed.Add(w)
	}
	if !bytes.Equal(encode(t, resumed), want) {
		t.Error("writes added to an older profile give other bytes than merged ones")
	}
	all, fresh := read(want), read(newer)
	for i := range all.Columns {
		counts, among := all.Columns[i].Buckets()
		if own, of := fresh.Columns[i].Buckets(); among != of || !slices.Equal(counts, own) {
			t.Errorf("column %d has buckets of %d of %d values, want of %d", i, among, all.Columns[i].N, of)
		}
	}
}

// Counts of any width survive.
func TestPackedCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(77, 78))
	for width := range maxCountBits + 1 {
		counts := make([]uint64, Buckets)
		for i := range counts {
			counts[i] = rng.Uint64() & (1<<width - 1)
		}
		if width > 0 {
			counts[rng.IntN(Buckets)] = 1<<width - 1
		}
		b := appendPackedCounts(nil, counts)
		r := &reader{b: b}
		got := readPackedCounts(r, Buckets)
		if width == 0 {
			got = make([]uint64, Buckets)
		}
		if !r.done() || !slices.Equal(got, counts) || len(b) != 1+Buckets/8*width {
			t.Errorf("%d bits: %d bytes, read back as %d, want %d", width, len(b), got, counts)
		}
	}
}

// TestBucketsBeyondRange wants counts refused whose sum is that of the bin only because it
// has passed the range of a number.
func TestBucketsBeyondRange(t *testing.T) {
	view := testView(feature.String)
	column := &NewProfile(view, layoutOf(t, view, randomWrites(rand.New(rand.NewPCG(63, 64)), view, 600)), testKey).Columns[0]
	unseen := slices.Repeat([]uint64{1 << 55}, UnseenBuckets) // 2^65 in all
	r := &reader{b: appendPackedCounts(appendPackedCounts(nil, make([]uint64, KnownBuckets)), unseen)}
	if column.readBuckets(r); !r.bad {
		t.Error("counts beyond the bin's are read")
	}
}
