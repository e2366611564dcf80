package court

import (
	"math"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/rules"
)

func bank(budget float64) *feature.Definitions {
	view := func(project, name string, size time.Duration, features int) feature.View {
		return feature.View{Project: project, Name: name, Window: feature.WindowSpec{Size: size}, Features: make([]feature.Feature, features)}
	}
	return &feature.Definitions{Project: "bank", AlertsPerWeek: budget, Views: []feature.View{
		view("bank", "payments", 5*time.Minute, 10), view("bank", "accounts", time.Hour, 4), view("probe", "probe", time.Minute, 1),
	}}
}

// TestBudgetLevel shares a budget among the views of a project, and leaves another
// project's out.
func TestBudgetLevel(t *testing.T) {
	comparisons := 2016.0*12 + 168*6
	for name, tc := range map[string]struct {
		budget  float64
		project string
		want    float64
	}{
		"stated":          {4, "bank", 4 / comparisons},
		"default":         {0, "bank", 1 / comparisons},
		"another project": {4, "probe", 1.0 / 10080 / 3},
		"no views":        {4, "none", 0.001},
	} {
		t.Run(name, func(t *testing.T) {
			if got := BudgetLevel(bank(tc.budget), tc.project); math.Abs(got-tc.want) > 1e-15 {
				t.Errorf("BudgetLevel(budget %v, %s) = %v, want %v", tc.budget, tc.project, got, tc.want)
			}
		})
	}
}

// TestLevel wants a gate that sees something whatever the budget.
func TestLevel(t *testing.T) {
	const budget = 4e-5
	for windows := range 200 {
		level := Level(budget, windows)
		switch shift := drift.SmallestShift(windows, level); {
		case windows < drift.MinWindows && level != budget:
			t.Errorf("Level(%v, %d) = %v without a calibration", budget, windows, level)
		case windows >= drift.MinWindows && (level < budget || shift > rules.MaxShift):
			t.Errorf("Level(%v, %d) = %v, at which a shift of %v is seen", budget, windows, level, shift)
		case windows >= 28 && level != budget:
			t.Errorf("Level(%v, %d) = %v, want the budget's", budget, windows, level)
		}
	}
	if level := Level(budget, drift.MinWindows); level < 5e-4 || level > 5e-3 {
		t.Errorf("Level(%v, %d) = %v, want about one in a thousand", budget, drift.MinWindows, level)
	}
}
