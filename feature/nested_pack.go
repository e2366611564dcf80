package feature

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// maxNesting is how deep a value may nest to be packed.
const maxNesting = 10_000

// packJSON appends compact JSON text as MessagePack from which unpackJSON makes
// the same text. It is false, and dst of no use, for what is no compact JSON.
func packJSON(dst []byte, text string) ([]byte, bool) {
	p := packer{text: text, dst: dst}
	ok := p.value(0) && p.at == len(text)
	return p.dst, ok
}

// packer reads text from at on and appends to dst.
type packer struct {
	text string
	at   int
	dst  []byte
	keys []string // of the objects that are open, as written
}

func (p *packer) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// take passes over word if it comes next.
func (p *packer) take(word string) bool {
	if len(p.text)-p.at < len(word) || p.text[p.at:p.at+len(word)] != word {
		return false
	}
	p.at += len(word)
	return true
}

func (p *packer) value(depth int) bool {
	switch c := p.peek(); c {
	case '{':
		return depth < maxNesting && p.object(depth)
	case '[':
		return depth < maxNesting && p.array(depth)
	case '"':
		text, escaped, ok := p.quoted()
		if ok {
			p.dst = appendPackedString(p.dst, text, escaped)
		}
		return ok
	case 'n':
		p.dst = append(p.dst, mpNil)
		return p.take("null")
	case 't':
		p.dst = append(p.dst, mpTrue)
		return p.take("true")
	case 'f':
		p.dst = append(p.dst, mpFalse)
		return p.take("false")
	}
	return p.number()
}

func (p *packer) array(depth int) bool {
	p.at++
	from, n := len(p.dst), 0
	p.dst = append(p.dst, 0)
	for p.peek() != ']' {
		if n > 0 && !p.take(",") || !p.value(depth+1) {
			return false
		}
		n++
	}
	p.at++
	p.dst = putCount(p.dst, from, n, mpFixArray, mpArray16, mpArray32)
	return true
}

func (p *packer) object(depth int) bool {
	p.at++
	from, n, first, odd := len(p.dst), 0, len(p.keys), false
	var seen map[string]struct{}
	p.dst = append(p.dst, 0)
	for p.peek() != '}' {
		if n > 0 && !p.take(",") {
			return false
		}
		key, escaped, ok := p.quoted()
		if !ok || !p.take(":") {
			return false
		}
		odd = odd || escaped || repeated(p.keys[first:], &seen, key)
		p.keys = append(p.keys, key)
		p.dst = appendPackedString(p.dst, key, escaped)
		if !p.value(depth + 1) {
			return false
		}
		n++
	}
	p.at++
	p.keys = p.keys[:first]
	p.dst = putCount(p.dst, from, n, mpFixMap, mpMap16, mpMap32)
	if odd {
		body := len(p.dst) - from
		var head [6]byte
		p.dst = insert(p.dst, from, appendExt(head[:0], extObject, body))
	}
	return true
}

// manyKeys is from where on keys are looked for in a table.
const manyKeys = 16

// repeated reports whether key is among keys; seen is their table once there are many.
func repeated(keys []string, seen *map[string]struct{}, key string) bool {
	if len(keys) < manyKeys {
		for _, k := range keys {
			if k == key {
				return true
			}
		}
		return false
	}
	if *seen == nil {
		*seen = make(map[string]struct{}, 2*manyKeys)
		for _, k := range keys {
			(*seen)[k] = struct{}{}
		}
	}
	_, had := (*seen)[key]
	(*seen)[key] = struct{}{}
	return had
}

// quoted reads a string and returns what stands between its quotes.
func (p *packer) quoted() (text string, escaped, ok bool) {
	if !p.take(`"`) {
		return "", false, false
	}
	for from := p.at; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[from : p.at-1], escaped, true
		case c == '\\':
			escaped = true
			p.at++
		case c < ' ':
			return "", false, false
		}
	}
	return "", false, false
}

func (p *packer) digits() bool {
	from := p.at
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at > from
}

// number reads a number by the grammar of JSON.
func (p *packer) number() bool {
	from, whole := p.at, true
	p.take("-")
	if !p.take("0") && !p.digits() {
		return false
	}
	if p.take(".") {
		if whole = false; !p.digits() {
			return false
		}
	}
	exponent := p.take("e") || p.take("E")
	if exponent {
		_ = p.take("+") || p.take("-")
		if !p.digits() {
			return false
		}
	}
	p.dst = appendPackedNumber(p.dst, p.text[from:p.at], whole, exponent)
	return true
}

// shortNumber is the longest text of a number with a fraction that is kept as text:
// no longer than a float, and quicker to give back.
const shortNumber = 6

func appendPackedNumber(dst []byte, text string, whole, exponent bool) []byte {
	if whole && !exponent && text != "-0" {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return appendPackedInt(dst, n)
		}
	}
	if !whole && !exponent && len(text) > shortNumber {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			var shortest [400]byte
			if string(appendFraction(shortest[:0], f)) == text {
				return binary.BigEndian.AppendUint64(append(dst, mpFloat64), math.Float64bits(f))
			}
		}
	}
	return append(appendExt(dst, extNumber, len(text)), text...)
}

// appendFraction appends the shortest text of f without exponent and with a point.
func appendFraction(dst []byte, f float64) []byte {
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[from:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

func appendPackedInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0 && n < 128, n < 0 && n >= -32:
		return append(dst, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		return append(dst, mpUint8, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, mpUint16), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, mpUint32), uint32(n))
	case n >= 0:
		return binary.BigEndian.AppendUint64(append(dst, mpUint64), uint64(n))
	case n >= math.MinInt8:
		return append(dst, mpInt8, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, mpInt16), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, mpInt32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, mpInt64), uint64(n))
}

func appendPackedString(dst []byte, text string, escaped bool) []byte {
	n := len(text)
	switch {
	case escaped:
		dst = appendExt(dst, extString, n)
	case n < 32:
		dst = append(dst, mpFixStr|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, mpStr8, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, mpStr16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, mpStr32), uint32(n))
	}
	return append(dst, text...)
}

// appendExt appends the head of an extension of n bytes.
func appendExt(dst []byte, kind byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(dst, mpExt8, byte(n), kind)
	case n <= math.MaxUint16:
		return append(binary.BigEndian.AppendUint16(append(dst, mpExt16), uint16(n)), kind)
	}
	return append(binary.BigEndian.AppendUint32(append(dst, mpExt32), uint32(n)), kind)
}

// putCount writes the head of an array or a map of n at the byte that was kept for it.
func putCount(dst []byte, at, n int, fix, two, four byte) []byte {
	switch {
	case n < 16:
		dst[at] = fix | byte(n)
		return dst
	case n <= math.MaxUint16:
		dst[at] = two
		return insert(dst, at+1, []byte{byte(n >> 8), byte(n)})
	}
	dst[at] = four
	return insert(dst, at+1, binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// insert puts what before position at of dst.
func insert(dst []byte, at int, what []byte) []byte {
	dst = append(dst, what...)
	copy(dst[at+len(what):], dst[at:])
	copy(dst[at:], what)
	return dst
}

// textOf is b as a string that shares its memory: for calls that do not keep it.
func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
