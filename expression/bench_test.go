package expression

import (
	"testing"

	"sluice/feature"
)

// BenchmarkCompute is one evaluation: of numbers, of numbers by way of another computed
// feature, of a text, and of a list, which counts its steps.
func BenchmarkCompute(b *testing.B) {
	for name, computed := range map[string][]feature.Computed{
		"of=numbers":  {{Name: "out", Type: feature.Float64, Expr: "(amount - mean) / sd"}},
		"of=computed": {{Name: "out", Type: feature.Bool, Expr: "z > 3.0 || n >= 10"}, {Name: "z", Type: feature.Float64, Expr: "(amount - mean) / sd"}},
		"of=texts":    {{Name: "out", Type: feature.Bool, Expr: "country != merchant"}},
		"of=list":     {{Name: "out", Type: feature.Bool, Expr: "recent.exists(x, x > amount)"}},
		"of=document": {{Name: "out", Type: feature.String, Expr: "string(profile.city)"}},
	} {
		b.Run(name, func(b *testing.B) {
			set, err := Compile(account(computed...))
			if err != nil {
				b.Fatal(err)
			}
			row := rowOf(set, nil)
			values := row.values
			b.ReportAllocs()
			for b.Loop() {
				clear(row.seen)
				clear(row.results)
				row.values = values
				if _, failure := row.Compute(0); failure != nil {
					b.Fatal(failure)
				}
			}
		})
	}
}

// BenchmarkCompile is what a generation of the definitions costs a view that is read.
func BenchmarkCompile(b *testing.B) {
	view := account(feature.Computed{Name: "z", Type: feature.Float64, Expr: "(amount - mean) / sd"}, feature.Computed{Name: "far", Type: feature.Bool, Expr: "z > 3.0"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(view); err != nil {
			b.Fatal(err)
		}
	}
}
