package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJoinKeysStay: a view that has versions keeps its join keys, by which its rows are
// found; one without may have them mended.
func TestJoinKeysStay(t *testing.T) {
	i := install(t, nil)
	bare := strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1)
	define := func(keys string) string {
		dir := t.TempDir()
		text := strings.Replace(bare, "entities: [user, {name: card, type: int64}]", "entities: "+keys, 1)
		if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	s := session{t}
	s.run(0, "apply -f "+define("[user, card]"))
	s.run(0, "apply -f "+define("[user, {name: card, type: int64}]"), "change")
	dir := i.define()
	i.push(dir, 0, 0, func(n int) float64 { return float64(n % 7) })
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
	for name, keys := range map[string]string{
		"of another type":  "[user, card]",
		"in another order": "[{name: card, type: int64}, user]",
		"fewer":            "[user]",
		"renamed":          "[customer, {name: card, type: int64}]",
	} {
		t.Run(name, func(t *testing.T) {
			s := session{t}
			for _, command := range []string{"plan -f ", "apply -f "} {
				s.run(1, command+define(keys), "!the rows of view payments were written under the join keys user (string), card (int64), and nothing finds them by", "!under another name")
			}
		})
	}
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
}

// A view that was out of force meanwhile keeps its join keys as well: its versions and
// their rows are still there.
func TestJoinKeysStayOfARemovedView(t *testing.T) {
	i := install(t, nil)
	bare := strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1)
	define := func(name, keys string) string {
		dir := t.TempDir()
		text := strings.Replace(bare, "entities: [user, {name: card, type: int64}]", "entities: "+keys, 1)
		text = strings.NewReplacer("name: payments", "name: "+name, "payments:amount", name+":amount").Replace(text)
		if err := os.WriteFile(filepath.Join(dir, "views.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dir := i.define()
	i.push(dir, 0, 0, func(n int) float64 { return float64(n % 7) })
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
	s := session{t}
	s.run(0, "apply --allow-remove -f "+define("refunds", "[user]"))
	for _, command := range []string{"plan -f ", "apply --allow-remove -f "} {
		s.run(1, command+define("payments", "[user]"), "!the rows of view payments were written under the join keys user (string), card (int64), and nothing finds them by", "!under another name")
	}
	s.run(0, "apply --allow-remove -f "+define("payments", "[user, {name: card, type: int64}]"))
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
}
