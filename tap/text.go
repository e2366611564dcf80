package tap

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// text passes over a string and returns its characters.
func (s *scanner) text() (string, error) {
	raw, escaped, err := s.quoted()
	if err != nil {
		return "", err
	}
	if escaped {
		return unescape(raw), nil
	}
	return unsafe.String(unsafe.SliceData(raw), len(raw)), nil
}

// quoted passes over a string and returns what stands between its quotes.
func (s *scanner) quoted() (raw []byte, escaped bool, err error) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return nil, false, s.fail("want a string")
	}
	start, wide := s.i+1, false
	b := s.b
	for i := start; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			raw = b[start:i]
			s.i = i + 1
			if wide && !utf8.Valid(raw) {
				s.i = start
				return nil, false, s.fail("invalid UTF-8")
			}
			return raw, escaped, nil
		case c == '\\':
			n := escapeLen(b[i:])
			if s.i = i; n == 0 {
				return nil, false, s.fail("invalid escape")
			}
			escaped, i = true, i+n-1
		case c < ' ':
			s.i = i
			return nil, false, s.fail("control character in a string")
		case c >= utf8.RuneSelf:
			wide = true
		}
	}
	s.i = len(b)
	return nil, false, s.fail("string without end")
}

// escapeLen returns the length of the escape that b starts with, both halves of a
// surrogate pair together; 0 if it is none.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		first, ok := hex4(b[2:])
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(first) {
			return 6
		}
		if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
			return 0
		}
		if second, ok := hex4(b[8:]); ok && utf16.DecodeRune(first, second) != utf8.RuneError {
			return 12
		}
	}
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

var plainEscapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape returns the characters of raw, which quoted has checked.
func unescape(raw []byte) string {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		if n := escapeLen(raw[i:]); n > 2 {
			r, _ := hex4(raw[i+2:])
			if n == 12 {
				low, _ := hex4(raw[i+8:])
				r = utf16.DecodeRune(r, low)
			}
			out = utf8.AppendRune(out, r)
			i += n - 1
			continue
		}
		i++
		out = append(out, plainEscapes[raw[i]])
	}
	return unsafe.String(unsafe.SliceData(out), len(out))
}

// compact appends text, which skip has checked, without white space.
func compact(dst, text []byte) []byte {
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted && c == '\\':
			dst = append(dst, c)
			i++
			c = text[i]
		case c == '"':
			quoted = !quoted
		case !quoted && c <= ' ':
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
