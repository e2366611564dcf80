package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sluice/cmd/sluice/app"
	"sluice/internal/backup"
)

// A restore that is done, of rows that are not as they were, is none to pass over in a script:
// it exits with 1 and says which.
func TestRestoreWantsALook(t *testing.T) {
	lost, other := []backup.Lost{{View: "payments", Version: 3}}, []backup.Difference{{View: "payments", Version: 4, Staged: 9, Counted: 10}}
	for name, tc := range map[string]struct {
		rows *backup.Restaged
		want []error
	}{
		"without rows":   {nil, nil},
		"all is well":    {&backup.Restaged{Rows: 10}, nil},
		"rows are lost":  {&backup.Restaged{Lost: lost}, []error{errRowsLost}},
		"a count is off": {&backup.Restaged{Differences: other}, []error{errRowsOther}},
		"both":           {&backup.Restaged{Lost: lost, Differences: other}, []error{errRowsLost, errRowsOther}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := (&restoreCmd{Format: "table"}).print(&env{stdout: &out}, app.RestoreResult{Restaged: tc.rows})
			if (err == nil) != (len(tc.want) == 0) {
				t.Fatalf("print = %v, want %v", err, tc.want)
			}
			for _, want := range tc.want {
				if !errors.Is(err, want) {
					t.Errorf("print = %v, want %v in it", err, want)
				}
			}
			if tc.rows != nil && len(tc.rows.Differences) > 0 && !strings.Contains(out.String(), "payments version 4: 9 rows staged, 10 were counted") {
				t.Errorf("it prints %q, and not which version", out.String())
			}
		})
	}
}

// The manual clock is in a backup as everything that the gate decides by, and goes back to
// it with a restore: whoever moves it is told where it stands.
func TestRestoreTellsTheClock(t *testing.T) {
	i, file := install(t, nil), filepath.Join(t.TempDir(), "sluice.bak")
	i.define()
	s := session{t}
	at := connection{Server: "http://" + i.a.Addrs().HTTP}
	set := func(now string) {
		t.Helper()
		if err := at.post(t.Context(), "/api/v1/clock", map[string]string{"now": now}, nil); err != nil {
			t.Fatal(err)
		}
	}
	set("2024-01-01T01:00:00Z")
	s.run(0, "backup "+file+i.flags())
	set("2024-01-02T00:00:00Z")
	i.stop()
	s.run(0, "restore "+file+" --force --yes --reason drill"+i.flags(), "the manual clock stands where it was at the backup, 2024-01-01T01:00:00Z")
	i.start()
	if got := apiText(t, "/api/v1/clock"); !strings.Contains(got, "2024-01-01T01:00:00Z") {
		t.Errorf("the clock is %s, want that of the backup", got)
	}
}
