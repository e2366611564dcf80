package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// TestTimestampsAreWholeSeconds writes values with fractions of a second at every door that
// takes rows: what is read is the second that they lie in, before 1970 as well.
func TestTimestampsAreWholeSeconds(t *testing.T) {
	platform(t)
	dir := t.TempDir()
	const defs = "views: [{name: logins, entities: [user], features: [{name: seen, type: timestamp}], publish: {mode: optimistic}}]"
	if err := os.WriteFile(filepath.Join(dir, "logins.yaml"), []byte(defs), 0o600); err != nil {
		t.Fatal(err)
	}
	s := session{t}
	s.run(0, "apply -f "+dir)
	for n, tc := range []struct{ seen, want string }{
		{"2024-01-01T00:00:01.999999Z", "2024-01-01T00:00:01Z"}, {"1969-12-31T23:59:58.5Z", "1969-12-31T23:59:58Z"},
	} {
		doors := timestampDoors(t, dir, n)
		for door, write := range doors {
			write(fmt.Sprint(door, n), tc.seen)
		}
		for door := range doors {
			eventually(t, func() error {
				_, out, _ := command(t, "get", "logins", fmt.Sprintf("user=%s%d", door, n), "--format", "json")
				if !strings.Contains(out, `"`+tc.want+`"`) {
					return fmt.Errorf("%s by %s is read as %s, want %s", tc.seen, door, out, tc.want)
				}
				return nil
			})
		}
	}
}

// timestampDoors returns how a user's value is written, by door.
func timestampDoors(t *testing.T, dir string, n int) map[string]func(user, seen string) {
	s, server := session{t}, os.Getenv("SLUICE_SERVER")
	file := func(name string, text []byte) {
		t.Helper()
		path := filepath.Join(dir, fmt.Sprint(n, name))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s.run(0, "push logins "+path)
	}
	post := func(path, body string) {
		t.Helper()
		answer, err := http.Post(server+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%s = %d %s (%v)", path, answer.StatusCode, text, err)
		}
	}
	const at = "2024-01-01T00:00:05Z"
	return map[string]func(user, seen string){
		"jsonl": func(user, seen string) {
			file("rows.jsonl", fmt.Appendf(nil, `{"user":%q,"seen":%q,"event_time":%q}`+"\n", user, seen, at))
		},
		"csv": func(user, seen string) {
			file("rows.csv", fmt.Appendf(nil, "user,seen,event_time\n%s,%s,%s\n", user, seen, at))
		},
		"parquet": func(user, seen string) { file("rows.parquet", parquetLogin(t, user, seen, at)) },
		"writes": func(user, seen string) {
			post("/api/v1/views/logins/writes", fmt.Sprintf(`{"view":"logins","key":{"user":%q},"event_time":%q,"values":{"seen":%q}}`, user, at, seen))
		},
		"feast": func(user, seen string) {
			post("/push", fmt.Sprintf(`{"push_source_name":"logins","to":"online","df":{"user":[%q],"seen":[%q],"event_time":[%q]}}`, user, seen, at))
		},
	}
}

func parquetLogin(t *testing.T, user, seen, at string) []byte {
	t.Helper()
	type row struct {
		User string    `parquet:"user"`
		Seen time.Time `parquet:"seen,timestamp(microsecond)"`
		At   time.Time `parquet:"event_time,timestamp(microsecond)"`
	}
	var times [2]time.Time
	for i, text := range []string{seen, at} {
		var err error
		if times[i], err = time.Parse(time.RFC3339Nano, text); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out)
	if _, err := w.Write([]row{{user, times[0], times[1]}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
