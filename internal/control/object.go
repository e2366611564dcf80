package control

import (
	"bytes"
	"encoding/json"
)

// span is a range of bytes.
type span struct{ from, to int }

// member is a member of an object: its name and value as they stand, and the
// bytes from the end of the member before it, which take in the comma between.
type member struct {
	name, value []byte
	whole       span
}

// object is the members of an object in their order.
type object []member

// find returns the last member of a name; nil if there is none.
func (o object) find(name string) *member {
	for i := len(o) - 1; i >= 0; i-- {
		if inner := o[i].name[1 : len(o[i].name)-1]; string(inner) == name || bytes.IndexByte(inner, '\\') >= 0 && textOf(o[i].name) == name {
			return &o[i]
		}
	}
	return nil
}

func (o object) has(name string) bool { return o.find(name) != nil }

// value returns the value of a name as it stands; nil if there is none.
func (o object) value(name string) []byte {
	if m := o.find(name); m != nil {
		return m.value
	}
	return nil
}

// objectMembers returns the members of the one object that text is; false if it is
// not one.
func objectMembers(text []byte) (object, bool) {
	at := skipSpace(text, 0)
	if at == len(text) || text[at] != '{' || !json.Valid(text) {
		return nil, false
	}
	// The text is valid from here on, so every step finds what it looks for.
	members := make(object, 0, 16)
	for end := at + 1; ; {
		at = skipSpace(text, end)
		if text[at] == ',' {
			at = skipSpace(text, at+1)
		}
		if text[at] == '}' {
			return members, true
		}
		m := member{whole: span{from: end}}
		end = skipValue(text, at)
		m.name = text[at:end]
		at = skipSpace(text, skipSpace(text, end)+1) // behind the colon
		end = skipValue(text, at)
		m.value, m.whole.to = text[at:end], end
		members = append(members, m)
	}
}

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n') {
		at++
	}
	return at
}

// skipValue returns the end of the valid value that starts at at.
func skipValue(text []byte, at int) int {
	depth := 0
	for ; at < len(text); at++ {
		switch text[at] {
		case '"':
			for at++; text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1
			}
			if depth < 0 {
				return at
			}
		case ',', ' ', '\t', '\r', '\n', ':':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}
