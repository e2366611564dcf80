package admission

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := NewRates(map[string]float64{"batch": 10, "slow": 0.5, AnyName: 100})
		if err != nil {
			t.Fatal(err)
		}
		through := func(name string, tries int) (n int) {
			for range tries {
				if _, _, ok := r.Take(name); ok {
					n++
				}
			}
			return n
		}
		for _, tc := range []struct {
			name        string
			wait        time.Duration
			tries, want int
		}{
			{"batch", 0, 50, 10}, {"batch", 0, 50, 0}, {"batch", 300 * time.Millisecond, 50, 3}, {"batch", time.Hour, 50, 10},
			{"slow", 0, 5, 1}, {"slow", time.Second, 5, 0}, {"slow", time.Second, 5, 1},
			{"someone", 0, 500, 100}, {"another", 0, 500, 100}, {"someone", 0, 1, 0},
		} {
			time.Sleep(tc.wait)
			if got := through(tc.name, tc.tries); got != tc.want {
				t.Errorf("%s after %s: %d of %d went through, want %d", tc.name, tc.wait, got, tc.tries, tc.want)
			}
		}
		through("batch", 50)
		if after, rate, ok := r.Take("batch"); ok || rate != 10 || (after-100*time.Millisecond).Abs() > time.Millisecond {
			t.Errorf("Take(batch) of an empty bucket = %s, %g, %v, want 100ms, 10, false", after, rate, ok)
		}
	})
}

func TestNewRates(t *testing.T) {
	if r, err := NewRates(nil); r != nil || err != nil {
		t.Errorf("NewRates(nil) = %v, %v, want none", r, err)
	}
	var none *Rates
	if _, _, ok := none.Take("x"); !ok {
		t.Error("no rates do not let x through")
	}
	r, _ := NewRates(map[string]float64{"x": 1})
	for range 10 {
		if _, _, ok := r.Take("y"); !ok {
			t.Error("y, which has no rate, is not let through")
		}
	}
	for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1), 2e7} {
		if _, err := NewRates(map[string]float64{"x": bad}); err == nil {
			t.Errorf("a rate of %g is no error", bad)
		}
	}
}

func BenchmarkRates(b *testing.B) {
	r, err := NewRates(map[string]float64{"x": MaxRate})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Take("x")
	}
}
