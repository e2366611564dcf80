package registry

import (
	"errors"
	"fmt"
	"testing"
)

// A password is masked where it stands by itself, and nowhere that would tell it.
func TestMask(t *testing.T) {
	cause := errors.New("dial postgres: user=app password=s3cret: (s3cret) of s3cret")
	for dsn, want := range map[string]string{
		"postgres://app:s3cret@db:1/x":   "dial postgres: user=app password=[password]: ([password]) of [password]",
		"postgres://app:p@db:1/x":        cause.Error(), // in other words only
		"postgres://app:s3@db:1/x":       cause.Error(),
		"postgres://app:app@db:1/x":      cause.Error(), // the user's name
		"postgres://app:postgres@db:1/x": cause.Error(), // the configuration key's
		"postgres://app@db:1/x":          cause.Error(),
	} {
		t.Run(dsn, func(t *testing.T) {
			s, err := parseServer(dsn, PostgresOptions{}.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			if got := s.mask(fmt.Errorf("%w", cause)); got.Error() != want || !errors.Is(got, cause) {
				t.Errorf("mask = %q, want %q", got, want)
			}
		})
	}
}
