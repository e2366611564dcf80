package feast

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	feastcore "sluice/api/feast/core"
	"sluice/feature"
	"sluice/internal/definition"
)

// registry reads the registry in testdata, which has one of everything.
func registry(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/registry.textproto")
	if err != nil {
		t.Fatal(err)
	}
	var r feastcore.Registry
	if err := prototext.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	data, err := proto.Marshal(&r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestImport holds what is made of testdata/registry.textproto against the file that
// is reviewed; FEAST_WRITE=1 writes it.
func TestImport(t *testing.T) {
	r, err := Decode(registry(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Import(r, "")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/imported.yaml"
	if os.Getenv("FEAST_WRITE") != "" {
		if err := os.WriteFile(file, []byte(got.YAML()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.YAML() != string(want) {
		t.Errorf("Import made\n%s\nwant what is in %s (FEAST_WRITE=1 writes it)", got.YAML(), file)
	}
	defs, err := definition.Parse([]definition.File{{Name: "imported.yaml", Text: got.YAML()}})
	if err != nil {
		t.Fatalf("Sluice does not take what was imported: %v", err)
	}
	if len(defs.Views) != len(got.Defs.Views) || len(defs.Services) != len(got.Defs.Services) {
		t.Errorf("%d views and %d services came back, of %d and %d", len(defs.Views), len(defs.Services), len(got.Defs.Views), len(got.Defs.Services))
	}
}

// TestImportOfExport wants definitions that went to Feast to come back.
func TestImportOfExport(t *testing.T) {
	out, err := Import(Export(definitions(), 1), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if len(out.LeftOut)+len(out.Changed) > 0 {
		t.Errorf("left out %v, changed %v, want nothing", out.LeftOut, out.Changed)
	}
	if v := out.Defs.View("visits"); v == nil || v.Features[0].NotFinite != feature.NotFiniteNull {
		t.Errorf("the policy of rating did not come back: %+v", v)
	}
	if again, err := definition.Parse([]definition.File{{Name: "a.yaml", Text: out.YAML()}}); err != nil || again.View("visits").Features[0].NotFinite != feature.NotFiniteNull {
		t.Errorf("the policy of rating was not written: %v in\n%s", err, out.YAML())
	}
	v := out.Defs.View("drivers")
	if v == nil || v.TTL != definitions().Views[0].TTL || v.Source.EventTime != "at" || len(v.Features) != 2 || !slices.Equal(out.Defs.Services[0].Features, definitions().Services[0].Features) {
		t.Errorf("Import(Export()) = %+v", out.Defs)
	}
}

// TestImportOfRest has objects that Feast 0.67 wrote: two permissions, one of another project,
// a saved data set and a validation reference.
func TestImportOfRest(t *testing.T) {
	written, err := hex.DecodeString("5a120a100a08747261696e696e67120473686f706a170a056d617263681208747261696e696e671a0473686f7082011a0a180a08616e616c79737473120473686f7042060a017812017982010f0a0d0a056f746865721204656c7365")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode(append(registry(t), written...))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Import(r, "shop")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range out.LeftOut {
		if slices.Contains([]string{"saved data set", "validation reference", "permission"}, n.Kind) {
			got = append(got, n.Kind+" "+n.Name)
		}
	}
	if want := []string{"saved data set training", "validation reference march", "permission analysts"}; !slices.Equal(got, want) {
		t.Errorf("left out %q, want %q among them", got, want)
	}
}

func TestDecodeErrors(t *testing.T) {
	deep := &feastcore.DataSource{Name: "x"}
	for range 2 * maxDepth {
		deep = &feastcore.DataSource{BatchSource: deep}
	}
	nested, err := proto.Marshal(&feastcore.Registry{DataSources: []*feastcore.DataSource{deep}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"empty":    {nil, "it names no project"},
		"text":     {[]byte("project: shop\n"), "no registry of Feast"},
		"SQLite":   {[]byte("SQLite format 3\x00rest"), "a SQLite database"},
		"cut off":  {registry(t)[:100], "no registry of Feast"},
		"too deep": {nested, "no registry of Feast"},
		"too long": {make([]byte, MaxBytes+1), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode(tc.data); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Decode = %v, want ErrCorrupt with %q", err, tc.want)
			}
		})
	}
}

func TestImportProject(t *testing.T) {
	two := &feastcore.Registry{Projects: []*feastcore.Project{{Spec: &feastcore.ProjectSpec{Name: "one"}}, {Spec: &feastcore.ProjectSpec{Name: "Two-B"}}}}
	for name, want := range map[string]string{"": `say which: ["Two-B" "one"]`, "three": `"three" is not in the registry`} {
		if _, err := Import(two, name); !errors.Is(err, ErrProject) || !strings.Contains(err.Error(), want) {
			t.Errorf("Import of project %q = %v, want %s", name, err, want)
		}
	}
	out, err := Import(two, "Two-B")
	if err != nil || out.Defs.Project != "two_b" || len(out.Changed) != 1 {
		t.Errorf("Import = %+v, %v, want project two_b and a note", out, err)
	}
}

// FuzzImport wants every file to be refused by name, or to become definitions that
// Sluice takes.
func FuzzImport(f *testing.F) {
	f.Add(registry(f))
	exported, err := proto.Marshal(Export(definitions(), 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(exported)
	f.Add([]byte("SQLite format 3\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("Decode: %v is not ErrCorrupt", err)
			}
			return
		}
		importable(t, r)
	})
}

// importable wants every project of r to become definitions that Sluice takes.
func importable(t *testing.T, r *feastcore.Registry) {
	t.Helper()
	for _, project := range Projects(r) {
		out, err := Import(r, project)
		if err != nil {
			t.Fatalf("Import of project %q, which is there: %v", project, err)
		}
		if len(out.Defs.Views) == 0 {
			continue
		}
		if _, err := definition.Parse([]definition.File{{Name: "x.yaml", Text: out.YAML()}}); err != nil {
			t.Fatalf("Sluice does not take what was imported: %v\n%s", err, out.YAML())
		}
	}
}

// TestImportSpoiled wants the same of files with a few bytes changed, which mostly
// stay registries.
func TestImportSpoiled(t *testing.T) {
	whole, rng, taken := registry(t), rand.New(rand.NewPCG(1, 2)), 0
	for range 3000 {
		data := slices.Clone(whole)
		for range 1 + rng.IntN(8) {
			switch i := rng.IntN(len(data)); rng.IntN(3) {
			case 0:
				data[i] = byte(rng.Uint32())
			case 1:
				data[i] ^= 1 << rng.IntN(8)
			default:
				data[i] = "Aa_ \x00\xff:#\"'"[rng.IntN(10)]
			}
		}
		if r, err := Decode(data); err == nil {
			taken++
			importable(t, r)
		}
	}
	if taken < 100 {
		t.Errorf("%d of 3000 files were registries: too few to tell", taken)
	}
}
