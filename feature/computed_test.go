package feature

import (
	"fmt"
	"testing"
)

func TestReaders(t *testing.T) {
	defs := Definitions{
		Views: []View{
			{Name: "v", Features: []Feature{{Name: "a"}, {Name: "b"}}, Computed: []Computed{{Name: "c", Reads: []string{"a", "b"}}, {Name: "now"}}},
			{Name: "w", Features: []Feature{{Name: "a"}}},
		},
		Services: []Service{{Name: "s", Features: []string{"v:c", "v:b", "w:a.path"}}, {Name: "t", Features: []string{"v:now"}, Priority: "critical", Precompute: true}},
	}
	if got, want := fmt.Sprint(defs.Readers()), "[{s [v:a v:b w:a.path]  false} {t [] critical true}]"; got != want {
		t.Errorf("Readers = %s, want %s", got, want)
	}
	if got := defs.Services[0].Features[0]; got != "v:c" {
		t.Errorf("the service reads %s now", got)
	}
	defs.Views = defs.Views[1:]
	if &defs.Readers()[0] != &defs.Services[0] {
		t.Error("without computed features Readers are other services")
	}
}
