package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"sluice/feature"
)

func testDefinitions(t *testing.T, r *reg) {
	ctx := t.Context()
	if defs, generation, err := r.Definitions(ctx); generation != 0 || err != nil || len(defs.Views) != 0 {
		t.Errorf("Definitions before the first apply = %+v, %d, %v, want none and 0", defs, generation, err)
	}
	low := 0.5
	given := feature.Definitions{
		Project:  "flights",
		Entities: []feature.Entity{{Name: "carrier", Type: feature.String}},
		Views: []feature.View{{Project: "flights", Name: "delays", Entities: []feature.Entity{{Name: "carrier", Type: feature.String}}, Features: []feature.Feature{
			{Name: "delay", Type: feature.Float64, Expect: feature.Expect{Min: &low}}, {Name: "tags", Type: feature.ListOf(feature.String)},
		}, TTL: 1000, Tags: map[string]string{"tier": "critical"}}},
		Services: []feature.Service{{Name: "model", Features: []string{"delays:delay"}}},
		Rules:    "rules: []",
	}
	saved, generation, err := r.SaveDefinitions(ctx, 0, given, why("apply"))
	if generation != 1 || err != nil {
		t.Fatalf("SaveDefinitions = %d, %v, want generation 1", generation, err)
	}
	if given.Views[0].ID != 0 || given.Views[0].Features[0].ID != 0 {
		t.Errorf("SaveDefinitions changed its argument to %+v", given.Views[0])
	}
	for name, stale := range map[string]uint64{"behind": 0, "ahead": 2} {
		if _, _, err := r.SaveDefinitions(ctx, stale, given, why("apply")); !errors.Is(err, feature.ErrConflict) {
			t.Errorf("SaveDefinitions at a generation %s = %v, want %v", name, err, feature.ErrConflict)
		}
	}
	read, generation, err := r.Definitions(ctx)
	if generation != 1 || err != nil || !reflect.DeepEqual(read, saved) {
		t.Errorf("Definitions = %+v, %d, %v, want %+v, 1", read, generation, err, saved)
	}
	next := saved
	next.Project = "others"
	if next, generation, err = r.SaveDefinitions(ctx, 1, next, why("apply")); generation != 2 || err != nil {
		t.Fatalf("SaveDefinitions = %d, %v, want generation 2", generation, err)
	}
	for at, want := range []feature.Definitions{1: saved, next} {
		switch read, err := r.DefinitionsAt(ctx, uint64(at)); {
		case at == 0:
			if !errors.Is(err, feature.ErrNotFound) {
				t.Errorf("DefinitionsAt(0) = %v, want %v", err, feature.ErrNotFound)
			}
		case err != nil || !reflect.DeepEqual(read, want) || read.Digest() != want.Digest():
			t.Errorf("DefinitionsAt(%d) = %+v, %v, want %+v", at, read, err, want)
		}
	}
	if _, err := r.DefinitionsAt(ctx, 3); !errors.Is(err, feature.ErrNotFound) {
		t.Errorf("DefinitionsAt(3) = %v, want %v", err, feature.ErrNotFound)
	}
	if log, _, err := r.AuditLog(ctx, "", 0); len(log) != 2 || err != nil || log[0].Action != "apply" {
		t.Errorf("AuditLog = %+v, %v, want one row of each apply", log, err)
	}
}

