package definition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with the definitions. Text says what the
// value is, what is wrong with it and what to do.
type Problem struct {
	File string // empty if the definitions did not come from files
	Line int    // from 1; 0 if it is about no line
	Key  string // path of the key, such as views.payments.window.size
	Text string
}

// Error returns file:line: key: text, without the parts that are not known.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(escape(p.File) + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:", p.Line)
		}
		b.WriteString(" ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Text
}

// Problems is every problem of a set of definitions, in the order of the files.
// It is never empty where it is returned as an error.
type Problems []Problem

// Error returns one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// maxProblems bounds what one answer lists; nobody mends more at once.
const maxProblems = 200

func (p *Problems) add(file string, line int, key, format string, args ...any) {
	if len(*p) < maxProblems {
		*p = append(*p, Problem{File: file, Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
	}
}

// err returns p in order, or nil if it is empty.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return p
}

// show quotes text from outside, escaped and cut to 100 bytes.
func show(text string) string {
	if len(text) > 100 {
		text = text[:97] + "..."
	}
	return fmt.Sprintf("%q", text)
}

// escape is show without the quotation marks, for file names.
func escape(text string) string {
	quoted := fmt.Sprintf("%q", text)
	return quoted[1 : len(quoted)-1]
}
