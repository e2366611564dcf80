package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// Anonymous is the name of everybody where no tokens are configured.
const Anonymous = "anonymous"

// ErrTokens reports a tokens file that cannot be used.
var ErrTokens = errors.New("tokens file")

// Tokens are the entries of a tokens file. A nil *Tokens allows everything.
type Tokens struct {
	entries []entry
}

type entry struct {
	name    string
	role    Role
	project string
	digest  [sha256.Size]byte
}

// Load reads the tokens file at path; an empty path gives nil, which allows
// everything. The error is ErrTokens if the file is there and cannot be used.
func Load(path string) (*Tokens, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load tokens: %w", err)
	}
	return Parse(text)
}

// Parse reads a YAML list of {name, role, sha256, project}, of which project may be left
// out. Unknown keys, empty lists, names or digests given twice and anything malformed are
// ErrTokens, all problems at once.
func Parse(text []byte) (*Tokens, error) {
	var raw []struct {
		Name    string `yaml:"name"`
		Project string `yaml:"project"`
		Role    string `yaml:"role"`
		SHA256  string `yaml:"sha256"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&raw); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", ErrTokens, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one document", ErrTokens)
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("%w: no entry, so nobody could do anything; leave auth.tokens_file empty to allow everything", ErrTokens)
	}
	tokens, problems := &Tokens{}, []error(nil)
	for i, r := range raw {
		e, err := newEntry(r.Name, r.Role, r.SHA256)
		e.project = r.Project
		if err == nil && r.Project != "" && !feature.ValidName(r.Project) {
			err = fmt.Errorf("project %.80q: want a name of lower-case letters, digits and _", r.Project)
		}
		if err == nil {
			err = tokens.add(e)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%w: entry %d: %w", ErrTokens, i+1, err))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return tokens, nil
}

// Project returns the project of the token of that name; empty if it has none.
func (t *Tokens) Project(name string) string {
	if t == nil {
		return ""
	}
	for _, e := range t.entries {
		if e.name == name {
			return e.project
		}
	}
	return ""
}

func newEntry(name, role, digest string) (entry, error) {
	e := entry{name: name}
	if name == "" || len(name) > 64 || name == Anonymous {
		return e, fmt.Errorf("name %.80q: want 1 to 64 bytes, and not %s", name, Anonymous)
	}
	var err error
	if e.role, err = ParseRole(role); err != nil {
		return e, err
	}
	b, err := hex.DecodeString(digest)
	if err != nil || copy(e.digest[:], b) != len(b) || len(b) != sha256.Size {
		return e, errors.New("sha256: want the 64 hex digits of the token's SHA-256")
	}
	return e, nil
}

func (t *Tokens) add(e entry) error {
	for _, other := range t.entries {
		if other.name == e.name {
			return fmt.Errorf("name %q: given twice", e.name)
		}
		if other.digest == e.digest {
			return fmt.Errorf("name %q: the same token as %q", e.name, other.name)
		}
	}
	t.entries = append(t.entries, e)
	return nil
}

// Authorize returns the name behind token if its role is at least need. The
// error is a *feature.Error of code unauthenticated for a token that is missing
// or not known, and forbidden for a role below need. How long it takes does not
// tell how much of a token was right.
func (t *Tokens) Authorize(token string, need Role) (name string, err error) {
	if t == nil {
		return Anonymous, nil
	}
	if token == "" {
		return "", &feature.Error{
			Code: feature.CodeUnauthenticated, Message: "no token",
			Hint: "send the header Authorization: Bearer TOKEN",
		}
	}
	digest, found := sha256.Sum256([]byte(token)), -1
	for i := range t.entries {
		if subtle.ConstantTimeCompare(digest[:], t.entries[i].digest[:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return "", &feature.Error{
			Code: feature.CodeUnauthenticated, Message: "the token is not known",
			Hint: "its SHA-256 must be in the server's tokens file",
		}
	}
	e := &t.entries[found]
	if e.role < need {
		return "", &feature.Error{
			Code:    feature.CodeForbidden,
			Message: fmt.Sprintf("%s has role %s; this needs %s", e.name, e.role, need),
			Hint:    "use a token of that role",
		}
	}
	return e.name, nil
}
