package tap

import (
	"fmt"
)

// maxDepth is how deep objects and lists may nest.
const maxDepth = 64

// syntaxError says what is wrong with a text that is not strict JSON, and where.
type syntaxError struct {
	at   int
	what string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.at, e.what) }

// scanner reads strict JSON (RFC 8259): no duplicate keys in an object, no
// trailing bytes, valid UTF-8, escapes that name whole characters, at most
// maxDepth levels. It allocates nothing for keys and strings without escapes;
// what it returns shares the memory of b.
type scanner struct {
	b     []byte
	i     int
	depth int
	keys  []string // keys of the objects being skipped, innermost last
}

func (s *scanner) fail(what string) error { return &syntaxError{s.i, what} }

// space passes over white space and returns the next byte; 0 at the end.
func (s *scanner) space() byte {
	for s.i < len(s.b) {
		c := s.b[s.i]
		if c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		s.i++
	}
	return 0
}

// expect passes over white space and the byte c.
func (s *scanner) expect(c byte, what string) error {
	if s.space() != c || s.i >= len(s.b) {
		return s.fail(what)
	}
	s.i++
	return nil
}

// end fails unless only white space is left.
func (s *scanner) end() error {
	if s.space(); s.i < len(s.b) {
		return s.fail("bytes after the value")
	}
	return nil
}

func (s *scanner) push() error {
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested deeper than 64")
	}
	return nil
}

// object calls field with each key, positioned at its value, which field must
// consume. It does not look for duplicate keys.
func (s *scanner) object(field func(key string) error) error {
	if err := s.expect('{', "want an object"); err != nil {
		return err
	}
	if err := s.push(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.space() == '}' {
		s.i++
		return nil
	}
	for {
		s.space()
		key, err := s.text()
		if err != nil {
			return err
		}
		if err := s.expect(':', "want : after a key"); err != nil {
			return err
		}
		s.space()
		if err := field(key); err != nil {
			return err
		}
		switch s.space() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return s.fail("want , or } in an object")
		}
	}
}

// list calls item at each element, which item must consume.
func (s *scanner) list(item func() error) error {
	if err := s.expect('[', "want a list"); err != nil {
		return err
	}
	if err := s.push(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	if s.space() == ']' {
		s.i++
		return nil
	}
	for {
		s.space()
		if err := item(); err != nil {
			return err
		}
		switch s.space() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return s.fail("want , or ] in a list")
		}
	}
}

// skip passes over any value and returns its text.
func (s *scanner) skip() ([]byte, error) {
	c := s.space()
	start := s.i
	var err error
	switch {
	case c == '{':
		err = s.skipObject()
	case c == '[':
		err = s.list(func() error { _, err := s.skip(); return err })
	case c == '"':
		_, _, err = s.quoted()
	case c == '-' || '0' <= c && c <= '9':
		_, err = s.number()
	default:
		_, err = s.word()
	}
	return s.b[start:s.i], err
}

// manyKeys is the number of keys from which an object's keys are kept in a map.
const manyKeys = 16

func (s *scanner) skipObject() error {
	base := len(s.keys)
	defer func() { s.keys = s.keys[:base] }()
	var many map[string]struct{}
	return s.object(func(key string) error {
		if many == nil {
			for _, k := range s.keys[base:] {
				if k == key {
					return s.fail("duplicate key")
				}
			}
			s.keys = append(s.keys, key)
			if len(s.keys)-base == manyKeys {
				many = make(map[string]struct{}, 2*manyKeys)
				for _, k := range s.keys[base:] {
					many[k] = struct{}{}
				}
			}
		} else if _, twice := many[key]; twice {
			return s.fail("duplicate key")
		} else {
			many[key] = struct{}{}
		}
		_, err := s.skip()
		return err
	})
}

// word passes over true, false or null and returns its first letter.
func (s *scanner) word() (byte, error) {
	for _, w := range [...]string{"null", "true", "false"} {
		if len(s.b)-s.i >= len(w) && string(s.b[s.i:s.i+len(w)]) == w {
			s.i += len(w)
			return w[0], nil
		}
	}
	return 0, s.fail("want a value")
}

// number passes over a number and reports whether it is written as an integer.
func (s *scanner) number() (integer bool, err error) {
	b, i := s.b, s.i
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && '1' <= b[i] && b[i] <= '9':
		i = digits(b, i)
	default:
		s.i = i
		return false, s.fail("want a digit")
	}
	integer = true
	if i < len(b) && b[i] == '.' {
		integer = false
		j := digits(b, i+1)
		if s.i = j; j == i+1 {
			return false, s.fail("want a digit after the point")
		}
		i = j
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		integer = false
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		j := digits(b, i)
		if s.i = j; j == i {
			return false, s.fail("want a digit in the exponent")
		}
		i = j
	}
	s.i = i
	return integer, nil
}

func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}
