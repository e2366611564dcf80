package jsonform

import (
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// The readers of this file take JSON that WellFormed accepted, so they meet no
// errors and need no depth: they find the ends of values and leave the rest.

// WellFormed reports whether b is one JSON value in valid UTF-8.
func WellFormed(b []byte) bool { return utf8.Valid(b) && json.Valid(b) }

// skipSpace returns the position of the first byte from i on that is no space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the end of the value that begins at i.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipNested(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 {
			return i
		}
	}
}

// Members yields the keys, as written, and values of an object.
func Members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		for i := skipSpace(object, 1); object[i] != '}'; {
			end := skipString(object, i)
			key := object[i:end]
			from := skipSpace(object, skipSpace(object, end)+1)
			to := skipValue(object, from)
			if !yield(key, object[from:to]) {
				return
			}
			i = nextItem(object, to)
		}
	}
}

// Elements yields the positions and values of an array.
func Elements(array []byte) iter.Seq2[int, []byte] {
	return func(yield func(at int, value []byte) bool) {
		at := 0
		for i := skipSpace(array, 1); array[i] != ']'; at++ {
			to := skipValue(array, i)
			if !yield(at, array[i:to]) {
				return
			}
			i = nextItem(array, to)
		}
	}
}

// nextItem returns where the item after the one that ends at i begins, or the
// closing bracket is.
func nextItem(b []byte, i int) int {
	i = skipSpace(b, i)
	if b[i] == ',' {
		return skipSpace(b, i+1)
	}
	return i
}

// Trimmed returns the value of b without the space around it.
func Trimmed(b []byte) []byte {
	from := skipSpace(b, 0)
	return b[from:skipValue(b, from)]
}

// Text returns the text of a string as written.
func Text(raw []byte) string {
	for _, c := range raw {
		if c == '\\' {
			var text string
			// raw is a well-formed string: this cannot fail.
			_ = json.Unmarshal(raw, &text)
			return text
		}
	}
	return string(raw[1 : len(raw)-1])
}

// Is reports whether a string as written is text; escapes are looked through.
func Is(raw []byte, text string) bool {
	return string(raw[1:len(raw)-1]) == text || Text(raw) == text
}

// Kind names what a value is, as people say it.
func Kind(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a bool"
	case 'n':
		return "null"
	}
	return "a number"
}
