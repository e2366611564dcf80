package jsonform

import (
	"fmt"
	"strings"
	"testing"
)

func TestStrict(t *testing.T) {
	many := func(last string) string {
		var b strings.Builder
		for i := range 20 {
			fmt.Fprintf(&b, `"k%d":%d,`, i, i)
		}
		return "{" + b.String() + `"` + last + `":0}`
	}
	for name, tc := range map[string]struct{ body, want string }{
		"nothing wrong":                {` {"a":1,"b":{"a":[{"a":2},{"a":3}]},"":0} `, ""},
		"a key twice":                  {`{"a":1,"b":2,"a":1}`, `duplicate key "a"`},
		"the empty key twice":          {`{"":1,"":2}`, `duplicate key ""`},
		"once with an escape":          {`{"a":1,"\u0061":2}`, `duplicate key "a"`},
		"within":                       {`[0,{"x":[{"a":1,"a":2}]}]`, `duplicate key "a"`},
		"many":                         {many("k20"), ""},
		"many, an early one twice":     {many("k3"), `duplicate key "k3"`},
		"many, a late one twice":       {many("k15"), `duplicate key "k15"`},
		"left to its reader":           {`{"context":{"a":1,"a":2}}`, ""},
		"in elements":                  {`{"context":[{"a":1,"a":2}]}`, ""},
		"deeper":                       {`{"context":[{"a":{"b":1,"b":2}}]}`, `duplicate key "b"`},
		"itself twice":                 {`{"context":{},"context":{}}`, `duplicate key "context"`},
		"within another":               {`{"x":{"context":{"a":1,"a":2}}}`, `duplicate key "a"`},
		"half a pair in it":            {`{"context":{"a":"\ud83d"}}`, "half of a surrogate pair"},
		"a pair":                       {`"\ud83d\ude00 \\ud83d"`, ""},
		"half a pair":                  {`"x\ud83d"`, "half of a surrogate pair"},
		"half a pair, then another":    {`["\ud83d\u0061"]`, "half of a surrogate pair"},
		"half a pair, then no unicode": {`["\ud83d\nabcd"]`, "half of a surrogate pair"},
		"the second half":              {`{"a":"\ude00"}`, "half of a surrogate pair"},
		"another case":                 {`{"Keys":[]}`, `unknown field "Keys": it is written keys`},
		"another case, escaped":        {`{"\u004beys":[]}`, `unknown field "Keys": it is written keys`},
		"another case, deeper":         {`{"keys":[{"Keys":1}],"other":1}`, ""},
		"a key with half a pair":       {`{"\ud83d":1}`, "half of a surrogate pair"},
	} {
		t.Run(name, func(t *testing.T) {
			if !WellFormed([]byte(tc.body)) {
				t.Fatal("not well formed")
			}
			err := Strict([]byte(tc.body), "hint", "context", []string{"keys", "context"})
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Message, tc.want) {
				t.Errorf("Strict(%s) = %v, want %q", tc.body, err, tc.want)
			}
		})
	}
}

// BenchmarkStrict is the walk over a request, with the names of its members and without.
func BenchmarkStrict(b *testing.B) {
	for _, keys := range []int{1, 100} {
		body := []byte(`{"keys":[` + strings.Repeat(`{"user_id":"u0000001"},`, keys-1) + `{"user_id":"u0000001"}],"features":["f00","f01"],"policy":"serve"}`)
		for name, members := range map[string][]string{"known": {"keys", "features", "policy", "context", "as_of_version"}, "none": nil} {
			b.Run(fmt.Sprintf("keys=%d/members=%s", keys, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := Strict(body, "hint", "context", members); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
