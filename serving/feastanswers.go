package serving

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/serving/refusal"
)

// FeastConfig says where Feast's doors answer as Feast's Python server does, for
// clients that rely on it. The platform's own doors are not concerned.
type FeastConfig struct {
	Missing string `yaml:"missing"` // status of an entity that does not exist: not_found | present
	Null    string `yaml:"null"`    // status of a null: null_value | present
	Expired string `yaml:"expired"` // status of a value older than the ttl, which is sent: outside_max_age | present
	Unread  string `yaml:"unread"`  // a shard does not answer: invalid (the status of its values) | refuse (the request fails)
	Columns string `yaml:"columns"` // columns of a push that the view has not: refuse | ignore
}

// Words of FeastConfig; the first of each key is the default.
var feastWords = []struct {
	key   string
	of    func(*FeastConfig) *string
	words [2]string
}{
	{"missing", func(c *FeastConfig) *string { return &c.Missing }, [2]string{"not_found", "present"}},
	{"null", func(c *FeastConfig) *string { return &c.Null }, [2]string{"null_value", "present"}},
	{"expired", func(c *FeastConfig) *string { return &c.Expired }, [2]string{"outside_max_age", "present"}},
	{"unread", func(c *FeastConfig) *string { return &c.Unread }, [2]string{"invalid", "refuse"}},
	{"columns", func(c *FeastConfig) *string { return &c.Columns }, [2]string{"refuse", "ignore"}},
}

// DefaultFeastConfig returns what docs/feast.md calls deliberate differences.
func DefaultFeastConfig() (c FeastConfig) {
	for _, w := range feastWords {
		*w.of(&c) = w.words[0]
	}
	return c
}

// Validate returns every problem of c, joined, each with its key and value.
func (c FeastConfig) Validate() error {
	var errs []error
	for _, w := range feastWords {
		if have := *w.of(&c); !slices.Contains(w.words[:], have) {
			errs = append(errs, fmt.Errorf("%s: %q: want %s", w.key, have, strings.Join(w.words[:], " or ")))
		}
	}
	return errors.Join(errs...)
}

// statusWords says what a reply calls each status.
type statusWords [len(statusNames)]fieldStatus

// ownWords are those of the platform's own replies.
var ownWords = statusWords{
	statusPresent: statusPresent, statusNull: statusNull, statusNotFound: statusNotFound,
	statusOutsideMaxAge: statusOutsideMaxAge, statusUnavailable: statusUnavailable, statusFailed: statusFailed,
}

// words returns those of Feast's replies.
func (c FeastConfig) words() *statusWords {
	words := ownWords
	words[statusUnavailable], words[statusFailed] = feastUnavailable, feastUnavailable
	for status, as := range map[fieldStatus]string{statusNotFound: c.Missing, statusNull: c.Null, statusOutsideMaxAge: c.Expired} {
		if as == "present" {
			words[status] = statusPresent
		}
	}
	return &words
}

// feastName is a status of Feast's replies in words.
func feastName(status fieldStatus) string {
	if status == feastUnavailable {
		return feastUnavailableName
	}
	return statusNames[status]
}

// asFeast lets q be answered as c says.
func (q *query) asFeast(s *Server) {
	q.words, q.whole = s.feast, s.config.Feast.Unread == "refuse"
}

// refuseParts is the error of a request that is answered whole or not at all.
func (q *query) refuseParts() error {
	for _, a := range q.answers {
		if a.unread > 0 {
			return refusal.Of(feature.CodeUnavailable, "try again; feast.unread: invalid answers with the others",
				"view %s: %d of %d rows cannot be read", a.part.view.Name, a.unread, len(a.rows))
		}
	}
	return nil
}
