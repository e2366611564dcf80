package forest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

func cloud(seed uint64, rows, columns int) [][]float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, columns)
		for j := range out[i] {
			out[i][j] = r.NormFloat64()
		}
	}
	return out
}

func TestForestFindsOutliers(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		rows := cloud(seed, 2000, 4)
		f, err := Fit(rows, seed)
		if err != nil {
			t.Fatal(err)
		}
		sum, beyond := 0.0, 0
		far := f.Score([]float64{4, -4, 8, 0})
		for _, row := range rows {
			score := f.Score(row)
			sum += score
			if score >= far {
				beyond++
			}
		}
		if usual := sum / float64(len(rows)); usual < 0.35 || usual > 0.55 || beyond > 2 {
			t.Errorf("seed %d: mean score %.3f; %d of 2,000 rows score above an outlier's %.3f", seed, usual, beyond, far)
		}
		c := f.Contributions([]float64{0, 0, 8, 0})
		total := 0.0
		for _, share := range c {
			total += share
		}
		if math.Abs(total-1) > 1e-9 || c[2] < 0.6 {
			t.Errorf("seed %d: contributions %v of an outlier in column 2", seed, c)
		}
	}
}

func TestForestIsByteStable(t *testing.T) {
	rows := cloud(5, 700, 3)
	first, _ := Fit(rows, 9)
	second, _ := Fit(rows, 9)
	other, _ := Fit(rows, 10)
	a, _ := first.MarshalBinary()
	b, _ := second.MarshalBinary()
	c, _ := other.MarshalBinary()
	if !bytes.Equal(a, b) || bytes.Equal(a, c) {
		t.Errorf("same seed gives the same bytes: %v, another seed other bytes: %v", bytes.Equal(a, b), !bytes.Equal(a, c))
	}
	var back Forest
	if err := back.UnmarshalBinary(a); err != nil || !reflect.DeepEqual(&back, first) {
		t.Errorf("round trip changed the forest (%v)", err)
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(a)); runtime.GOARCH == "amd64" && sum != "887ea2dd5014d40cd61be942a97465092d1218dc6b805c772442d158afde7e43" {
		t.Errorf("the forest of this seed is another than in earlier releases (%s): verdicts are computed again by it", sum)
	}
	t.Logf("%d bytes", len(a))
}

func TestForestRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		rows [][]float64
		want error
	}{
		"no rows":      {nil, ErrRows},
		"one row":      {[][]float64{{1}}, ErrRows},
		"no columns":   {[][]float64{{}, {}}, ErrColumns},
		"ragged":       {[][]float64{{1, 2}, {1}}, ErrColumns},
		"not a number": {[][]float64{{1}, {math.NaN()}}, ErrColumns},
		"infinite":     {[][]float64{{1}, {math.Inf(1)}, {math.Inf(-1)}}, nil},
		"all the same": {[][]float64{{1, 1}, {1, 1}, {1, 1}}, nil},
		"huge":         {[][]float64{{1e300}, {-1e300}, {0}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Fit(tc.rows, 1)
			if !errors.Is(err, tc.want) {
				t.Fatalf("Fit: %v, want %v", err, tc.want)
			}
			if err == nil {
				if s := f.Score(tc.rows[0]); !(s > 0 && s <= 1) {
					t.Errorf("Score = %v", s)
				}
			}
		})
	}
	f, _ := Fit([][]float64{{1, 2}, {3, 4}}, 1)
	if !math.IsNaN(f.Score([]float64{1})) || f.Contributions([]float64{1}) != nil {
		t.Error("a row of another length is scored")
	}
}

func FuzzForestDecode(f *testing.F) {
	forest, _ := Fit(cloud(1, 3, 2), 1)
	seed, _ := forest.MarshalBinary()
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second Forest
		if err := first.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("decode error %v is not ErrCorrupt", err)
			}
			return
		}
		first.Score(make([]float64, first.Columns()))
		first.Contributions(make([]float64, first.Columns()))
		again, err := first.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted bytes do not survive a round trip (%v)", err)
		}
		if err := second.UnmarshalBinary(again); err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("round trip gave another forest (%v)", err)
		}
	})
}
