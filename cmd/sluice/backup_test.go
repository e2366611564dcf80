package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/cmd/sluice/app"
	"sluice/feature"
	"sluice/internal/backup"
	"sluice/store/registry"
)

// installation is a platform on a folder of its own that can be stopped and started.
type installation struct {
	t    *testing.T
	cfg  app.Config
	a    *app.App
	stop func()
	lose func() // everything but the log
	held string // why a restore is refused while the platform runs
	in   string // online store of payments; empty: the default

	group string // of payments; empty: none
}

func install(t *testing.T, change func(*app.Config)) *installation {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Listen = app.ListenConfig{HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Kafka: "127.0.0.1:0"}
	if change != nil {
		change(&cfg)
	}
	i := &installation{t: t, cfg: cfg, stop: func() {}, held: "in use by another sluice"}
	i.lose = i.destroy
	i.start()
	t.Cleanup(func() { i.stop() })
	t.Setenv("USER", "eve")
	return i
}

func (i *installation) start() {
	i.t.Helper()
	a, err := app.New(context.WithoutCancel(i.t.Context()), i.cfg, app.Options{Target: "all", Clock: "manual", Version: "dev", NoSync: true})
	if err != nil {
		i.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(i.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	i.a = a
	i.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			i.t.Errorf("platform: %v", err)
		}
		i.stop = func() {}
	}
	i.t.Setenv("SLUICE_SERVER", "http://"+a.Addrs().HTTP)
	eventually(i.t, a.Ready)
}

// flags names the installation to backup and restore.
func (i *installation) flags() string {
	if i.cfg.Registry.Postgres != "" {
		return i.stores() + " --kafka.brokers=" + i.cfg.Kafka.Brokers[0] + " --kafka.writes=" + i.cfg.Kafka.Writes + " --kafka.profiles=" + i.cfg.Kafka.Profiles +
			" --kafka.dead_letters=" + i.cfg.Kafka.DeadLetters + " --redis.addrs=" + i.cfg.Redis.Addrs[0] + " --redis.prefix=" + i.cfg.Redis.Prefix +
			" --registry.postgres=" + i.cfg.Registry.Postgres
	}
	return i.stores() + " --data=" + i.cfg.Data + " --listen.kafka=" + i.a.Addrs().Kafka[0]
}

// seen is what a client can see of the installation.
type seen struct {
	gets     map[string]string
	versions []feature.VersionInfo
	verdicts []string
	audit    []feature.Audit
}

func (i *installation) look() (s seen) {
	i.t.Helper()
	s.gets = map[string]string{}
	run := session{i.t}
	for n := range 20 {
		key := fmt.Sprintf("user=00%d,card=%d", n, n)
		s.gets[key] = run.run(0, "get payments "+key+" --format json")
	}
	var versions struct{ Items []feature.VersionInfo }
	var verdicts struct{ Items []struct{ ID string } }
	var audit struct{ Items []feature.Audit }
	for path, to := range map[string]any{"/api/v1/views/payments/versions": &versions, "/api/v1/views/payments/verdicts": &verdicts, "/api/v1/audit": &audit} {
		if err := json.Unmarshal([]byte(apiText(i.t, path)), to); err != nil {
			i.t.Fatal(err)
		}
	}
	s.versions, s.audit = versions.Items, audit.Items
	for _, v := range verdicts.Items {
		s.verdicts = append(s.verdicts, v.ID)
	}
	return s
}

