package forest

import (
	"fmt"
	"testing"

	"sluice/test/processor"
)

func BenchmarkForestScore(b *testing.B) {
	rows := cloud(1, 4096, 9)
	f, err := Fit(rows, 1)
	if err != nil {
		b.Fatal(err)
	}
	start, n := processor.Time(), 0
	b.ReportAllocs()
	for b.Loop() {
		for _, row := range rows {
			f.Score(row)
		}
		n += len(rows)
	}
	b.ReportMetric(float64((processor.Time()-start).Nanoseconds())/float64(n), "cpu-ns/row")
}

func BenchmarkForestFit(b *testing.B) {
	for _, rows := range []int{4096, 49_097} {
		b.Run(fmt.Sprintf("rows=%d/columns=9", rows), func(b *testing.B) {
			cloud := cloud(1, rows, 9)
			start, n := processor.Time(), 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Fit(cloud, 1); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64((processor.Time()-start).Nanoseconds())/1e6/float64(n), "cpu-ms/fit")
		})
	}
}
