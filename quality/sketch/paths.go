package sketch

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// The limits of what is read of a json value. A row beyond one of them is counted in
// Clipped of its facet.
const (
	MaxPathDepth = 16  // steps; what lies deeper is not told apart
	MaxRowPaths  = 256 // different paths of one row; others are left out
)

// pathWalker finds the paths of a json value: one for each place that holds something
// other than null, however often. A member is a step of its own, all elements of a list
// are one step, and the value as a whole is none: {"a":[{"b":1},{"c":null}]} has the
// paths $.a, $.a[] and $.a[].b. A member that is null counts as absent, as a feature
// that is null does.
//
// A path's mark is the keyed hash of its last step and the mark of the path before it,
// so that it costs nothing to be deep, and no two ways to write a path mix.
type pathWalker struct {
	text  string
	at    int
	h     *hasher
	cut   bool
	marks []uint64
	slots [4 * MaxRowPaths]uint64
	used  []int // slots of the marks

	named bool     // collects names
	names []string // as the marks are
	name  []byte   // of the path being read
}

// walk reads the value of text and leaves the marks of its paths; false if text is no
// JSON as far as it was looked at.
func (w *pathWalker) walk(text string, h *hasher, named bool) bool {
	for _, i := range w.used {
		w.slots[i] = 0
	}
	w.text, w.at, w.h, w.cut, w.marks, w.used = text, 0, h, false, w.marks[:0], w.used[:0]
	w.named, w.names, w.name = named, w.names[:0], append(w.name[:0], '$')
	ok := w.value(0, 0)
	w.space()
	return ok && w.at == len(w.text)
}

// slot returns where a mark is, or would be, in the table.
func (w *pathWalker) slot(mark uint64) int {
	i := int(mark % uint64(len(w.slots)))
	for w.slots[i] != 0 && w.slots[i] != mark {
		i = (i + 1) % len(w.slots)
	}
	return i
}

// found takes a path, unless it was there before.
func (w *pathWalker) found(mark uint64) {
	i := w.slot(mark)
	switch {
	case w.slots[i] == mark:
		return
	case len(w.marks) == MaxRowPaths:
		w.cut = true
		return
	}
	w.slots[i], w.used = mark, append(w.used, i)
	w.marks = append(w.marks, mark)
	if w.named {
		w.names = append(w.names, Cut(string(w.name)))
	}
}

func (w *pathWalker) space() {
	for w.at < len(w.text) && (w.text[w.at] == ' ' || w.text[w.at] == '\n' || w.text[w.at] == '\t' || w.text[w.at] == '\r') {
		w.at++
	}
}

// next returns the next byte that is no space, which stays; 0 at the end.
func (w *pathWalker) next() byte {
	w.space()
	if w.at == len(w.text) {
		return 0
	}
	return w.text[w.at]
}

// value reads a value that stands at a path of depth steps. The whole is at mark 0.
func (w *pathWalker) value(mark uint64, depth int) bool {
	c := w.next()
	if c == 'n' {
		return w.word("null")
	}
	if mark != 0 {
		w.found(mark)
	}
	switch {
	case c == '"':
		_, ok := w.string()
		return ok
	case c == 't':
		return w.word("true")
	case c == 'f':
		return w.word("false")
	case c == '-' || '0' <= c && c <= '9':
		return w.number()
	case (c == '{' || c == '[') && depth == MaxPathDepth:
		w.cut = true
		return w.skip()
	case c == '{':
		return w.object(mark, depth)
	case c == '[':
		return w.array(mark, depth)
	}
	return false
}

func (w *pathWalker) word(want string) bool {
	if !strings.HasPrefix(w.text[w.at:], want) {
		return false
	}
	w.at += len(want)
	return true
}

func (w *pathWalker) number() bool {
	for w.at < len(w.text) && strings.IndexByte("+-.eE0123456789", w.text[w.at]) >= 0 {
		w.at++
	}
	return true
}

