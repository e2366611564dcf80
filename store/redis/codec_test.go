package redis

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sluice/feature"
)

// TestTags checks that equal shares of the slots are equal shares of the buckets.
func TestTags(t *testing.T) {
	for b, tag := range tags() {
		if got, want := slotOf(tag), b*slots/buckets; got != want || len(tag) != tagSize {
			t.Errorf("bucket %d has the tag %q of slot %d, want slot %d", b, tag, got, want)
		}
	}
	if got := slotOf("123456789"); got != 0x31c3%slots { // the check value of CRC-16/XMODEM
		t.Errorf("slotOf(123456789) = %d, want %d", got, 0x31c3%slots)
	}
}

func TestRowsPattern(t *testing.T) {
	l := layout{"a*[b]:"}
	if got, want := l.rowsPattern(place{view: 0x2a5b3f01}), `a\*\[b\]:{???}r\*\[\?`+"\x01*"; got != want {
		t.Errorf("rowsPattern = %q, want %q", got, want)
	}
	if got, want := l.rowsPattern(place{7, "users"}), `a\*\[b\]:{???}g`+"\x05users*"; got != want {
		t.Errorf("rowsPattern = %q, want %q", got, want)
	}
	bucket := bucketOf("entity")
	for _, of := range []place{{view: 7}, {7, "users"}} {
		key := l.row(bucket, of, "entity")
		if b, ok := l.isRow(key, of); !ok || b != bucket {
			t.Errorf("isRow(%q) = %d, %t, want it to be", key, b, ok)
		}
		for _, other := range []string{"", "a*[b]:{", key + "x", l.version(0, 7, 1), l.row(bucket, place{view: 8}, "entity"), l.row(bucket, place{7, "user"}, "entity"), l.row(bucket, place{7, "userss"}, "entity")} {
			if _, ok := l.isRow(other, of); ok {
				t.Errorf("isRow(%q), want that it is none of %+v", other, of)
			}
		}
	}
}

// TestGroupFields: a field of a group says whose it is, and no view's fields begin with
// what those of another do.
func TestGroupFields(t *testing.T) {
	views := []feature.ViewID{1, 2, 127, 128, 129, 1 << 14, 1<<32 - 1}
	for _, view := range views {
		p := place{view, "users"}
		for _, version := range []feature.Version{1, 255, 256, MaxVersion} {
			field := p.field(version)
			got, rest, err := cutView([]byte(field))
			if back, err2 := decodeField(rest); got != view || back != version || err != nil || err2 != nil {
				t.Errorf("field %x of view %d version %d reads as view %d version %d, %v, %v", field, view, version, got, back, err, err2)
			}
			for _, other := range views {
				if other != view && strings.HasPrefix(field, place{other, "users"}.prefix()) {
					t.Errorf("field %x of view %d begins as those of view %d", field, view, other)
				}
			}
		}
	}
	for _, damaged := range []string{"", "\x80", "\xff\xff\xff\xff\x7f\x01"} {
		if view, _, err := cutView([]byte(damaged)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cutView(%x) = %d, %v, want %v", damaged, view, err, ErrCorrupt)
		}
	}
}

// answer is what Redis answers to HGETALL.
func answer(chain ...feature.Record) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", 2*len(chain))
	for _, r := range chain {
		for _, text := range [][]byte{appendField(nil, r.Version), feature.AppendRecord(nil, r)} {
			b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(text), text)
		}
	}
	return b
}

func TestDecodeChain(t *testing.T) {
	chain := []feature.Record{
		{Version: 1, EventTime: -5, Seq: 1<<64 - 1, Row: []byte("row\r\n$3\r\n")},
		{Version: MaxVersion, EventTime: 7, Seq: 2, Deleted: true, Row: []byte{}},
	}
	good := string(answer(chain...))
	if got, err := decodeChain([]byte(good), nil, false); err != nil || !reflect.DeepEqual(got, chain) {
		t.Errorf("decodeChain(%q) = %v, %v, want %v", good, got, err, chain)
	}
	for name, text := range map[string]string{
		"nothing":           "",
		"one byte less":     good[:len(good)-1],
		"one byte more":     good + "x",
		"odd count":         "*1\r\n$1\r\n\x01\r\n",
		"negative count":    "*-1\r\n",
		"nil field":         "*2\r\n$-1\r\n$-1\r\n",
		"huge length":       "*2\r\n$99999999999999\r\n\x01\r\n$1\r\nx\r\n",
		"count overflows":   "*2\r\n$99999999999999999999\r\n\x01\r\n$1\r\nx\r\n",
		"long field":        "*2\r\n$9\r\n123456789\r\n$1\r\nx\r\n",
		"leading zero":      strings.Replace(good, "$1\r\n\x01", "$2\r\n\x00\x01", 1),
		"record cut short":  "*2\r\n$1\r\n\x01\r\n$3\r\n\x01\x00\x00\r\n",
		"another format":    strings.Replace(good, "\x01\x00", "\x02\x00", 1),
		"a status":          "+OK\r\n",
		"an array in place": "*2\r\n*0\r\n*0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := decodeChain([]byte(text), nil, false); !errors.Is(err, ErrCorrupt) {
				t.Errorf("decodeChain(%q) = %v, %v, want %v", text, got, err, ErrCorrupt)
			}
		})
	}
	if _, err := decodeChain([]byte("-MOVED 1 127.0.0.1:1\r\n"), nil, false); !isElsewhere(err) {
		t.Errorf("decodeChain of MOVED = %v, want it as the error", err)
	}
}

// FuzzDecodeChain checks that bytes of a server give records or an error, and that
// records survive a round trip.
func FuzzDecodeChain(f *testing.F) {
	f.Add(answer(feature.Record{Version: 1, EventTime: 2, Seq: 3, Row: []byte("row")}, feature.Record{Version: 300, Deleted: true}))
	f.Add([]byte("*0\r\n"))
	f.Add([]byte("-ERR no\r\n"))
	f.Add([]byte("*2\r\n$1\r\n\x01\r\n$18\r\n\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		chain, err := decodeChain(b, nil, false)
		var server serverError
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.As(err, &server) {
				t.Fatalf("decodeChain(%q) = %v, want %v", b, err, ErrCorrupt)
			}
			return
		}
		again, err := decodeChain(answer(chain...), nil, false)
		if err != nil || len(again) != len(chain) || len(chain) > 0 && !reflect.DeepEqual(again, chain) {
			t.Fatalf("round trip of %v gave %v, %v", chain, again, err)
		}
	})
}

func FuzzDecodeMark(f *testing.F) {
	f.Add(mark{"0a1b2c3d4e5f6071", 7, 1 << 40}.String())
	f.Add("x 1 -1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := decodeMark(text)
		if err != nil && !errors.Is(err, ErrCorrupt) || err == nil && m.String() != text {
			t.Fatalf("decodeMark(%q) = %v, %v", text, m, err)
		}
	})
}
