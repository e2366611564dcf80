package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// errDeclined is that a person was asked and said no.
var errDeclined = errors.New("nothing was done")

// confirm asks a person on a terminal whether to go on; elsewhere --yes must say so. in
// is nil for the standard input.
func confirm(e *env, yes bool, in io.Reader, format string, args ...any) error {
	question := plain(fmt.Sprintf(format, args...))
	if yes {
		return nil
	}
	if in == nil {
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			return fmt.Errorf("%w: %s: nobody can be asked here: say --yes", errUsage, question)
		}
		in = os.Stdin
	}
	fmt.Fprintf(e.stderr, "%s? [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}
