package main

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/app"
	"sluice/store/tabular"
)

func TestMain(m *testing.M) {
	if tabular.ServeChild() {
		return
	}
	os.Exit(m.Run())
}

// command runs one command line.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = execute(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := newParser(new(cli), io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

func TestNormalise(t *testing.T) {
	for name, tc := range map[string]struct{ given, want string }{
		"one dash":      {"run -target=all -config.file=a.yaml -clock=manual", "run --target=all --config.file=a.yaml --clock=manual"},
		"two dashes":    {"run --target=all", "run --target=all"},
		"apart":         {"run -target all", "run --target all"},
		"short":         {"plan -f dir", "plan -f dir"},
		"short, joined": {"plan -fdir", "plan -fdir"},
		"key":           {"get v a=-target", "get v a=-target"},
		"unknown":       {"run -nothing", "run -nothing"},
		"help":          {"run -help", "run --help"},
		"behind --":     {"get v -- -target -format", "get v -- -target -format"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(normalise(strings.Fields(tc.given), model(t)), " "); got != tc.want {
				t.Errorf("normalise(%s) = %s, want %s", tc.given, got, tc.want)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("lisen: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args string
		code int
		want string // in standard error
	}{
		"no command":         {"", 2, "sluice: expected one of"},
		"unknown command":    {"pusch", 2, "unexpected argument pusch"},
		"no argument":        {"push", 2, "sluice: `sluice push --help` shows how"},
		"unknown flag":       {"views --colour", 2, "unknown flag --colour"},
		"bad format":         {"views --format xml", 2, "--format must be one of"},
		"bad clock":          {"run -clock=sun", 2, "--clock must be one of"},
		"embedded part":      {"run -target=serve", 2, "target serve: the log is embedded, and other processes cannot reach it: set kafka.brokers"},
		"unknown target":     {"run -target=srve", 2, `target: "srve": want all, tap, gate or serve`},
		"open without token": {"run --listen.http=0.0.0.0:0", 2, "listen.http: 0.0.0.0:0 is reachable from other machines"},
		"bad file":           {"run -config.file=" + bad, 2, "unknown key lisen: did you mean listen?"},
		"no tokens file":     {"run --auth.tokens_file=" + dir + "/none", 2, "auth.tokens_file: load tokens"},
		"config check":       {"config check -config.file=" + bad, 1, "unknown key lisen: did you mean listen?"},
		"no version":         {"rollback v --reason x", 2, "usage: --version is missing: `sluice versions v` lists them"},
		"no reason":          {"approve v --version 3", 2, "usage: --reason is missing: say why, for the audit log"},
		"no reason, accept":  {"baseline accept v --version 3", 2, "usage: --reason is missing"},
		"bad record":         {"deadletters show x", 2, `record "x": want TOPIC/PARTITION/OFFSET`},
		"bad server":         {"views --server ::", 2, `--server "::"`},
		"nobody there":       {"views --server http://127.0.0.1:1", 1, "is it running? `sluice run` starts one"},
		"no definitions":     {"plan -f " + dir + "/none", 1, "no such file or directory"},
		"no rules file":      {"rules check -f " + dir + "/none", 1, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := command(t, strings.Fields(tc.args)...)
			if code != tc.code || !strings.Contains(stderr, tc.want) || stdout != "" {
				t.Errorf("sluice %s: code %d, out %q, err %q, want code %d and %q", tc.args, code, stdout, stderr, tc.code, tc.want)
			}
		})
	}
}

func TestConfigCheckCommand(t *testing.T) {
	if code, out, _ := command(t, "config", "check"); code != 0 || out != "the configuration is good\n" {
		t.Errorf("config check of the defaults: code %d, %s", code, out)
	}
	code, out, _ := command(t, "config", "check", "--format", "json", "--kafka.partitions=0", "--data=")
	if want := `{"ok":false,"problems":["data: empty: name a folder","kafka.partitions: 0: want 1 to 10000"]}` + "\n"; code != 1 || out != want {
		t.Errorf("config check = %d %s, want 1 %s", code, out, want)
	}
}

// Flags go over the file, and the file over the defaults; what no flag set stays.
func TestLoadConfigWithFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(file, []byte("kafka: {writes: w, partitions: 2}\nredis: {cluster: true}"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := configFlags{Kafka: app.KafkaConfig{Partitions: 8, Brokers: []string{"a:1"}}}
	cfg, err := loadConfig(file, &flags, map[string]bool{"kafka.partitions": true, "kafka.brokers": true, "redis.cluster": true})
	want := app.DefaultConfig()
	want.Kafka.Writes, want.Kafka.Partitions, want.Kafka.Brokers = "w", 8, []string{"a:1"}
	if err != nil || cfg.Kafka.Partitions != 8 || cfg.Kafka.Writes != "w" || len(cfg.Kafka.Brokers) != 1 || cfg.Redis.Cluster || cfg.Listen != want.Listen {
		t.Errorf("loadConfig = %+v, %v, want %+v", cfg, err, want)
	}
}

// Every key of the configuration is a flag of run.
func TestEveryKeyIsAFlag(t *testing.T) {
	flags := map[string]bool{}
	eachNode(model(t).Node, func(n *kong.Node) {
		if n.Name == "run" {
			for _, f := range n.Flags {
				flags[f.Name] = true
			}
		}
	})
	var cfg app.Config
	for _, key := range cfg.Keys() {
		if !flags[key.Name] || key.Help == "" || key.Type == "" {
			t.Errorf("key %s: flag %t, help %q, type %q", key.Name, flags[key.Name], key.Help, key.Type)
		}
	}
}

// Every command shows an example.
func TestEveryCommandHasAnExample(t *testing.T) {
	eachNode(model(t).Node, func(n *kong.Node) {
		if n.Type == kong.CommandNode && n.Leaf() && !n.Hidden && !strings.Contains(n.Detail, "Examples:\n  sluice "+strings.TrimPrefix(n.FullPath(), "sluice ")) {
			t.Errorf("%s --help shows no example of itself", n.FullPath())
		}
	})
	code, out, _ := command(t, "push", "-help")
	if code != 0 || !strings.Contains(out, "sluice push carrier_delays day1.parquet") {
		t.Errorf("push -help: code %d, %s", code, out)
	}
}

// What a server answers is shown as it says it, with its hint.
func TestServerErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"of the contract": {404, `{"error":{"code":"unknown_view","message":"there is no view \"pyy\"","hint":"did you mean pay?"}}`, "sluice: there is no view \"pyy\"\nsluice: did you mean pay?\n"},
		"without a hint":  {401, `{"error":{"code":"unauthenticated","message":"no token","hint":""}}`, "sluice: no token\n"},
		"of another kind": {502, `<html>`, "sluice: the server answered 502 Bad Gateway\nsluice: is --server a Sluice server?\n"},
		"no JSON":         {200, `<html>`, "sluice: answer of /api/v1/views/pyy: invalid character '<' looking for beginning of value: is SERVER a Sluice server?\n"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer secret" {
					t.Errorf("Authorization %q, want the token", r.Header.Get("Authorization"))
				}
				w.WriteHeader(tc.status)
				_, _ = w.Write([]byte(tc.body))
			}))
			defer server.Close()
			t.Setenv("SLUICE_TOKEN", "secret")
			t.Setenv("SLUICE_SERVER", server.URL)
			code, _, stderr := command(t, "views", "pyy")
			if stderr = strings.ReplaceAll(stderr, server.URL, "SERVER"); code != 1 || stderr != tc.want {
				t.Errorf("code %d, err %q, want 1, %q", code, stderr, tc.want)
			}
		})
	}
}

var update = flag.Bool("update", false, "write the reference pages")

// The committed reference pages are what the structs say.
func TestReferenceIsCurrent(t *testing.T) {
	for name, want := range references(model(t)) {
		path := filepath.Join("..", "..", "docs", "reference", name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("docs/reference/%s is not current (%v): go test ./cmd/sluice -run Current -update", name, err)
		}
	}
}

func TestDocsCommand(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := command(t, "docs", dir); code != 0 {
		t.Fatalf("docs: code %d, %s", code, stderr)
	}
	for name, want := range references(model(t)) {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
			t.Errorf("docs wrote another %s (%v)", name, err)
		}
	}
}
