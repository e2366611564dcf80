package client_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"sluice/client"
)

// TestClientsAlike finds every method of either client in the table of docs/clients.md.
func TestClientsAlike(t *testing.T) {
	page, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	var goSide, pythonSide strings.Builder
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, " | "); len(cells) == 3 {
			goSide.WriteString(cells[1])
			pythonSide.WriteString(cells[2])
		}
	}
	methods := reflect.TypeFor[*client.Client]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; name != "Close" && !strings.Contains(goSide.String(), "`"+name) {
			t.Errorf("the table lacks Go's %s", name)
		}
	}
	for field := range reflect.TypeFor[client.Request]().Fields() {
		if field.Name != "Keys" && !strings.Contains(goSide.String(), field.Name) {
			t.Errorf("the table lacks Go's Request.%s", field.Name)
		}
	}
	source, err := os.ReadFile("../clients/python/src/sluice/client.py")
	if err != nil {
		t.Fatal(err)
	}
	_, class, _ := strings.Cut(string(source), "\nclass Client:")
	names := regexp.MustCompile(`(?m)^    def ([a-z]\w*)\(`).FindAllStringSubmatch(class, -1)
	if len(names) < 25 {
		t.Fatalf("%d methods of Python's Client are found: %v", len(names), names)
	}
	for _, name := range names {
		if name[1] != "close" && name[1] != "server" && !regexp.MustCompile("`"+name[1]+`\b`).MatchString(pythonSide.String()) {
			t.Errorf("the table lacks Python's %s", name[1])
		}
	}
}
