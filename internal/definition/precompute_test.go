package definition

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sluice/feature"
)

// threeViews are views of users, a service that reads two of them, and what else the file says.
const threeViews = `
views:
- {name: spending, entities: [user], features: [{name: amount, type: float64}]}
- {name: devices, entities: [user], features: [{name: count, type: int64}]}
- {name: places, entities: [user], features: [{name: city, type: string}]}
`

func groupsOf(t *testing.T, text string) (groups string, defs feature.Definitions) {
	t.Helper()
	defs, err := Parse([]File{{"a.yaml", text}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range defs.Views {
		groups += defs.Views[i].Group + ";"
	}
	return groups, defs
}

func TestPrecomputeLaysRowsTogether(t *testing.T) {
	for name, tc := range map[string]struct{ services, want string }{
		"not asked for":     {"services: [{name: fraud, features: ['spending:amount', 'devices:count']}]", ";;;"},
		"false":             {"services: [{name: fraud, precompute: false, features: ['spending:amount', 'devices:count']}]", ";;;"},
		"two of three":      {"services: [{name: fraud, precompute: true, features: ['spending:amount', 'devices:count']}]", "fraud;fraud;;"},
		"one view":          {"services: [{name: fraud, precompute: true, features: ['spending:amount']}]", ";;;"},
		"two services":      {"services: [{name: fraud, precompute: true, features: ['spending:amount', 'devices:count']}, {name: again, precompute: true, features: ['devices:count', 'spending:amount']}]", "fraud;fraud;;"},
		"a third, one view": {"services: [{name: fraud, precompute: true, features: ['spending:amount', 'devices:count']}, {name: city, precompute: true, features: ['places:city']}]", "fraud;fraud;;"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := groupsOf(t, threeViews+tc.services); got != tc.want {
				t.Errorf("groups of spending, devices and places are %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPrecomputeRefused(t *testing.T) {
	var many, read strings.Builder
	for i := range feature.MaxGroup + 1 {
		fmt.Fprintf(&many, "- {name: v%d, entities: [user], features: [{name: x, type: int64}]}\n", i)
		fmt.Fprintf(&read, "'v%d:x', ", i)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"other keys": {threeViews + "- {name: shops, entities: [shop], features: [{name: x, type: int64}]}\nservices: [{name: s, precompute: true, features: ['spending:amount', 'shops:x']}]",
			"a.yaml:7: services.s.precompute: view spending has the join keys user (string), and shops has shop (string)"},
		"another store": {threeViews + "- {name: hot, entities: [user], online: fast, features: [{name: x, type: int64}]}\nservices: [{name: s, precompute: true, features: ['spending:amount', 'hot:x']}]",
			"a.yaml:7: services.s.precompute: view spending is in online store"},
		"a group": {threeViews + "- {name: more, entities: [user], group: g, features: [{name: x, type: int64}]}\nservices: [{name: s, precompute: true, features: ['spending:amount', 'more:x']}]",
			"a.yaml:7: services.s.precompute: view more is in group g, and not all views of the service are"},
		"of another service": {threeViews + "services: [{name: s, precompute: true, features: ['spending:amount', 'devices:count']}, {name: u, precompute: true, features: ['places:city', 'devices:count']}]",
			"a.yaml:6: services.u.precompute: the rows of view devices lie with those of service s"},
		"too many": {"views:\n" + many.String() + "services: [{name: s, precompute: true, features: [" + strings.TrimSuffix(read.String(), ", ") + "]}]",
			"services.s.precompute: the service reads 11 views, and the rows of 10 at most lie together"},
		"no truth": {threeViews + "services: [{name: s, precompute: 1, features: ['spending:amount']}]", `services.s.precompute: "1": want true or false`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]File{{"a.yaml", tc.text}}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
		})
	}
}

// What is stored of the definitions says the same when it is read again.
func TestPrecomputeRoundTrip(t *testing.T) {
	groups, defs := groupsOf(t, threeViews+"services: [{name: fraud, precompute: true, features: ['spending:amount', 'devices:count']}]")
	text, err := json.Marshal(FormOf(&defs))
	if err != nil {
		t.Fatal(err)
	}
	again, same := groupsOf(t, string(text))
	if again != groups || !reflect.DeepEqual(same, defs) {
		t.Errorf("read again %q %+v, want %q %+v", again, same, groups, defs)
	}
	same.Services[0].Precompute = false
	if changes := planServices(&defs, &same); len(changes) != 1 || fmt.Sprint(changes[0].Fields) != "[precompute]" {
		t.Errorf("leaving precompute out is %+v, want a change of it", changes)
	}
}
