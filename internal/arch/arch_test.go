package arch

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestArch(t *testing.T) {
	offences, err := check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range offences {
		t.Error(o)
	}
}

// TestTable wants arrows that end somewhere and go one way.
func TestTable(t *testing.T) {
	for from, ends := range allowed {
		for _, to := range ends {
			back, ok := allowed[to]
			if to != anything && (!ok || to == "cmd") {
				t.Errorf("arrow %s to %s ends nowhere", from, to)
			}
			if slices.Contains(back, from) {
				t.Errorf("%s and %s import each other", from, to)
			}
		}
	}
}

// TestCheckFinds plants one offence at a time in a clean tree.
func TestCheckFinds(t *testing.T) {
	const feature = "// Package feature holds nouns.\npackage feature\n"
	clean := map[string]string{
		"feature/doc.go":             feature,
		"feature/types.go":           "package feature\n",
		"quality/sketch/sketch.go":   "// Package sketch counts.\npackage sketch\n\nimport \"sluice/feature\"\n",
		"quality/doc.go":             "// Package quality expects.\npackage quality\n\nimport _ \"sluice/quality/sketch\"\n",
		"drift/drift.go":             "// Package drift compares.\npackage drift\n\nimport _ \"gonum.org/v1/gonum/stat\"\n",
		"drift/drift_test.go":        "package drift\n\nimport (\n\t_ \"pgregory.net/rapid\"\n\t_ \"sluice/rules\"\n)\n",
		"rules/rules.go":             "// Package rules judges.\npackage rules\n",
		"store/storetest/rows.go":    "// Package storetest checks stores.\npackage storetest\n\nimport _ \"testing\"\n",
		"api/v1/service.pb.go":       "// source: service.proto\n\npackage types\n\nimport _ \"google.golang.org/grpc\"\n",
		"cmd/sluice/main.go":         "// Command sluice runs the platform.\npackage main\n\nimport _ \"sluice/cmd/sluice/app\"\n",
		"cmd/sluice/app/app.go":      "// Package app wires.\npackage app\n\nimport _ \"sluice/drift\"\n",
		"drift/testdata/bad/main.go": "package common\n",
		".cache/x.go":                "package common\n",
	}
	for name, tc := range map[string]struct {
		path, source string
		want         string // the only offence; empty: none
	}{
		"clean":                    {},
		"arrow against the stream": {"drift/x.go", "package drift\n\nimport _ \"sluice/rules\"\n", "drift/x.go: drift may not import rules"},
		"sketch to its parent":     {"quality/sketch/x.go", "package sketch\n\nimport _ \"sluice/quality\"\n", "quality/sketch/x.go: quality/sketch may not import quality"},
		"into cmd":                 {"rules/x.go", "package rules\n\nimport _ \"sluice/cmd/sluice/app\"\n", "rules/x.go: rules may not import cmd/sluice/app"},
		"to a folder not listed":   {"cmd/sluice/app/x.go", "package app\n\nimport _ \"sluice/tools/x\"\n", "cmd/sluice/app/x.go: cmd may not import tools/x"},
		"nouns with an import":     {"feature/x.go", "package feature\n\nimport _ \"sluice/api\"\n", "feature/x.go: feature may not import api"},
		"outside module elsewhere": {"rules/x.go", "package rules\n\nimport _ \"github.com/twmb/franz-go/pkg/kgo\"\n", "rules/x.go: github.com/twmb/franz-go/pkg/kgo is for tap only"},
		"outside module by major":  {"rules/x.go", "package rules\n\nimport _ \"github.com/cockroachdb/pebble/v2\"\n", "rules/x.go: github.com/cockroachdb/pebble/v2 is for store only"},
		"module for tests":         {"rules/x.go", "package rules\n\nimport _ \"github.com/prometheus/prometheus/promql/parser\"\n", "rules/x.go: github.com/prometheus/prometheus/promql/parser is for tests only"},
		"testing in the product":   {"store/x.go", "// Package store stores.\npackage store\n\nimport _ \"testing\"\n", "store/x.go: testing is for store/storetest, test only"},
		"folder not listed":        {"engine/x.go", "// Package engine runs.\npackage engine\n", "engine/x.go: its folder is not in the table of arrows"},
		"internal not listed":      {"internal/x/x.go", "// Package x runs.\npackage x\n", "internal/x/x.go: its folder is not in the table of arrows"},
		"file at the root":         {"x.go", "// Package x runs.\npackage x\n", "x.go: its folder is not in the table of arrows"},
		"file named util":          {"rules/util.go", "package rules\n", "rules/util.go: a file named util says nothing about its concept"},
		"test named helpers":       {"rules/helpers_test.go", "package rules\n", "rules/helpers_test.go: a file named helpers says nothing about its concept"},
		"file named types":         {"rules/types.go", "package rules\n", "rules/types.go: a file named types says nothing about its concept"},
		"package named common":     {"rules/x/x.go", "// Package common piles.\npackage common\n", "rules/x/x.go: a package named common is no noun of the domain"},
		"no package comment":       {"tap/tap.go", "package tap\n", "tap: package without a comment"},
		"two package comments":     {"rules/x.go", "// Package rules again.\npackage rules\n", "rules: 2 package comments, want one"},
		"comment of another":       {"tap/tap.go", "// The tap.\npackage tap\n", `tap: package comment does not begin with "Package tap "`},
		"comment of a command":     {"cmd/other/main.go", "// Package main runs.\npackage main\n", `cmd/other: package comment does not begin with "Command other "`},
		"test that skips":          {"rules/x_test.go", "package rules\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Skip(\"later\") }\n", "rules/x_test.go: a test that skips itself tests nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for path, source := range maps.All(clean) {
				tree[path] = &fstest.MapFile{Data: []byte(source)}
			}
			if tc.path != "" {
				tree[tc.path] = &fstest.MapFile{Data: []byte(tc.source)}
			}
			got, err := check(tree)
			if err != nil || strings.Join(got, "\n") != tc.want {
				t.Errorf("check gave %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestCheckRefusesWhatIsNoGo(t *testing.T) {
	if _, err := check(fstest.MapFS{"feature/x.go": &fstest.MapFile{Data: []byte("package")}}); err == nil {
		t.Error("check of a file that is no Go gave no error")
	}
}
