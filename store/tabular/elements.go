package tabular

import (
	"fmt"
	"time"
)

// Elements says what the elements of a column's lists are. Null ones say nothing.
type Elements struct {
	Numbers bool // numbers, by name those that are infinite or none
	Texts   bool // texts, but not timestamps alone
	Truths  bool // true and false
	Times   bool // timestamps
}

// count returns how many of the kinds there are.
func (e Elements) count() (n int) {
	for _, is := range []bool{e.Numbers, e.Texts, e.Truths, e.Times} {
		if is {
			n++
		}
	}
	return n
}

// elementKinds is what the elements of a column's lists were so far.
type elementKinds struct {
	numbers, words   bool
	special          bool // texts that name an infinity or no number
	timely, untimely bool // texts that are a timestamp, and that are none
	nested           bool
}

func (e *elementKinds) add(column string, value []byte) error {
	switch value[0] {
	case 'n':
	case 't', 'f':
		e.words = true
	case '[', '{':
		e.nested = true
	case '"':
		inner, err := textIn(column, value)
		if err != nil {
			return err
		}
		e.text(string(inner))
	default:
		e.numbers = true
	}
	return nil
}

func (e *elementKinds) text(text string) {
	switch specialName(text) {
	case "NaN", "Infinity", "-Infinity":
		e.special = true
		return
	}
	if !e.untimely {
		_, err := time.Parse(time.RFC3339Nano, text)
		e.timely, e.untimely = e.timely || err == nil, err != nil
	}
}

// kinds decides what the elements are; false if no list type holds them.
func (e *elementKinds) kinds() (Elements, bool) {
	texts := e.timely || e.untimely
	k := Elements{Numbers: e.numbers || e.special && !texts, Truths: e.words, Times: e.timely && !e.untimely && !e.special}
	k.Texts = texts && !k.Times
	return k, !e.nested && k.count() <= 1
}

// Each calls fn with each element of a JSON array, which must be valid, as it stands. The
// error is that of fn, or wraps ErrCorrupt if the array has no end.
func Each(list []byte, fn func(element []byte) error) error {
	at := space(list, 1)
	if at < len(list) && list[at] == ']' {
		return nil
	}
	for at < len(list) {
		end := endOf(list, at)
		if end == at || end >= len(list) {
			break
		}
		if err := fn(list[at:end]); err != nil {
			return err
		}
		end = space(list, end)
		if end < len(list) && list[end] == ']' {
			return nil
		}
		at = space(list, end+1)
	}
	return fmt.Errorf("a list that does not end: %w", ErrCorrupt)
}

// endOf returns where the JSON value ends that begins at a position.
func endOf(text []byte, at int) int {
	depth := 0
	for i := at; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(text))
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}
