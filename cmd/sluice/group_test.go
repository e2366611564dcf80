package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inGroup is paymentsYAML with the view in a group.
func inGroup(text, name string) string {
	return strings.Replace(text, "  - name: payments\n", "  - name: payments\n    group: "+name+"\n", 1)
}

// TestGroups: what a person sees of a view in a group, and what is refused.
func TestGroups(t *testing.T) {
	i := install(t, nil)
	i.group = "users"
	dir := i.define()
	i.push(dir, 0, 0, func(n int) float64 { return float64(n % 7) })
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
	s := session{t}
	s.run(0, "views payments", "online store default, group users")
	s.run(0, "views payments --format json", `"group":"users"`)

	bare := strings.Replace(paymentsYAML, "rules: rules.yaml", "", 1)
	define := func(text string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	with := func(view string) string {
		return define(strings.Replace(inGroup(bare, "users"), "services:", "  - {"+view+", features: [{name: x, type: int64}]}\nservices:", 1))
	}
	many := bare
	for n := range 11 {
		many = strings.Replace(many, "services:", "  - {name: v"+string(rune('a'+n))+", group: many, entities: [user], features: [{name: x, type: int64}]}\nservices:", 1)
	}
	for _, command := range []string{"plan -f ", "apply -f "} {
		s.run(1, command+define(inGroup(bare, "cards")), "!the rows of view payments are in group users, and a definition does not move them to be in group cards")
		s.run(1, command+define(bare), "!does not move them to be in no group", "!keep `group: users`")
		s.run(1, command+define(inGroup(bare, "Users!")), "!group")
		s.run(1, command+with("name: refunds, group: users, entities: [user]"), "!users is a group of views with the join keys user (string), card (int64), like payments, and this view has user (string)")
		s.run(1, command+with("name: refunds, group: users, entities: [{name: card, type: int64}, user]"), "!in the same order")
		s.run(1, command+define(many), "!many has more than 10 views")
		s.run(0, command+define(inGroup(bare, "users")))
	}
	s.run(0, "plan -f "+with("name: refunds, group: users, entities: [user, {name: card, type: int64}]"), "refunds")
	s.run(0, "apply -f "+with("name: refunds, group: users, entities: [user, {name: card, type: int64}]"))
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")

	other := define(strings.ReplaceAll(bare, "payments", "other"))
	s.run(0, "apply -f "+other+" --allow-remove --if-generation 2")
	const gone = " --allow-remove --if-generation 3"
	for _, command := range []string{"plan -f %s", "apply -f %s" + gone} {
		s.run(1, fmt.Sprintf(command, define(bare)), "!does not move them to be in no group") // its versions are still known
		into := strings.ReplaceAll(inGroup(bare, "users"), "payments", "other")
		s.run(1, fmt.Sprintf(command, define(into)), "!the rows of view other are in no group, and a definition does not move them to be in group users", "!leave `group` out")
	}
	s.run(0, "apply -f "+define(inGroup(bare, "users"))+gone)
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")

	ten := func(first string) string {
		text := inGroup(bare, "users")
		for n := range 10 {
			text = strings.Replace(text, "services:", "  - {name: "+first+string(rune('a'+n))+", group: many, entities: [user], features: [{name: x, type: int64}]}\nservices:", 1)
		}
		return define(text)
	}
	s.run(0, "apply -f "+ten("v"))
	for _, command := range []string{"plan -f ", "apply --allow-remove --if-generation 5 -f "} {
		s.run(1, command+ten("w"), "!would be one more than the 10 views that group many may have, counting those that were defined before")
	}
	s.run(0, "apply -f "+ten("v"), "generation 5")
}
