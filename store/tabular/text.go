package tabular

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"sluice/feature"
)

// appendText appends the JSON form of a CSV field of type t, 0 if none is declared.
func appendText(dst []byte, text string, t feature.Type) []byte {
	switch {
	case text == "":
		return append(dst, "null"...)
	case t == feature.String || t == feature.Bytes:
		return appendString(dst, text)
	case t == feature.Bool && (text == "true" || text == "false"):
		return append(dst, text...)
	case t == feature.JSON || t.IsList():
		if json.Valid([]byte(text)) {
			return append(dst, strings.TrimSpace(oneLine(text))...)
		}
		return appendString(dst, text)
	case t != feature.Bool && isNumber(text):
		return append(dst, text...)
	case t.Float():
		return appendString(dst, specialName(text))
	}
	return appendString(dst, text)
}

// oneLine replaces line ends of a valid JSON text, where they are white space.
func oneLine(text string) string {
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(text)
}

// specialName returns the one spelling of what is a float and no JSON number, and
// any other text as it is.
func specialName(text string) string {
	switch strings.ToLower(text) {
	case "nan":
		return "NaN"
	case "inf", "+inf", "infinity", "+infinity":
		return "Infinity"
	case "-inf", "-infinity":
		return "-Infinity"
	}
	return text
}

// isNumber reports whether text is a number of the JSON grammar (RFC 8259,
// section 6): no plus sign, no leading zero, no bare point.
func isNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	whole := digits(text)
	if whole == 0 || whole > 1 && text[0] == '0' {
		return false
	}
	text = text[whole:]
	if strings.HasPrefix(text, ".") {
		n := digits(text[1:])
		if n == 0 {
			return false
		}
		text = text[1+n:]
	}
	if text != "" && (text[0] == 'e' || text[0] == 'E') {
		text = text[1:]
		if text != "" && (text[0] == '+' || text[0] == '-') {
			text = text[1:]
		}
		n := digits(text)
		if n == 0 {
			return false
		}
		text = text[n:]
	}
	return text == ""
}

// digits returns how many decimal digits text begins with.
func digits(text string) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// appendString appends text as a JSON string. Bytes that are not UTF-8 stay as
// they are: replacing them would change the value, and a decoder refuses them.
func appendString(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// appendFloat appends the shortest number that reads back as f in bits bits, or
// the name of what is no number.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}
