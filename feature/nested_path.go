package feature

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxPath is how many steps a path may have.
const MaxPath = 32

// Path is a way into a json value: keys of objects and positions in lists, counted
// from 0, one step after the other. The zero Path is the value itself.
type Path struct {
	text  string
	steps []step
}

type step struct {
	key string
	at  int // as a position; -1: none
}

// ParsePath reads steps joined by dots, such as address.city or items.0.price. A key
// with a dot in it cannot be named. The error says what is wrong.
func ParsePath(text string) (Path, error) {
	keys := strings.Split(text, ".")
	if len(keys) > MaxPath {
		return Path{}, fmt.Errorf("path has %d steps, more than %d", len(keys), MaxPath)
	}
	p := Path{text: text}
	for i, key := range keys {
		if key == "" {
			return Path{}, fmt.Errorf("step %d of path %.64q is empty", i+1, text)
		}
		p.steps = append(p.steps, step{key, position(key)})
	}
	return p, nil
}

// position reads a position as it is written without leading zeros; -1 if it is none.
func position(key string) int {
	if n, err := strconv.ParseUint(key, 10, 31); err == nil && strconv.FormatUint(n, 10) == key {
		return int(n)
	}
	return -1
}

// String returns the text that ParsePath read.
func (p Path) String() string { return p.text }

// AppendWire appends the serialized feast.types.Value of what p leads to in a json
// value as a packed row holds it: a string, bool, whole number of 64 bits (int64) or
// other number (float64) as such; objects, lists and numbers that neither holds as
// json. Nothing is appended for null, and where p leads nowhere: the key or position
// is absent, or the step is into what is neither object nor list.
//
// It returns ErrCorrupt for a value that no encoder of this package wrote. It does
// not allocate where dst has room, but for values that were stored as text.
func (p Path) AppendWire(dst, stored []byte) ([]byte, error) {
	packed, ok := packedOf(stored)
	if !ok {
		var err error
		if packed, err = repacked(stored); packed == nil {
			return dst, err
		}
	}
	for _, s := range p.steps {
		var err error
		if packed, err = s.into(packed); packed == nil {
			return dst, err
		}
	}
	return appendFound(dst, packed)
}

// repacked returns the MessagePack of a json value that was stored as text; nil for
// null.
func repacked(stored []byte) ([]byte, error) {
	v, err := DecodeValue(stored)
	if err != nil || v.IsNull() {
		return nil, err
	}
	packed, ok := packJSON(nil, v.text)
	if v.typ != JSON || !ok {
		return nil, errPacked
	}
	return packed, nil
}

// into returns what s leads to in the value b; nil if nowhere.
func (s step) into(b []byte) ([]byte, error) {
	head, rest, err := next(b)
	if err != nil {
		return nil, err
	}
	switch {
	case head.kind == itemMap:
		return s.member(rest, head.n)
	case head.kind == itemArray && s.at >= 0 && s.at < head.n:
		for range s.at {
			if rest, err = skip(rest); err != nil {
				return nil, err
			}
		}
		return rest, nil
	case head.kind == itemExt && head.ext == extObject:
		return s.oddMember(head.body)
	}
	return nil, nil
}

