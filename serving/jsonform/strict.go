package jsonform

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"sluice/feature"
	"sluice/serving/refusal"
)

// Strict returns what well-formed JSON has that records of the log may not have either: an
// object with a key twice, of which readers take the one or the other, and half of a
// surrogate pair, which is no character. Hint says what to send. But names a member of the
// body whose reader itself says what is there twice, in it or in each of its elements. Members
// are those that the body may have: a name of theirs in another case is refused as well.
func Strict(body []byte, hint, but string, members []string) *feature.Error {
	problem := inexact(Trimmed(body), but, false, members)
	if problem == "" {
		return nil
	}
	return refusal.Invalid(hint, "the body is no strict JSON: %s", problem)
}

// cased says under which name of members a key stands in another case, of which readers take
// it for that; nothing for one of them, and for what is none in any case.
func cased(key []byte, members []string) string {
	for _, member := range members {
		if string(key[1:len(key)-1]) == member {
			return ""
		}
	}
	name := Text(key)
	if slices.Contains(members, name) {
		return ""
	}
	for _, member := range members {
		if strings.EqualFold(member, name) {
			return "unknown field " + refusal.Quoted(name) + ": it is written " + member
		}
	}
	return ""
}

// inexact says what is wrong with a value; nothing if it is exact. Twice says that it may
// have a key twice, or its elements may, and but that its member of this name may; members
// are the names of those that it may have, if they are known.
func inexact(value []byte, but string, twice bool, members []string) string {
	switch value[0] {
	case '"':
		if halved(value) {
			return "invalid escape, half of a surrogate pair"
		}
	case '[':
		for _, item := range Elements(value) {
			if problem := inexact(item, "", twice, nil); problem != "" {
				return problem
			}
		}
	case '{':
		var seen names
		for key, member := range Members(value) {
			problem := inexact(key, "", false, nil)
			if problem == "" && !twice && seen.again(key) {
				problem = "duplicate key " + refusal.Quoted(Text(key))
			}
			if problem == "" && members != nil {
				problem = cased(key, members)
			}
			if problem == "" {
				problem = inexact(member, "", but != "" && Text(key) == but, nil)
			}
			if problem != "" {
				return problem
			}
		}
	}
	return ""
}

// halved reports whether a string as written has an escape that is half of a surrogate pair.
func halved(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if i++; raw[i] != 'u' {
			continue
		}
		first := unit(raw[i+1:])
		if i += 4; !utf16.IsSurrogate(first) {
			continue
		}
		if i+2 >= len(raw) || raw[i+1] != '\\' || raw[i+2] != 'u' || utf16.DecodeRune(first, unit(raw[i+3:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// unit is what the four digits of an escape stand for.
func unit(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16) // of a well-formed string
	return rune(n)
}

// names are the keys of an object so far. Most objects have a few.
type names struct {
	few  [8]string
	n    int
	many map[string]struct{}
}

// again adds a key as written, and reports whether it was there.
func (s *names) again(raw []byte) bool {
	name := ""
	if bytes.IndexByte(raw, '\\') >= 0 {
		name = Text(raw)
	} else if inner := raw[1 : len(raw)-1]; len(inner) > 0 {
		name = unsafe.String(&inner[0], len(inner)) // the names go before the body does
	}
	for _, known := range s.few[:min(s.n, len(s.few))] {
		if known == name {
			return true
		}
	}
	if _, known := s.many[name]; known {
		return true
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
	} else {
		if s.many == nil {
			s.many = map[string]struct{}{}
		}
		s.many[name] = struct{}{}
	}
	s.n++
	return false
}
