package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/cmd/sluice/app"
	"sluice/feature"
	"sluice/store/embedded"
)

// inStore is paymentsYAML with the view in an online store.
func inStore(text, name string) string {
	return strings.Replace(text, "  - name: payments\n", "  - name: payments\n    online: "+name+"\n", 1)
}

// stores names the online stores of an installation to a command.
func (i *installation) stores() string {
	if len(i.cfg.OnlineStores) == 0 {
		return ""
	}
	all := map[string]map[string]any{}
	for name, c := range i.cfg.OnlineStores {
		all[name] = map[string]any{"addrs": append([]string{}, c.Addrs...), "prefix": c.Prefix}
	}
	text, err := json.Marshal(all)
	if err != nil {
		i.t.Fatal(err)
	}
	return " --online_stores=" + string(text)
}

// TestBackupAndRestoreOfTwoStores is TestBackupAndRestore with the view in a store of
// its own.
func TestBackupAndRestoreOfTwoStores(t *testing.T) {
	i := install(t, func(cfg *app.Config) { cfg.OnlineStores = app.OnlineStores{"critical": {}} })
	i.in = "critical"
	backupAndRestore(t, i)
	i.stop()
	for folder, want := range map[string]bool{"rows": false, filepath.Join("online", "critical"): true} {
		if n := rowsIn(t, filepath.Join(i.cfg.Data, folder)); n > 0 != want {
			t.Errorf("%s has %d rows of the view, want any: %t", folder, n, want)
		}
	}
}

// rowsIn counts rows of view 1 in an embedded store.
func rowsIn(t *testing.T, folder string) (total uint64) {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for v := feature.Version(1); v < 20; v++ {
		n, _, err := s.Stat(t.Context(), 1, v)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// TestOnlineStores: what a person sees of a view in a store of its own, and what is
// refused.
func TestOnlineStores(t *testing.T) {
	i := install(t, func(cfg *app.Config) { cfg.OnlineStores = app.OnlineStores{"critical": {}, "archive": {}} })
	i.in = "critical"
	dir := i.define()
	i.push(dir, 0, 0, func(n int) float64 { return float64(n % 7) })
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
	s := session{t}
	s.run(0, "views payments", "online store critical")
	s.run(0, "versions payments --format json", `"online":"critical"`)
	if text := apiText(t, "/api/v1/status"); !strings.Contains(text, `{"name":"rows critical","ok":true,"text":""}`) || !strings.Contains(text, `{"name":"rows","ok":true,"text":""}`) {
		t.Errorf("status = %s, want a check of either store", text)
	}

	define := func(name string) string {
		dir, text := t.TempDir(), strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1)
		if name != "" {
			text = inStore(text, name)
		}
		if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	two := define("critical")
	pair := "\n  - {name: chargebacks, group: pair, online: critical, entities: [user], features: [{name: x, type: int64}]}" +
		"\n  - {name: refunds, group: pair, online: archive, entities: [user], features: [{name: x, type: int64}]}\nservices:"
	text := strings.Replace(inStore(strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1), "critical"), "\nservices:", pair, 1)
	if err := os.WriteFile(filepath.Join(two, "payments.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"plan -f ", "apply -f "} {
		s.run(1, command+define("critcal"), "!online: critcal: no such store in online_stores of the server's configuration: it has archive, critical")
		s.run(1, command+define("Critical!"), "!online")
		s.run(1, command+define("archive"), "!the rows of view payments are in online store critical, and a definition does not move them to archive")
		s.run(1, command+define(""), "!does not move them to default")
		s.run(1, command+two, "!views.refunds.group: pair is a group of views in online store critical, like chargebacks, and this view is in archive")
		s.run(0, command+define("critical"))
	}
	empty := t.TempDir()
	other := strings.NewReplacer("rules: rules.yaml", "", "payments", "other").Replace(paymentsYAML)
	if err := os.WriteFile(filepath.Join(empty, "other.yaml"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(0, "apply -f "+empty+" --allow-remove --if-generation 1")
	for _, command := range []string{"plan -f ", "apply --allow-remove --if-generation 2 -f "} {
		s.run(1, command+define(""), "!does not move them to default") // its versions are still known
		s.run(1, command+define("archive"), "!are in online store critical, and a definition does not move them to archive")
	}
	s.run(0, "apply -f "+define("critical")+" --allow-remove --if-generation 2")
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")

	// Without the store in the configuration nothing is taken for missing.
	for _, without := range []app.OnlineStores{{"archive": {}}, nil} {
		i.stop()
		i.cfg.OnlineStores = without
		i.start()
		s.run(1, "get payments user=000,card=0", "!rows of view payments cannot be read")
		if text := apiText(t, "/api/v1/status"); !strings.Contains(text, `{"name":"online stores","ok":false,"text":"views are in critical, which online_stores does not name`) {
			t.Errorf("status = %s, want the store that is missing", text)
		}
	}
	i.stop()
	i.cfg.OnlineStores = app.OnlineStores{"critical": {}}
	i.start()
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
	i.push(dir, 1, 0, func(n int) float64 { return float64(n % 7) })
	i.served("get payments user=000,card=0", "2024-01-01T00:01:00Z")
}