// same checks that everything that was decided before is so after. There may be more.
func (before seen) same(t *testing.T, after seen) {
	t.Helper()
	for n, row := range before.audit {
		if n >= len(after.audit) || fmt.Sprintf("%+v", after.audit[n]) != fmt.Sprintf("%+v", row) {
			t.Fatalf("audit row %d is not %+v: %+v", n, row, after.audit)
		}
	}
	for n, v := range before.versions {
		now := after.versions[n]
		now.Step, now.JudgedSince, now.HeldFor = v.Step, v.JudgedSince, v.HeldFor // these go on
		if v.Verdict != "" && fmt.Sprintf("%+v", now) != fmt.Sprintf("%+v", v) {
			t.Errorf("version %+v, want %+v", now, v)
		}
	}
	for n, id := range before.verdicts {
		if after.verdicts[n] != id {
			t.Errorf("verdict %d is %s, want %s", n, after.verdicts[n], id)
		}
		session{t}.run(0, "verdict verify "+id, "equal")
	}
}

// define applies the definitions of the tests.
func (i *installation) define() string {
	i.t.Helper()
	dir := i.t.TempDir()
	text := strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1)
	if i.in != "" {
		text = inStore(text, i.in)
	}
	if i.group != "" {
		text = inGroup(text, i.group)
	}
	if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
	session{i.t}.run(0, "apply -f "+dir)
	return dir
}

// push pushes a minute of payments and has it judged; code is that of push.
func (i *installation) push(dir string, minute, code int, amount func(int) float64) {
	i.t.Helper()
	session{i.t}.run(code, "push payments "+rows(i.t, dir, fmt.Sprintf("m%d.jsonl", minute), minute, amount)+" --seal --wait")
}

// served waits until a read says what is wanted: a server may answer from a vector as
// old as its lease.
func (i *installation) served(get, want string) {
	i.t.Helper()
	eventually(i.t, func() error {
		if got := (session{i.t}).run(0, get); !strings.Contains(got, want) {
			return fmt.Errorf("%s is not served yet: %s", want, got)
		}
		return nil
	})
}

// TestBackupAndRestore destroys everything but the log, and has it all again: what was
// backed up as it was, and what came after judged anew.
func TestBackupAndRestore(t *testing.T) { backupAndRestore(t, install(t, nil)) }

func backupAndRestore(t *testing.T, i *installation) {
	dir := i.define()
	good := func(minute int) func(int) float64 {
		return func(n int) float64 { return 10 + float64(n%7)/10 + float64(minute)/100 }
	}
	for minute := range 6 {
		i.push(dir, minute, 0, good(minute))
	}
	i.push(dir, 6, 3, func(n int) float64 { return float64(n%2*60 - 10) }) // half of it refused
	s := session{t}
	s.run(0, "push payments "+rows(t, dir, "open.jsonl", 7, good(7))) // a window that stays open
	eventually(t, func() error {
		var windows struct {
			Items []struct {
				State string
				Rows  int
			}
		}
		if err := json.Unmarshal([]byte(apiText(t, "/api/v1/views/payments/windows")), &windows); err != nil {
			return err
		}
		for _, w := range windows.Items {
			if w.State == "open" && w.Rows == 100 {
				return nil
			}
		}
		return fmt.Errorf("the open window is not read: %+v", windows)
	})
	file := filepath.Join(t.TempDir(), "sluice.bak")
	flags := i.flags()
	s.run(0, "backup "+file+flags, "source partitions, sha256")
	s.run(1, "backup "+file+flags, "!the file exists: choose another name, or say --force")
	s.run(0, "backup "+file+" --force --format json"+flags, `"generation":1`)
	s.run(1, "restore "+file+flags, "!"+i.held)
	before := i.look()
	i.push(dir, 8, 0, good(8)) // after the backup; seals minute 7 too
	i.served("get payments user=000,card=0", "2024-01-01T00:08:00Z")
	later, counted := i.look(), apiText(t, "/api/v1/accounting")
	i.stop()

	s.run(0, "restore "+file+" --dry-run", "is whole")
	s.run(1, "restore "+file+flags, "!the registry is not empty")
	s.run(2, "restore "+file+" --force"+flags, "!say --yes")
	i.lose()
	flags = i.flags()
	s.run(0, "restore "+file+" --rows --reason drill"+flags, "registry restored", "taps go on from the backup", "staged again")
	s.run(1, "restore "+file+" --rows --reason drill"+flags, "!the online store is not empty")
	i.start()
	eventually(t, func() error { // the windows that were sealed after the backup
		if n := len(i.look().versions); n != len(later.versions) {
			return fmt.Errorf("%d versions, want %d as before", n, len(later.versions))
		}
		return nil
	})
	s.run(0, "windows payments --start 2024-01-01T00:08:00Z --wait 20s", "judged")
	after := i.look()
	before.same(t, after)
	for key, get := range later.gets {
		if got, want := rowsOf(t, after.gets[key]), rowsOf(t, get); got != want {
			t.Errorf("get %s = %s, want %s: nothing that the log holds is lost", key, got, want)
		}
	}
	if row := after.audit[len(before.audit)]; row.Action != "restore" || row.By != "eve" || row.Reason != "drill" {
		t.Errorf("the row behind the restored audit log is %+v, want the restore", row)
	}
	if again := apiText(t, "/api/v1/accounting"); again != counted {
		t.Errorf("accounting = %s, want %s: every record once", again, counted)
	}
	for n, v := range later.versions {
		if now := after.versions[n]; now.Digest != v.Digest || now.Rows != v.Rows || now.Window != v.Window || now.State.Dead() != v.State.Dead() {
			t.Errorf("version %+v, want %+v: judged anew from the same records", now, v)
		}
	}
	i.push(dir, 9, 0, good(9))
}

