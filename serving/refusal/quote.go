package refusal

import "fmt"

// SomeOf lists up to ten names.
func SomeOf(names []string) string {
	text := ""
	for i, name := range names {
		if i == 10 {
			return fmt.Sprintf("%s and %d more", text, len(names)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}

// Quoted shows text from outside: escaped and cut to 64 bytes.
func Quoted(text string) string {
	if len(text) > 64 {
		return fmt.Sprintf("%q...", text[:64])
	}
	return fmt.Sprintf("%q", text)
}