// string reads a text and returns what is between its quotes, as it is written.
func (w *pathWalker) string() (inner string, ok bool) {
	rest := w.text[w.at+1:]
	end := strings.IndexByte(rest, '"')
	if end < 0 {
		return "", false
	}
	if strings.IndexByte(rest[:end], '\\') >= 0 {
		for end = 0; end < len(rest) && rest[end] != '"'; end++ {
			if rest[end] == '\\' {
				end++
			}
		}
		if end >= len(rest) {
			return "", false
		}
	}
	w.at += end + 2
	return rest[:end], true
}

func (w *pathWalker) object(mark uint64, depth int) bool {
	w.at++
	if w.next() == '}' {
		w.at++
		return true
	}
	for {
		if w.next() != '"' {
			return false
		}
		key, ok := w.string()
		if !ok || w.next() != ':' {
			return false
		}
		w.at++
		if strings.IndexByte(key, '\\') >= 0 {
			if json.Unmarshal([]byte(`"`+key+`"`), &key) != nil {
				return false
			}
		}
		end := len(w.name)
		if w.named {
			w.name = appendStep(w.name, key)
		}
		ok = w.value(w.h.step(mark, key), depth+1)
		w.name = w.name[:end]
		if !ok {
			return false
		}
		if more, ok := w.more('}'); !more {
			return ok
		}
	}
}

func (w *pathWalker) array(mark uint64, depth int) bool {
	w.at++
	if w.next() == ']' {
		w.at++
		return true
	}
	element, end := w.h.step(^mark, "[]"), len(w.name)
	if w.named {
		w.name = append(w.name, "[]"...)
	}
	defer func() { w.name = w.name[:end] }()
	for {
		if !w.value(element, depth+1) {
			return false
		}
		if more, ok := w.more(']'); !more {
			return ok
		}
	}
}

// more reads what is between two elements, or the end.
func (w *pathWalker) more(end byte) (more, ok bool) {
	c := w.next()
	if c != ',' && c != end {
		return false, false
	}
	w.at++
	return c == ',', true
}

// skip passes over an object or array, of any depth.
func (w *pathWalker) skip() bool {
	for depth := 0; ; {
		switch w.next() {
		case 0:
			return false
		case '"':
			if _, ok := w.string(); !ok {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if w.at++; depth == 0 {
			return true
		}
	}
}

// appendStep appends a member's step: .key, or ["key"], with escapes, if it is not made of
// letters, digits, dashes and underscores. It takes no more of a key than is ever shown.
func appendStep(b []byte, key string) []byte {
	if len(b) >= MaxText {
		return b
	}
	key = Cut(key)
	if key == "" || strings.ContainsFunc(key, func(r rune) bool {
		return r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return append(strconv.AppendQuote(append(b, '['), key), ']')
	}
	return append(append(b, '.'), key...)
}

// step hashes a step of a path and the mark of what is before it. It is never 0.
func (h *hasher) step(before uint64, step string) uint64 {
	s := newSip(h.k0, h.k1)
	s.round(before)
	return max(1, s.finish(step))
}

// addPaths counts a json value by its paths.
func (c *Column) addPaths(text string, h *hasher) {
	if c.walker == nil {
		c.walker = new(pathWalker)
	}
	w := c.walker
	if !w.walk(text, h, false) {
		c.NaN++
		return
	}
	c.N++
	if w.cut {
		c.Clipped++
	}
	var other, unseen bool
	for _, mark := range w.marks {
		c.distinct().add(mark)
		if c.layout == nil {
			continue
		}
		switch bin := int(c.layout.table.find(mark)); bin {
		case c.layout.Other():
			other = true
		case c.layout.Unseen():
			unseen = true
		default:
			c.bins[bin]++
		}
	}
	if other {
		c.bins[c.layout.Other()]++
	}
	if unseen {
		c.bins[c.layout.Unseen()]++
	}
}