// TestRestoreCutShort ends a restore once it has put the registry in and begun with the rows.
// Nothing runs on what is left, and nobody takes it for a whole one, until it is repeated.
func TestRestoreCutShort(t *testing.T) {
	i := install(t, nil)
	dir := i.define()
	for minute := range 2 {
		i.push(dir, minute, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
	}
	file, s := filepath.Join(t.TempDir(), "sluice.bak"), session{t}
	s.run(0, "backup "+file+i.flags())
	i.stop()
	i.lose()
	flags := i.flags()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := app.Restore(ctx, i.cfg, app.RestoreOptions{Path: file, Rows: true, By: "eve", Reason: "drill", Tell: func(backup.Progress) { cancel() }}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "repeated with --force") {
		t.Fatalf("Restore = %v, want it ended in the middle", err)
	}
	if _, err := app.New(t.Context(), i.cfg, app.Options{Target: "all", Clock: "manual", NoSync: true}); !errors.Is(err, registry.ErrRestoring) {
		t.Errorf("the platform starts, %v, want %v", err, registry.ErrRestoring)
	}
	s.run(1, "backup "+file+".half"+flags, "!a restore has not come to its end")
	s.run(0, "restore "+file+" --rows --force --yes --reason again"+flags, "registry restored", "staged again")
	i.start()
	s.run(0, "audit", "restore ", "restored ", "again")
	i.served("get payments user=000,card=0", "2024-01-01T00:01:00Z")
	i.push(dir, 2, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
}

// rowsOf is the rows of get alone.
func rowsOf(t *testing.T, get string) string {
	t.Helper()
	var answer struct {
		Rows json.RawMessage `json:"rows"`
	}
	if err := json.Unmarshal([]byte(get), &answer); err != nil {
		t.Fatal(err)
	}
	return string(answer.Rows)
}

// destroy removes everything embedded but the log.
func (i *installation) destroy() {
	i.t.Helper()
	for _, name := range []string{"registry.db", "registry.db-wal", "registry.db-shm", "rows", "online"} {
		if err := os.RemoveAll(filepath.Join(i.cfg.Data, name)); err != nil {
			i.t.Fatal(err)
		}
	}
}

// Rows that the log no longer holds are named.
func TestRestoreWithoutTheLog(t *testing.T) {
	i := install(t, nil)
	dir := i.define()
	for minute := range 2 {
		i.push(dir, minute, 0, func(n int) float64 { return 10 + float64(n%7) })
	}
	file, flags := filepath.Join(t.TempDir(), "sluice.bak"), i.flags()
	s := session{t}
	s.run(0, "backup "+file+flags)
	i.stop()
	if err := os.RemoveAll(i.cfg.Data); err != nil {
		t.Fatal(err)
	}
	s.run(1, "restore "+file+" --rows"+flags, "LOST", "payments  1", "payments  2", "was made anew after the backup", "!rows are lost")
	i.start()
	s.run(0, "get payments user=001,card=1", "NOT_FOUND")
	i.push(dir, 3, 0, func(n int) float64 { return 10 + float64(n%7) })
	i.served("get payments user=001,card=1", "PRESENT")
}

// TestBesideAnother has two installations on one machine, of which the commands that work beside
// the second are started with the addresses of the first. They find the second's own log, and
// leave the first as it is.
func TestBesideAnother(t *testing.T) {
	first := install(t, nil)
	dir := first.define()
	for minute := range 3 {
		first.push(dir, minute, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
	}
	before := apiText(t, "/api/v1/accounting")
	second := install(t, nil)
	dir = second.define()
	second.push(dir, 0, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
	file, s := filepath.Join(t.TempDir(), "sluice.bak"), session{t}
	want, beside := second.look(), " --data="+second.cfg.Data+" --listen.kafka="+first.a.Addrs().Kafka[0]
	s.run(0, "backup "+file+beside)
	s.run(0, "reread sluice.writes/0 --force --yes --reason drill"+beside)
	other := " --data=" + second.cfg.Data + " --kafka.brokers=" + first.a.Addrs().Kafka[0]
	s.run(1, "backup "+file+".other"+other, "!not what this registry's writes were read from", "!sluice.writes")
	s.run(1, "reread sluice.writes/0 --force --yes --reason drill"+other, "!not what this registry's writes were read from")
	second.stop()
	if _, err := os.Stat(file + ".other"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup with another's log is there: %v", err)
	}
	second.lose()
	s.run(0, "restore "+file+" --rows --data="+second.cfg.Data, fmt.Sprintf("go on from the backup in %d source partitions", second.cfg.Kafka.Partitions), "100 rows")
	second.start()
	second.served("get payments user=000,card=0", "2024-01-01T00:00")
	want.same(t, second.look())
	t.Setenv("SLUICE_SERVER", "http://"+first.a.Addrs().HTTP)
	if after := apiText(t, "/api/v1/accounting"); after != before {
		t.Errorf("the first installation counts %s, want %s as before", after, before)
	}
}

// What works beside a platform says so where that has no broker.
func TestBesideNoBroker(t *testing.T) {
	i := install(t, nil)
	i.define()
	if err := os.Remove(filepath.Join(i.cfg.Data, "broker.addr")); err != nil {
		t.Fatal(err)
	}
	session{t}.run(1, "backup "+t.TempDir()+"/sluice.bak"+i.flags(), "!that one has no broker", "!kafka.brokers")
}

func TestBackupRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "text.bak")
	if err := os.WriteFile(file, []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := session{t}
	s.run(1, "backup "+dir+"/new.bak --data="+dir, "!there is no registry in "+dir)
	s.run(1, "restore "+file+" --data="+dir, "!damaged archive")
	s.run(1, "restore "+dir+"/none.bak --data="+dir, "!no such file")
	s.run(2, "restore "+file+" --parallel=-1", "!want 0 or more")
	fresh := filepath.Join(dir, "fresh") // as one is that was lost and made anew
	if err := os.Mkdir(fresh, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := registry.OpenSQLite(t.Context(), filepath.Join(fresh, "registry.db"), registry.Options{})
	if err == nil {
		err = r.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.run(1, "backup "+file+" --force --data="+fresh, "!nothing has ever run on this registry")
	if text, err := os.ReadFile(file); err != nil || string(text) != "no archive" {
		t.Errorf("the backup there was is %q, %v, want it as it was", text, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v (%v), want only what was there, and fresh", entries, err)
	}
}
