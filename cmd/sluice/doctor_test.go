package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Parts that cannot be reached are named, with what to look at.
func TestDoctorOfServers(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sluice.yaml")
	text := "data: " + dir + "\nkafka: {brokers: [\"127.0.0.1:1\"]}\nredis: {addrs: [\"127.0.0.1:1\"]}\nregistry: {postgres: \"postgres://u:secret@127.0.0.1:1/db\"}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := command(t, "doctor", "--server", "http://127.0.0.1:1", "-config.file="+file, "--format", "json")
	if code != 1 {
		t.Errorf("doctor: code %d, want 1", code)
	}
	found := checkFindings(t, out, map[string]bool{"configuration": true, "data folder": true, "kafka": false, "redis": false, "postgres": false, "server": false})
	if _, there := found["disk"]; !there {
		t.Error("the disk of the data folder was not looked at")
	}
	if strings.Contains(out, "secret") {
		t.Errorf("doctor shows the password: %s", out)
	}
}

// The installation may be described by flags, as to the other commands: they override the
// file, and what is wrong with them is said.
func TestDoctorOfFlags(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(file, []byte("data: "+filepath.Join(dir, "other")+"\nredis: {addrs: [\"127.0.0.1:1\"]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	for name, tc := range map[string]struct {
		args []string
		want map[string]bool
		text string
	}{
		"a folder":          {[]string{"--data=" + data}, map[string]bool{"configuration": true, "data folder": true, "server": false}, data + " is made at the first run"},
		"over a file":       {[]string{"-config.file=" + file, "--data=" + data, "--redis.addrs=127.0.0.1:2"}, map[string]bool{"configuration": true, "redis": false}, data + " is made at the first run"},
		"no such value":     {[]string{"--log.level=loud"}, map[string]bool{"configuration": false, "server": false}, "log.level"},
		"a folder too many": {[]string{"--data=" + file}, map[string]bool{"data folder": false}, "let this user write to " + file},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, _ := command(t, append([]string{"doctor", "--server", "http://127.0.0.1:1", "--format", "json"}, tc.args...)...)
			checkFindings(t, out, tc.want)
			if code != 1 || !strings.Contains(out, tc.text) {
				t.Errorf("doctor %q: code %d, %s, want 1 and %s", tc.args, code, out, tc.text)
			}
		})
	}
}

// checkFindings checks the states of some of the findings that doctor printed, and
// returns all by check.
func checkFindings(t *testing.T, out string, want map[string]bool) map[string]finding {
	t.Helper()
	var answer struct {
		OK     bool      `json:"ok"`
		Checks []finding `json:"checks"`
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.OK {
		t.Fatalf("doctor says %s (%v), want what is wrong", out, err)
	}
	found := map[string]finding{}
	for _, f := range answer.Checks {
		found[f.Check] = f
	}
	for check, ok := range want {
		f, there := found[check]
		if !there || f.OK != ok || f.OK == (f.Do != "") {
			t.Errorf("%s: %+v, there %t, want ok %t, and what to do if not", check, f, there, ok)
		}
	}
	return found
}