func testDefinitionIDs(t *testing.T, r *reg) {
	generation := uint64(0)
	save := func(views ...feature.View) []feature.View {
		t.Helper()
		if err := r.CheckDefinitions(t.Context(), feature.Definitions{Views: views}); err != nil {
			t.Fatalf("CheckDefinitions of what can be saved = %v", err)
		}
		defs, next, err := r.SaveDefinitions(t.Context(), generation, feature.Definitions{Views: views}, why("apply"))
		if err != nil {
			t.Fatal(err)
		}
		generation = next
		return defs.Views
	}
	define := func(name string, features ...feature.Feature) feature.View {
		return feature.View{Name: name, Features: features}
	}
	of := func(name string, typ feature.Type) feature.Feature { return feature.Feature{Name: name, Type: typ} }

	first := save(define("a", of("x", feature.Int64), of("y", feature.Int64)), define("b", of("x", feature.Int64)))
	if first[0].ID == 0 || first[1].ID == 0 || first[0].ID == first[1].ID || first[0].Features[0].ID == 0 || first[0].Features[0].ID == first[0].Features[1].ID {
		t.Fatalf("ids %+v: want distinct ones that are not 0", first)
	}
	second := save(define("c"), define("a", of("y", feature.Int64), of("x", feature.String)))
	a := second[1]
	if a.ID != first[0].ID || a.Features[0].ID != first[0].Features[1].ID {
		t.Errorf("what stayed has other ids: %+v, was %+v", a, first[0])
	}
	if id := a.Features[1].ID; id == first[0].Features[0].ID || id == first[0].Features[1].ID {
		t.Errorf("x of another type has id %d, which was used", id)
	}
	if second[0].ID == first[1].ID || second[0].ID == first[0].ID {
		t.Errorf("view c has id %d, which was used", second[0].ID)
	}
	third := save(define("b", of("x", feature.Int64)), define("a", of("x", feature.Int64)))
	if third[0].ID != first[1].ID || third[1].Features[0].ID != first[0].Features[0].ID {
		t.Errorf("what came back has ids %+v, want those of %+v", third, first)
	}
	// refused wants a conflict that trying again does not cure, alike whether it is only
	// asked about or tried.
	refused := func(what string, views ...feature.View) {
		t.Helper()
		defs := feature.Definitions{Views: views}
		_, _, err := r.SaveDefinitions(t.Context(), generation, defs, why("apply"))
		asked := r.CheckDefinitions(t.Context(), defs)
		for call, err := range map[string]error{"SaveDefinitions": err, "CheckDefinitions": asked} {
			if !errors.Is(err, &feature.Error{Code: feature.CodeConflict}) || errors.Is(err, feature.ErrConflict) {
				t.Errorf("%s of %s = %v, want a conflict that trying again does not cure", call, what, err)
			}
		}
		var tried, said *feature.Error
		if errors.As(err, &tried) && errors.As(asked, &said) && *tried != *said {
			t.Errorf("%s: %v if asked about, %v if tried", what, said, tried)
		}
	}
	placed := save(define("b"), feature.View{Name: "d", Online: "critical"}, feature.View{Name: "e", Online: feature.DefaultOnline})
	save(define("e")) // d is out of force for a while; the default store has no other name
	for name, view := range map[string]feature.View{
		"to another store":         {Name: "d", Online: "archive"},
		"to the default store":     {Name: "d"},
		"out of the default store": {Name: "e", Online: "critical"},
		"out of one it never said": {Name: "b", Online: "critical"},
	} {
		refused("a view that goes "+name, view)
	}
	if back := save(feature.View{Name: "d", Online: "critical"}); back[0].ID != placed[1].ID || back[0].Online != "critical" {
		t.Errorf("a view that came back to its store is %+v, was %+v", back[0], placed[1])
	}
	groupOf := func(name, group string) feature.View { return feature.View{Name: name, Group: group} }
	together := save(groupOf("g0", "users"), groupOf("h0", "drivers"))
	save(groupOf("h0", "drivers")) // g0 is out of force for a while
	for name, view := range map[string]feature.View{
		"to another group":     groupOf("g0", "drivers"),
		"out of its group":     groupOf("g0", ""),
		"into a group":         groupOf("b", "users"),
		"to another, in force": groupOf("h0", "users"),
	} {
		refused("a view that goes "+name, view)
	}
	if back := save(groupOf("g0", "users")); back[0].ID != together[0].ID || back[0].Group != "users" {
		t.Errorf("a view that came back to its group is %+v, was %+v", back[0], together[0])
	}
	for i := 1; i < feature.MaxGroup; i++ {
		save(groupOf(fmt.Sprint("g", i), "users")) // one after the other: those before are out of force
	}
	refused("a view more than a group may have", groupOf("gx", "users"))
	save(groupOf("g1", "users"), groupOf("g2", "users"))
	for name, views := range map[string][]feature.View{
		"view twice":    {define("a"), define("a")},
		"feature twice": {define("a", of("x", feature.Int64), of("x", feature.String))},
	} {
		if _, _, err := r.SaveDefinitions(t.Context(), generation, feature.Definitions{Views: views}, why("apply")); !errors.Is(err, r.invalid) {
			t.Errorf("SaveDefinitions with a %s = %v, want %v", name, err, r.invalid)
		}
	}
}
