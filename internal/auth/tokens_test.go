package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sluice/feature"
)

func digestOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func entryText(name, role, token string) string {
	return fmt.Sprintf("- {name: %s, role: %s, sha256: %s}\n", name, role, digestOf(token))
}

func TestParse(t *testing.T) {
	alice := entryText("alice", "reader", "a")
	for name, tc := range map[string]struct {
		text string
		want string // part of the error; empty for none
	}{
		"one entry":         {alice, ""},
		"two entries":       {alice + entryText("bob", "operator", "b"), ""},
		"empty":             {"", "no entry"},
		"empty list":        {"[]", "no entry"},
		"unknown key":       {"- {name: a, role: reader, sha256: x, colour: red}", "colour"},
		"unknown role":      {entryText("alice", "root", "a"), "want reader, writer or operator"},
		"no name":           {entryText("''", "reader", "a"), "name"},
		"reserved name":     {entryText("anonymous", "reader", "a"), "not anonymous"},
		"short digest":      {"- {name: a, role: reader, sha256: abcd}", "64 hex digits"},
		"the token itself":  {"- {name: a, role: reader, sha256: hunter2}", "64 hex digits"},
		"name twice":        {alice + entryText("alice", "reader", "b"), "given twice"},
		"token twice":       {alice + entryText("bob", "writer", "a"), "the same token"},
		"two documents":     {alice + "---\n" + alice, "more than one document"},
		"not a list":        {"name: a", "unmarshal"},
		"all problems told": {entryText("x", "root", "a") + entryText("y", "king", "b"), "king"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(tc.text))
			if tc.want == "" {
				if err != nil || got == nil {
					t.Fatalf("Parse(%q) = %v, %v, want tokens", tc.text, got, err)
				}
				return
			}
			if !errors.Is(err, ErrTokens) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse(%q) = %v, want ErrTokens naming %q", tc.text, err, tc.want)
			}
		})
	}
}

func TestAuthorize(t *testing.T) {
	tokens, err := Parse([]byte(entryText("r", "reader", "read") + entryText("w", "writer", "write") + entryText("o", "operator", "operate")))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		tokens *Tokens
		token  string
		need   Role
		want   string
		code   feature.Code
	}{
		"nothing configured":      {nil, "", Operator, Anonymous, ""},
		"reader reads":            {tokens, "read", Reader, "r", ""},
		"reader may not write":    {tokens, "read", Writer, "", feature.CodeForbidden},
		"writer reads":            {tokens, "write", Reader, "w", ""},
		"writer writes":           {tokens, "write", Writer, "w", ""},
		"writer may not operate":  {tokens, "write", Operator, "", feature.CodeForbidden},
		"operator writes":         {tokens, "operate", Writer, "o", ""},
		"no token":                {tokens, "", Reader, "", feature.CodeUnauthenticated},
		"unknown token":           {tokens, "reader", Reader, "", feature.CodeUnauthenticated},
		"the digest is no token":  {tokens, digestOf("read"), Reader, "", feature.CodeUnauthenticated},
		"a prefix is not a token": {tokens, "rea", Reader, "", feature.CodeUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.tokens.Authorize(tc.token, tc.need)
			var known *feature.Error
			if errors.As(err, &known) != (tc.code != "") || known != nil && known.Code != tc.code || got != tc.want {
				t.Errorf("Authorize(%q, %s) = %q, %v, want %q, code %q", tc.token, tc.need, got, err, tc.want, tc.code)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	if got, err := Load(""); got != nil || err != nil {
		t.Errorf(`Load("") = %v, %v, want nil, nil`, got, err)
	}
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load of a missing file = %v, want ErrNotExist", err)
	}
	if err := os.WriteFile(path, []byte(entryText("alice", "writer", "a")), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := tokens.Authorize("a", Writer); name != "alice" || err != nil {
		t.Errorf("Authorize = %q, %v, want alice", name, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(entryText("alice", "reader", "a")))
	f.Add([]byte("- &a {name: x}\n- *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrTokens) {
				t.Fatalf("Parse error %v is not ErrTokens", err)
			}
			return
		}
		var again strings.Builder
		for _, e := range first.entries {
			fmt.Fprintf(&again, "- {name: %q, role: %s, sha256: %x}\n", e.name, e.role, e.digest)
		}
		second, err := Parse([]byte(again.String()))
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("round trip gave %+v (%v), want %+v", second, err, first)
		}
	})
}
