package jsonform

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"sluice/feature"
)

// Style says how a value is written where Feast and the platform differ.
type Style uint8

const (
	// Feast writes json as a string, and timestamps as Unix seconds.
	Feast Style = iota
	// Own writes json as it is, and timestamps as RFC 3339.
	Own
)

// Append appends a serialized value as JSON; null for an empty one. Floats
// always have a fraction or an exponent, so that readers that infer types keep
// them floats; what is no number in JSON is "NaN", "Infinity" or "-Infinity".
// float32 values are written as the float64 that they equal. Type 0 is what the
// value itself says.
func Append(dst, value []byte, t feature.Type, style Style) []byte {
	if len(value) == 0 {
		return append(dst, "null"...)
	}
	_, n := binary.Uvarint(value)
	if n <= 0 {
		return append(dst, "null"...)
	}
	if t == 0 {
		t = feature.WireType(value)
	}
	if !t.IsList() {
		dst, _ = appendScalar(dst, value[n:], t, style)
		return dst
	}
	list, m := protowire.ConsumeBytes(value[n:])
	if m < 0 {
		return append(dst, "null"...)
	}
	return appendList(dst, list, t.Elem(), style)
}

// appendList appends the elements of a list message: packed, or one field each
// where they are length-delimited.
func appendList(dst, list []byte, elem feature.Type, style Style) []byte {
	dst = append(dst, '[')
	first := true
	each := func(b []byte) []byte {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst, b = appendScalar(dst, b, elem, style)
		return b
	}
	for len(list) > 0 {
		list = list[1:] // the tag of field 1
		if elem == feature.String || elem == feature.Bytes {
			list = each(list)
			continue
		}
		packed, n := protowire.ConsumeBytes(list)
		if n < 0 {
			break
		}
		for list = list[n:]; len(packed) > 0; {
			packed = each(packed)
		}
	}
	return append(dst, ']')
}

// appendScalar appends the scalar of type t at the front of b, which has no tag,
// and returns what follows it; nothing if b is cut short.
func appendScalar(dst, b []byte, t feature.Type, style Style) (out, rest []byte) {
	switch t {
	case feature.Float64:
		if len(b) >= 8 {
			return appendFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(b))), b[8:]
		}
	case feature.Float32:
		if len(b) >= 4 {
			return appendFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))), b[4:]
		}
	case feature.String, feature.Bytes, feature.JSON:
		if text, n := protowire.ConsumeBytes(b); n > 0 {
			return appendText(dst, text, t, style), b[n:]
		}
	default:
		if u, n := binary.Uvarint(b); n > 0 {
			return appendInteger(dst, int64(u), t, style), b[n:]
		}
	}
	return append(dst, "null"...), nil
}

func appendText(dst, text []byte, t feature.Type, style Style) []byte {
	switch {
	case t == feature.Bytes:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), text), '"')
	case t == feature.JSON && style == Own:
		return append(dst, text...)
	}
	return AppendString(dst, text)
}

func appendInteger(dst []byte, n int64, t feature.Type, style Style) []byte {
	switch {
	case t == feature.Bool:
		return strconv.AppendBool(dst, n != 0)
	case t == feature.Timestamp && style == Own && n >= MinSecond && n <= MaxSecond:
		return append(time.Unix(n, 0).UTC().AppendFormat(append(dst, '"'), time.RFC3339), '"')
	}
	return strconv.AppendInt(dst, n, 10)
}

// appendFloat appends the shortest text that reads back as f.
func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	for _, c := range dst[from:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

const hexDigits = "0123456789abcdef"

// AppendString appends text as a JSON string. Bytes that are no UTF-8 become
// the replacement character; what would end a script or a line in a browser is
// escaped.
func AppendString[T string | []byte](dst []byte, text T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f {
				i++
				continue
			}
			dst = appendEscape(append(dst, text[from:i]...), c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' {
			dst = append(dst, text[from:i]...)
			dst = append(dst, `\u`...)
			dst = append(dst, hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			from = i + n
		}
		i += n
	}
	return append(append(dst, text[from:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(append(dst, `\u00`...), hexDigits[c>>4], hexDigits[c&15])
}

// AppendTime appends t, Unix nanoseconds, as RFC 3339 in UTC with 0, 3, 6 or
// 9 digits of fraction, in quotes.
func AppendTime(dst []byte, t int64) []byte {
	at := time.Unix(0, t).UTC()
	dst = at.AppendFormat(append(dst, '"'), "2006-01-02T15:04:05")
	digits, width := int64(at.Nanosecond()), 9
	for width > 0 && digits%1000 == 0 {
		digits, width = digits/1000, width-3
	}
	if width > 0 {
		dst = append(dst, '.')
		for scale := pow10(width - 1); scale > 0; scale /= 10 {
			dst = append(dst, byte('0'+digits/scale%10))
		}
	}
	return append(dst, 'Z', '"')
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// Comma begins item i of a list or an object: with a comma, unless it is the first.
func Comma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}