// member finds the value of the key in n pairs.
func (s step) member(b []byte, n int) (found []byte, err error) {
	short := len(s.key) < 32
	for range n {
		if len(b) == 0 {
			return nil, errPacked
		}
		if size := int(b[0] ^ mpFixStr); size < 32 && size < len(b) {
			if key := b[1 : 1+size]; short && string(key) == s.key {
				return b[1+size:], nil
			}
			b = b[1+size:]
		} else {
			var key item
			if key, b, err = next(b); err != nil {
				return nil, err
			}
			if string(key.body) == s.key {
				return b, nil
			}
		}
		if len(b) > 0 {
			if stride := strides[b[0]]; stride.bytes != 0 && stride.values == 0 && int(stride.bytes) <= len(b) {
				b = b[stride.bytes:]
				continue
			}
		}
		if b, err = skip(b); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// oddMember finds the value of the key in an object with a key twice, of which the
// last counts, or with escapes in keys.
func (s step) oddMember(b []byte) (found []byte, err error) {
	head, b, err := next(b)
	if err != nil || head.kind != itemMap {
		return nil, errPacked
	}
	var scratch [64]byte
	for range head.n {
		var key item
		if key, b, err = next(b); err != nil {
			return nil, err
		}
		text := key.body
		if key.kind == itemExt {
			text = appendUnescaped(scratch[:0], text)
		}
		if string(text) == s.key {
			found = b
		}
		if b, err = skip(b); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// skip returns what follows the value at the front of b.
func skip(b []byte) ([]byte, error) {
	for left := 1; left > 0; left-- {
		if len(b) == 0 {
			return nil, errPacked
		}
		if stride := strides[b[0]]; stride.bytes != 0 {
			left += int(stride.values)
			if int(stride.bytes) > len(b) {
				return nil, errPacked
			}
			b = b[stride.bytes:]
			continue
		}
		head, rest, err := next(b)
		if err != nil {
			return nil, err
		}
		switch head.kind {
		case itemArray:
			left += head.n
		case itemMap:
			left += 2 * head.n
		}
		if left-1 > len(rest) {
			return nil, errPacked
		}
		b = rest
	}
	return b, nil
}

// stride is how far a value reaches whose leading byte says it all: its bytes, but
// for the values that it holds, and how many those are.
type stride struct{ bytes, values uint8 }

// strides is by leading byte; 0 bytes where that does not say it all.
var strides = func() (s [256]stride) {
	for c := range s {
		switch {
		case c < mpFixMap || c >= mpNegative || c >= mpNil && c <= mpTrue && c != mpNil+1:
			s[c].bytes = 1
		case c < mpFixArray:
			s[c] = stride{1, uint8(2 * (c & 15))}
		case c < mpFixStr:
			s[c] = stride{1, uint8(c & 15)}
		case c < mpNil:
			s[c].bytes = uint8(1 + c&31)
		case c >= mpFloat32 && c <= mpInt64:
			s[c].bytes = 1 + headWidth[c-mpNil]
		}
	}
	return s
}()

// appendFound appends the serialized value that the MessagePack at the front of b
// stands for.
func appendFound(dst, b []byte) ([]byte, error) {
	it, _, err := next(b)
	if err != nil {
		return nil, err
	}
	switch it.kind {
	case itemNil:
		return dst, nil
	case itemFalse, itemTrue:
		return append(dst, 7<<3|wireVarint, it.kind-itemFalse), nil
	case itemInt:
		return binary.AppendUvarint(append(dst, 4<<3|wireVarint), uint64(it.num)), nil
	case itemFloat:
		return appendDouble(dst, it.real), nil
	case itemString:
		return append(binary.AppendUvarint(append(dst, 2<<3|wireLen), uint64(len(it.body))), it.body...), nil
	case itemExt:
		switch it.ext {
		case extString:
			dst = append(dst, 2<<3|wireLen, 0)
			at := len(dst) - 1
			return prefixLength(appendUnescaped(dst, it.body), at), nil
		case extNumber:
			if out, ok := appendNumber(dst, it.body); ok {
				return out, nil
			}
		}
	}
	rest, err := skip(b)
	if err != nil {
		return nil, err
	}
	return appendJSONWire(dst, b[:len(b)-len(rest)])
}

func appendDouble(dst []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, 5<<3|wireFixed64), math.Float64bits(f))
}

// appendNumber appends a number whose text was kept; false if it fits no type.
func appendNumber(dst, text []byte) ([]byte, bool) {
	if number := textOf(text); strings.ContainsAny(number, ".eE") {
		f, err := strconv.ParseFloat(number, 64)
		return appendDouble(dst, f), err == nil
	} else if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		return binary.AppendUvarint(append(dst, 4<<3|wireVarint), uint64(n)), true
	}
	return dst, false
}

// appendUnescaped appends the text of a string as written between quotes. Half of a
// pair of surrogates becomes the replacement character.
func appendUnescaped(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			dst = append(dst, text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, n := unescapedRune(text[i+1:])
			dst = utf8.AppendRune(dst, r)
			i += n
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unescapedRune reads the digits of an escape \u and, of a pair, the other half; n is
// how many bytes it took.
func unescapedRune(b []byte) (r rune, n int) {
	if len(b) < 4 {
		return utf8.RuneError, len(b)
	}
	u, err := strconv.ParseUint(textOf(b[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError, 4
	}
	r = rune(u)
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if low, err := strconv.ParseUint(textOf(b[6:10]), 16, 16); err == nil {
			if pair := utf16.DecodeRune(r, rune(low)); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return utf8.RuneError, 4
}

// WireType returns the type of a serialized feast.types.Value; 0 for null and for
// what is none.
func WireType(value []byte) Type {
	tag, n := binary.Uvarint(value)
	if n <= 0 || tag>>3 >= uint64(len(wireType)) {
		return 0
	}
	return wireType[tag>>3]
}
